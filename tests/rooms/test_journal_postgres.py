"""The journal in PostgreSQL: lost connections, servers that are away, too old or not ours, rights, versions."""

import re
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.core.errors import (
    ExitCode,
    JournalUnreachable,
    JournalUnusable,
    OrchestratorError,
    SchemaOutdated,
    SchemaUnknown,
)
from orchestrator.core.ledger import LeaseRow, Totals
from orchestrator.core.replaced import UndoRow
from orchestrator.journal_postgres import Access, SharedJournal, migrate, open_journal
from orchestrator.journal_postgres.queries import QUERIES
from orchestrator.journal_postgres.store import Cursor, Store
from orchestrator.journal_postgres.translate import unusable
from orchestrator.simulator.certificate import identity_in
from tests.support.journals import PostgresShelf
from tests.support.ledger_rows import later, make_group, make_lease, make_original, make_outcome, make_run, make_session
from tests.support.lossy import lossy_way
from tests.support.postgres import USER, Postgres, postgres

pytestmark = pytest.mark.timeout(60)  # servers are made, stopped and started


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
def access(server: Postgres) -> Access:
    return Access(server.dsn, schema=f"s{uuid.uuid4().hex}", patience=60)


@pytest.fixture
def shelf(access: Access) -> PostgresShelf:
    return PostgresShelf(access)


@pytest.fixture
def journal(access: Access) -> Iterator[SharedJournal]:
    with open_journal(access) as opened:
        yield opened


def cut_off(shelf: PostgresShelf, journal: SharedJournal) -> None:
    """End the journal's connection from the server's side."""
    with shelf.beside() as other:
        pid = journal.store.ask(b"SELECT pg_backend_pid()", {})[0][0]
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


class OnceCutOff:
    """A guard that cuts the connection within the first transaction that it sees."""

    def __init__(self, shelf: PostgresShelf) -> None:
        self._shelf = shelf
        self.asked = 0

    def check(self, cursor: Cursor, run: str, groups: Collection[str]) -> None:
        self.asked += 1
        if self.asked == 1:
            with self._shelf.beside() as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [cursor.connection.info.backend_pid])

    def lease(self, cursor: Cursor, row: LeaseRow) -> None:
        self.check(cursor, row.run, {row.group})


# A connection that is lost


def test_a_lost_connection_is_made_anew_for_reading_and_for_writing(
    shelf: PostgresShelf, journal: SharedJournal
) -> None:
    cut_off(shelf, journal)
    journal.begin(make_run())
    cut_off(shelf, journal)
    assert journal.runs() == [make_run()]


WRITES: dict[str, Callable[[SharedJournal], Any]] = {
    "record": lambda journal: journal.record("r1", [make_outcome(f"{n}") for n in range(300)]),
    "write_lease": lambda journal: journal.write_lease(make_lease()),
    "write_group": lambda journal: journal.write_group(make_group()),
    "record_folders": lambda journal: journal.record_folders("r1", "g1", 1, {"": 300}),
    "write_original": lambda journal: journal.write_original(make_original()),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_loses_its_connection_halfway_is_done_again_as_a_whole(
    shelf: PostgresShelf, journal: SharedJournal, write: str
) -> None:
    journal.begin(make_run())
    journal.guard = guard = OnceCutOff(shelf)
    WRITES[write](journal)
    assert guard.asked == 2
    found = {
        "record": lambda: sum(journal.totals("r1").values(), Totals()).restored,
        "write_lease": lambda: len(journal.leases("r1")),
        "write_group": lambda: len(journal.groups("r1")),
        "write_original": lambda: len(journal.originals("r1")),
        "record_folders": lambda: sum(number for _, _, number in journal.store.rows("fidelity", run="r1")),
    }
    assert found[write]() == (300 if write.startswith("record") else 1)


@pytest.mark.parametrize("loses", ["request", "answer"])
def test_a_write_whose_end_is_lost_is_there_exactly_once(server: Postgres, access: Access, loses: str) -> None:
    open_journal(access).close()
    with lossy_way(server.port) as way:
        through = replace(access, dsn=f"postgresql://{USER}@127.0.0.1:{way.port}/postgres")
        with open_journal(through) as journal:
            journal.begin(make_run())
            way.loses = loses
            journal.begin_undo("r1", later(1))
            assert way.loses == "", "nothing was cut"
            assert journal.undos("r1") == [UndoRow("r1", later(1))]
            way.loses = loses
            assert journal.record("r1", [make_outcome()]) == [None], "what stood before is not what was just written"
            assert way.loses == "", "nothing was cut"
            assert journal.totals("r1") == {"g1": Totals(restored=1, bytes=7)}


def test_what_became_of_a_write_is_asked_again_when_the_next_connection_is_lost_too(
    server: Postgres, access: Access
) -> None:
    open_journal(access).close()
    done = []

    def work(cursor: Cursor) -> None:
        done.append(cursor.execute(b"SELECT txid_current()"))

    with lossy_way(server.port) as way:
        through = replace(access, dsn=f"postgresql://{USER}@127.0.0.1:{way.port}/postgres")
        with open_journal(through) as journal:
            way.then = [b"pg_terminate_backend", b"pg_xact_status"]
            way.loses = "answer"
            journal.store.once(work)
    assert (way.loses, way.then) == ("", []), "something was not cut"
    assert len(done) == 1, "what was committed is not done again"


def test_a_process_that_stood_still_for_longer_than_its_patience_goes_on(shelf: PostgresShelf, access: Access) -> None:
    now, tries = [0.0], []

    def work(cursor: Cursor) -> int:
        tries.append(now[0])
        if len(tries) == 1:  # it stands still here, and the server ends its transaction
            now[0] += 2 * access.patience
            with shelf.beside() as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [cursor.connection.info.backend_pid])
        return len(cursor.execute(b"SELECT 1").fetchall())

    with closing(Store(access, read_only=False, monotonic=lambda: now[0])) as store:
        assert store.once(work) == 1
    assert len(tries) == 2


def test_a_server_that_restarts_is_waited_for(server: Postgres, journal: SharedJournal) -> None:
    journal.begin(make_run())
    server.stop()
    starting = threading.Timer(0.3, server.start)
    starting.start()
    assert journal.record("r1", [make_outcome()]) == [None]
    starting.join()
    server.restart()
    assert journal.totals("r1") == {"g1": Totals(restored=1, bytes=7)}


def test_a_server_that_stays_away_is_given_up_in_plain_words_and_nothing_is_half_written(
    server: Postgres, access: Access
) -> None:
    with open_journal(replace(access, patience=0.3)) as journal:
        journal.begin(make_run())
        server.stop()
        with pytest.raises(JournalUnreachable, match=r"Connection refused\. Check fleet\.dsn") as caught:
            journal.record("r1", [make_outcome("a"), make_outcome("b")])
        assert caught.value.exit_code is ExitCode.STATE
        server.start()
    with open_journal(access) as journal:
        assert journal.totals("r1") == {}
        journal.record("r1", [make_outcome("a"), make_outcome("b")])
        assert journal.totals("r1")["g1"].restored == 2


def test_a_long_list_that_is_cut_off_is_never_a_short_one(shelf: PostgresShelf, journal: SharedJournal) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(f"{n:04d}") for n in range(1200)])
    reading = journal.restored("r1")
    next(reading)
    cut_off(shelf, journal)
    with pytest.raises(JournalUnusable, match="start the command again"):
        list(reading)
    assert len(list(journal.restored("r1"))) == 1200


# A server that cannot be used


def words_of(access: Access, **more: Any) -> str:
    with pytest.raises(JournalUnusable) as caught:
        open_journal(access, **more)
    assert caught.value.exit_code is ExitCode.STATE
    text = str(caught.value)
    assert "secret" not in text
    assert "\n" not in text
    return text


def test_a_server_that_is_not_there_is_named_with_what_to_do(access: Access) -> None:
    text = words_of(replace(access, dsn="postgresql://restore@127.0.0.1:1/fleet", password="secret"))
    assert "The journal in PostgreSQL on 127.0.0.1:1, database fleet, schema s" in text
    assert "Connection refused. Check fleet.dsn, the firewall, and that PostgreSQL runs and listens there" in text


@pytest.mark.parametrize("dsn", ["postgresql://a:secret@[::1/x", "host=db1 secret", "postgresql://db1?secret=1"])
def test_an_address_that_is_none_is_not_repeated(access: Access, dsn: str) -> None:
    assert "fleet.dsn" in words_of(replace(access, dsn=dsn))


def test_a_wrong_password_is_named_by_where_it_comes_from() -> None:
    with postgres(password="right") as server:
        access = Access(server.dsn, password="secret", password_source="$FLEET_PASSWORD")
        assert "the password behind $FLEET_PASSWORD is wrong" in words_of(access)
        assert "password_env" in words_of(replace(access, password=None))
        with open_journal(replace(access, password="right")) as journal:
            journal.begin(make_run())
            server.restart()
            assert journal.runs() == [make_run()]


def test_a_password_is_in_no_repr(access: Access) -> None:
    assert "secret" not in repr(replace(access, password="secret"))


def test_tls_is_spoken_and_a_certificate_of_nobody_is_refused(tmp_path: Path) -> None:
    with postgres(tls=True) as server:
        good = f"{server.dsn}?sslmode=verify-full&sslrootcert={server.own / 'ca.pem'}"
        with open_journal(Access(good)) as journal:
            assert journal.store.ask(b"SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", {}) == [(True,)]
        bad = f"{server.dsn}?sslmode=verify-full&sslrootcert={identity_in(tmp_path).ca_file}"
        assert "certificate" in words_of(Access(bad))
        assert "it takes no connection from here" in words_of(Access(f"{server.dsn}?sslmode=disable"))


def test_a_server_that_is_too_old_is_refused(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "SERVER_AT_LEAST", 99)
    assert "99 or newer is needed" in words_of(access)


def test_a_database_that_is_not_there_is_named(server: Postgres, access: Access) -> None:
    assert 'database "nowhere" does not exist' in words_of(replace(access, dsn=server.dsn_of("nowhere")))


def test_a_database_that_cannot_keep_every_name_is_refused(server: Postgres, access: Access) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    assert "is encoded in LATIN1; make one with ENCODING 'UTF8'" in words_of(
        replace(access, dsn=server.dsn_of("latin"))
    )


def test_the_schema_of_another_program_is_left_alone(shelf: PostgresShelf) -> None:
    with shelf.beside() as other:
        other.execute(f'CREATE SCHEMA "{shelf.access.schema}"')
        other.execute("CREATE TABLE theirs (x integer)")
    for read_only in (True, False):
        assert "belongs to another program" in words_of(shelf.access, read_only=read_only)


@pytest.mark.parametrize(
    ("code", "plain"),
    [("53100", "disk of the server is full"), ("23503", "has been pruned"), ("XX000", "it refused a statement")],
)
def test_what_the_server_says_gets_plain_words_without_values(code: str, plain: str) -> None:
    error = psycopg.errors.lookup(code)("first line\nDETAIL:  Key (guest_path)=(C:\\secret)")
    error.sqlstate = code
    text = str(unusable("PostgreSQL", error))
    assert plain in text
    assert "first line" in text
    assert "secret" not in text


# Rights


def test_rights_on_rows_are_enough_once_the_schema_is_there(shelf: PostgresShelf, server: Postgres) -> None:
    open_journal(shelf.access).close()
    worker, reader = f"w{uuid.uuid4().hex}", f"r{uuid.uuid4().hex}"
    with shelf.beside() as admin:
        for role in (worker, reader):
            admin.execute(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {shelf.access.schema} TO {role}")
        rows = f"ON ALL TABLES IN SCHEMA {shelf.access.schema} TO"
        admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE {rows} {worker}; GRANT SELECT {rows} {reader}")
    as_worker = replace(shelf.access, dsn=server.dsn.replace(USER, worker))
    with open_journal(as_worker) as journal:
        for write in (lambda: journal.begin(make_run()), *(lambda w=one: w(journal) for one in WRITES.values())):
            write()
        journal.write_session(make_session())
        journal.forget_run("r1")
    as_reader = replace(shelf.access, dsn=server.dsn.replace(USER, reader))
    with open_journal(as_reader, read_only=True) as journal:
        assert journal.sessions() == [make_session()]
    with open_journal(as_reader) as journal, pytest.raises(JournalUnusable, match="lacks a right; see docs/deploy"):
        journal.begin(make_run())


def test_an_account_that_may_make_no_schema_is_told_so(server: Postgres, access: Access) -> None:
    role = f"w{uuid.uuid4().hex}"
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN")
    assert "lacks a right; see docs/deploy/postgresql.md" in words_of(
        replace(access, dsn=server.dsn.replace(USER, role))
    )


# Versions


def test_processes_that_start_at_once_make_the_schema_once(access: Access) -> None:
    failures: list[BaseException] = []

    def start(number: int) -> None:
        try:
            with open_journal(access) as journal:
                journal.begin(make_run(f"r{number}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_journal(access) as journal:
        assert len(journal.runs()) == 8


def test_a_newer_schema_that_this_version_can_work_with_is_worked_with(
    shelf: PostgresShelf, journal: SharedJournal
) -> None:
    with shelf.beside() as other:
        other.execute("UPDATE journal_version SET version = 1000")
    for read_only in (False, True):
        open_journal(shelf.access, read_only=read_only).close()
    with shelf.beside() as other:
        other.execute("UPDATE journal_version SET oldest = 1000")
        assert other.execute("SELECT version FROM journal_version").fetchone() == (1000,)
    with pytest.raises(SchemaUnknown):
        open_journal(shelf.access)


def test_an_older_schema_is_brought_up_in_one_transaction_or_not_at_all(
    shelf: PostgresShelf, journal: SharedJournal
) -> None:
    known = migrate.KNOWN
    steps = {known + 1: "ALTER TABLE runs ADD one TEXT", known + 2: "ALTER TABLE runs ADD two TEXT; SELECT nowhere"}
    with shelf.beside() as other:
        with pytest.raises(psycopg.errors.UndefinedColumn, match="nowhere"):
            migrate.migrate(other, shelf.access, known=known + 2, oldest=1, steps=steps)
        with pytest.raises(psycopg.errors.UndefinedColumn, match="one"):
            other.execute("SELECT one FROM runs")
        migrate.migrate(other, shelf.access, known=known + 1, oldest=1, steps=steps)
        other.execute("SELECT one FROM runs")
        assert other.execute("SELECT version, oldest FROM journal_version").fetchall() == [(known + 1, 1)]


def test_a_schema_that_must_be_brought_up_is_not_read_as_it_is(
    shelf: PostgresShelf, journal: SharedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "KNOWN", migrate.KNOWN + 1)
    with pytest.raises(SchemaOutdated, match="this version needs"):
        open_journal(shelf.access, read_only=True)


def test_every_query_can_be_prepared_against_the_schema(journal: SharedJournal) -> None:
    for name, statement in QUERIES.items():
        text, names = statement.decode(), dict.fromkeys(re.findall(r"%\((\w+)\)[sb]", statement.decode()))
        for number, parameter in enumerate(names, 1):
            text = re.sub(rf"%\({parameter}\)[sb]", f"${number}", text)
        journal.store.once(lambda cursor, words=f"PREPARE q_{name} AS {text}": cursor.execute(words.encode()))


def test_outcomes_are_looked_up_and_not_read_through(journal: SharedJournal) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(f"{n:05d}") for n in range(5000)])
    values = {"run": [1] * 200, "group": ["g1"] * 200, "guest_path": [f"{n:05d}" for n in range(200)]}
    plan = journal.store.ask(b"EXPLAIN " + QUERIES["written"], values)
    assert any("outcomes_key" in line for (line,) in plan), plan


def test_a_plan_for_few_files_is_not_kept_for_many(shelf: PostgresShelf, journal: SharedJournal) -> None:
    journal.begin(make_run())
    for number in range(20):
        journal.record("r1", [make_outcome(f"{number:05d}")])
        if number == 1:
            with shelf.beside() as other:
                other.execute("ANALYZE outcomes")
    counted = b"""SELECT sum(custom_plans), sum(generic_plans) FROM pg_prepared_statements
                  WHERE cardinality(parameter_types) > 0"""
    [(made_anew, kept)] = journal.store.ask(counted, {})
    assert made_anew > 0
    assert kept == 0


# The guard


class Refusing:
    """A guard that lets nothing through."""

    def check(self, cursor: Cursor, run: str, groups: Collection[str]) -> None:
        cursor.execute("UPDATE runs SET job = 'touched'")
        raise OrchestratorError(what=f"{run} {sorted(groups)} is no longer ours")

    def lease(self, cursor: Cursor, row: LeaseRow) -> None:
        self.check(cursor, row.run, {row.group})


@pytest.mark.parametrize("write", WRITES)
def test_what_the_guard_refuses_is_not_written_nor_what_the_guard_wrote(journal: SharedJournal, write: str) -> None:
    journal.begin(make_run())
    journal.guard = Refusing()
    with pytest.raises(OrchestratorError, match=r"r1 \['g1'\] is no longer ours"):
        WRITES[write](journal)
    journal.guard = None
    assert journal.totals("r1") == {}
    assert [*journal.leases("r1"), *journal.groups("r1"), *journal.originals("r1")] == []
    assert journal.runs() == [make_run()]


def test_a_session_tells_which_member_made_it(journal: SharedJournal) -> None:
    journal.member = "worker-1"
    journal.write_session(make_session())
    assert journal.store.ask(b"SELECT member FROM sessions", {}) == [("worker-1",)]
    assert journal.sessions() == [make_session()]
