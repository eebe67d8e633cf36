"""What a fleet is given that is wrong: plain words, the right exit code, no secret repeated, nothing half submitted.

What a worker cannot reach, and a password that is typed, are in tests/flow/test_flow_fleet_operating.py.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from orchestrator.cli.commands import cli
from orchestrator.cli.program import refuse_secrets
from orchestrator.core.errors import ExitCode, JournalUnusable, WordsError
from orchestrator.core.fleet import Member, MemberKind
from orchestrator.journal_postgres import Access, migrate, open_journal, open_units
from tests.support.filesystems import tmpfs
from tests.support.ledger_rows import make_outcome, make_run
from tests.support.postgres import USER, Postgres, postgres

pytestmark = pytest.mark.timeout(60)  # a server is made

SECRET = "Kiebitz4-am-Deich"
JOB = """
name = "night"
[defaults]
to = "/restore/{vm}"
[[restore]]
vm = "fs01"
paths = ['C:\\Data']
"""
CONFIG = """
[enterprise_manager]
url = "https://127.0.0.1:1"
username = "restore"
password_env = "EM_PASSWORD"
retry_for = 1
[[backup_servers]]
name = "*"
shares = ["/mnt/vbr01"]
[targets]
allow = ["/restore"]
[fleet]
"""
EVERY = (("worker", "--name", "w"), ("run", "night.toml"), ("watch", "--once"), ("fleet", "status"))
WRITING = EVERY[:3]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Postgres]:
    """A server that asks for the password."""
    with postgres(password=SECRET) as server:
        yield server


@dataclass
class Bench:
    """What a case is laid out on."""

    server: Postgres
    guarded: Postgres
    patch: pytest.MonkeyPatch
    database: str

    def made(self) -> Access:
        """The database, with the tables of a fleet in it."""
        access = Access(self.database)
        open_journal(access).close()
        return access

    def sql(self, *statements: str) -> str:
        """Execute something in the database with tables; its DSN."""
        self.made()
        with psycopg.connect(self.database, autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement.encode())
        return self.database

    def name(self) -> str:
        return self.database.rpartition("/")[2]


Layout = Callable[[Bench], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One thing that is wrong: `lay` arranges it and gives the table [fleet]."""

    lay: Layout
    code: ExitCode
    words: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...] = EVERY
    environment: dict[str, str] = field(default_factory=dict)


def nobody_listens(bench: Bench) -> dict[str, Any]:
    return {"dsn": "postgresql://restore@127.0.0.1:1/fleet"}


def too_old(bench: Bench) -> dict[str, Any]:
    bench.patch.setattr(migrate, "SERVER_AT_LEAST", 99)
    return {"dsn": bench.database}


def without_driver(bench: Bench) -> dict[str, Any]:
    find = importlib.util.find_spec
    bench.patch.setattr("importlib.util.find_spec", lambda name: None if name == "psycopg" else find(name))
    return {"dsn": bench.database}


def another_programs(bench: Bench) -> dict[str, Any]:
    with psycopg.connect(bench.database, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA orchestrator; CREATE TABLE orchestrator.theirs (x integer)")
    return {"dsn": bench.database}


def read_only(bench: Bench) -> dict[str, Any]:
    return {"dsn": bench.sql(f"ALTER DATABASE {bench.name()} SET default_transaction_read_only = on")}


def read_only_and_empty(bench: Bench) -> dict[str, Any]:
    with psycopg.connect(bench.database, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {bench.name()} SET default_transaction_read_only = on".encode())
    return {"dsn": bench.database}


def latin(bench: Bench) -> dict[str, Any]:
    with psycopg.connect(bench.database, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {bench.name()}_latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'".encode())
    return {"dsn": f"{bench.database}_latin"}


def without_rights(bench: Bench) -> dict[str, Any]:
    role = f"nobody_{bench.name()}"
    return {"dsn": bench.sql(f"CREATE ROLE {role} LOGIN").replace(USER, role, 1)}


def rights_to_read(bench: Bench) -> dict[str, Any]:
    role = f"reader_{bench.name()}"
    grants = "GRANT USAGE ON SCHEMA orchestrator TO {0}; GRANT SELECT ON ALL TABLES IN SCHEMA orchestrator TO {0}"
    return {"dsn": bench.sql(f"CREATE ROLE {role} LOGIN", grants.format(role)).replace(USER, role, 1)}


def two_of_one_name(bench: Bench) -> dict[str, Any]:
    with closing(open_units(bench.made())) as units:
        units.join(Member("id", "w", MemberKind.WORKER, "", 4, "elsewhere", "1", 600.0))
    return {"dsn": bench.database}


def by_reference(bench: Bench) -> dict[str, Any]:
    return {"dsn": bench.guarded.dsn, "password_env": "FLEET_PASSWORD"}


def at(dsn: str) -> Layout:
    return lambda bench: {"dsn": dsn}


STATE, WORDS = ExitCode.STATE, ExitCode.WORDS
CASES: dict[str, Case] = {
    "PostgreSQL is not there": Case(
        nobody_listens, STATE, ("Connection refused", "Check fleet.dsn, the firewall, and that PostgreSQL runs")
    ),
    "PostgreSQL is too old": Case(too_old, STATE, ("the server is PostgreSQL ", "; 99 or newer is needed")),
    "what speaks to it is not installed": Case(without_driver, WORDS, ("pip install 'orchestrator[fleet]'",)),
    "the database is not there": Case(
        lambda bench: {"dsn": bench.server.dsn_of("nowhere")}, STATE, ('database "nowhere" does not exist', "fleet.dsn")
    ),
    "the database cannot keep every name": Case(latin, STATE, ("make one with ENCODING 'UTF8'",)),
    "the schema is another program's": Case(another_programs, STATE, ("name another one in fleet.schema",)),
    "the schema is of a newer version": Case(
        lambda bench: {"dsn": bench.sql("UPDATE orchestrator.journal_version SET version = 7, oldest = 7")},
        STATE,
        ("has schema 7, this version knows 1",),
    ),
    "the schema will soon be of a newer version": Case(
        lambda bench: {"dsn": bench.sql("UPDATE orchestrator.journal_version SET coming = 7")},
        STATE,
        ("has schema 7, this version knows 1",),
        WRITING,
    ),
    "the database may only be read": Case(read_only, STATE, ("default_transaction_read_only",), WRITING),
    "the database may only be read and is empty": Case(
        read_only_and_empty, STATE, ("default_transaction_read_only",), WRITING
    ),
    "the account has no right to the schema": Case(without_rights, STATE, ("see docs/deploy/postgresql.md",)),
    "the account may only read": Case(
        rights_to_read, STATE, ("lacks a right; see docs/deploy/postgresql.md",), WRITING
    ),
    "the password is wrong": Case(
        by_reference, STATE, ("the password behind $FLEET_PASSWORD is wrong",), environment={"FLEET_PASSWORD": "geheim"}
    ),
    "the password is not where it should be": Case(
        by_reference, WORDS, ("fleet.password_env", "FLEET_PASSWORD is not")
    ),
    "no password is named": Case(
        lambda bench: {"dsn": bench.guarded.dsn}, STATE, ("say password_env, password_file or password_credential",)
    ),
    "TLS is demanded and not offered": Case(
        lambda bench: {"dsn": f"{bench.database}?sslmode=require"}, STATE, ("switch TLS on there", "ssl = on")
    ),
    "a password stands in the address": Case(at("postgresql://me:geheim@db/fleet"), WORDS, ("must hold no password",)),
    "a password stands in the words": Case(at("host=db password=geheim"), WORDS, ("must hold no password",)),
    "a password is written in another way": Case(
        at("postgresql://me@db/fleet?p%61ssword=geheim"), WORDS, ("must hold no password",)
    ),
    "the address is none": Case(at("host=db geheim"), STATE, ("fleet.dsn is no address",)),
    "there is no fleet": Case(lambda bench: {}, WORDS, ("fleet.dsn: is not set",), (EVERY[0], EVERY[3])),
    "two workers have one name": Case(
        two_of_one_name, WORDS, ("a worker named w is serving already, on elsewhere", "--name"), (EVERY[0],)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_in_plain_words_and_nothing_is_begun(
    name: str,
    postgres_server: Postgres,
    guarded: Postgres,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = CASES[name]
    table = case.lay(Bench(postgres_server, guarded, monkeypatch, database))
    lines = [f'{key} = "{value}"' for key, value in {**table, "patience": 0.2}.items()] if table else []
    lines = [line.replace('"0.2"', "0.2") for line in lines]
    (tmp_path / "config.toml").write_text(CONFIG + "\n".join(lines))
    (tmp_path / "night.toml").write_text(JOB)
    monkeypatch.chdir(tmp_path)
    for key, value in {"EM_PASSWORD": SECRET, **case.environment}.items():
        monkeypatch.setenv(key, value)
    for command in case.commands:
        done = CliRunner().invoke(cli, list(command))
        assert done.exit_code == case.code, f"{command}: {done.output}"
        for words in case.words:
            assert words.casefold() in done.output.casefold(), f"{command}: {done.output}"
        assert "geheim" not in done.output
        assert SECRET not in done.output
        assert "Traceback" not in done.output
    monkeypatch.undo()
    assert submitted(database) == []


def submitted(database: str) -> list[str]:
    """The tables of the fleet in which something stands that a command would have written."""
    found = []
    with psycopg.connect(database) as admin:
        for table in ("runs", "groups", "units", "orders", "leases"):
            there = admin.execute("SELECT to_regclass(%s)", [f"orchestrator.{table}"]).fetchone()
            query = sql.SQL("SELECT 1 FROM {}").format(sql.Identifier("orchestrator", table))
            if there != (None,) and admin.execute(query).fetchone():
                found.append(table)
    return found


@pytest.mark.parametrize(
    "word",
    [
        "postgresql://me:geheim@db/fleet",
        "--dsn=postgres://me:ge@heim@db:5432/fleet",
        "postgresql://db/fleet?user=me&password=geheim",
        "host=db password=geheim",
        "password = geheim host = db",
    ],
)
def test_a_password_that_is_typed_is_refused_before_anybody_repeats_it(word: str) -> None:
    with pytest.raises(WordsError, match="by password_env, password_file or password_credential") as caught:
        refuse_secrets(["worker", word])
    assert "geheim" not in str(caught.value)
    assert caught.value.exit_code is WORDS


@pytest.mark.parametrize(
    "word", ["postgresql://me@db:5432/fleet", "https://em:9398", "C:\\x password=1.txt", "host=db user=me", "a:b@c"]
)
def test_other_words_are_left_alone(word: str) -> None:
    refuse_secrets(["put-back", word])


def test_a_database_whose_disk_is_full_takes_nothing_and_goes_on_when_there_is_room(postgres_server: Postgres) -> None:
    with tmpfs(postgres_server.own / "small") as place:
        owner = (postgres_server.own / "data").stat()
        (place / "space").mkdir()
        os.chown(place / "space", owner.st_uid, owner.st_gid)
        with psycopg.connect(postgres_server.dsn, autocommit=True) as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{place / 'space'}'".encode())
            admin.execute("CREATE DATABASE small TABLESPACE small")
            access = Access(postgres_server.dsn_of("small"))
            try:
                with open_journal(replace(access, patience=0.2)) as journal:
                    journal.begin(make_run())
                    filler = place / "filler"
                    with filler.open("wb") as file:
                        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(place).free)
                    outcomes = [make_outcome(f"{number}-{'x' * 900}") for number in range(500)]
                    with pytest.raises(JournalUnusable, match="the disk of the server is full; make room") as caught:
                        journal.record("r1", outcomes)
                    assert caught.value.exit_code is STATE
                    assert journal.totals("r1") == {}
                    filler.unlink()
                    journal.record("r1", outcomes)
                    assert journal.totals("r1")["g1"].restored == 500
            finally:
                admin.execute("DROP DATABASE small WITH (FORCE)")
                admin.execute("DROP TABLESPACE small")
