"""What docs/deploy/postgresql.md says about roles is what a fleet needs, and no more."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from orchestrator.core.errors import JournalUnusable
from orchestrator.core.fleet import Member, MemberKind, Unit
from orchestrator.journal_postgres import Access, open_journal, open_units, upgrade
from tests.docs.reading import ROOT
from tests.support.ledger_rows import make_lease, make_outcome, make_run, make_session
from tests.support.postgres import USER, Postgres, postgres, programs

PAGE = (ROOT / "docs" / "deploy" / "postgresql.md").read_text("utf-8")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server on which every statement of the page was executed."""
    first, second = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with postgres() as running:
        for dsn, statements in ((running.dsn, first), (running.dsn_of("fleet"), second)):
            with psycopg.connect(dsn, autocommit=True) as admin:
                for statement in filter(str.strip, statements.split(";")):
                    admin.execute(statement.encode())
        yield running


def access_as(server: Postgres, role: str) -> Access:
    return Access(server.dsn_of("fleet").replace(USER, role, 1))


def test_the_roles_of_the_page_can_do_what_it_says_and_nothing_else(server: Postgres) -> None:
    with pytest.raises(JournalUnusable, match=r"lacks a right; see docs/deploy/postgresql\.md"):
        open_journal(access_as(server, "restore"))
    open_units(access_as(server, "restore_owner")).close()
    with open_journal(access_as(server, "restore")) as journal:
        journal.begin(make_run())
        journal.write_session(make_session())
        journal.write_lease(make_lease())
        journal.record("r1", [make_outcome()])
        journal.erase_session("s1")
    with closing(open_units(access_as(server, "restore"))) as units:
        units.join(Member("m1", "w1", MemberKind.WORKER, "", 4, "host", "1", 60.0))
        units.submit([Unit("r1", "g2", "vm", "vbr01", 0, (), {"all": 1}, "{}")], "m2")
        taken = units.take("m1")
        assert taken is not None
        units.settle(taken, "m1", over=True)
        units.forget("r1")
    reader = access_as(server, "restore_read")
    with closing(open_units(reader, read_only=True)) as units:
        assert [one.member.name for one in units.members()] == ["w1"]
    with open_journal(reader, read_only=True) as journal:
        assert journal.runs() == [make_run()]
        assert journal.totals("r1")["g1"].restored == 1
        assert journal.open_leases() == [make_lease()]
    with open_journal(reader) as journal, pytest.raises(JournalUnusable, match="lacks a right"):
        journal.begin(make_run("r2"))
    with (
        psycopg.connect(replace(reader).dsn, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE orchestrator.mine (x integer)")


def test_who_only_reads_needs_no_sealed_tokens(server: Postgres) -> None:
    open_journal(access_as(server, "restore_owner")).close()
    with psycopg.connect(server.dsn_of("fleet"), autocommit=True) as admin:
        for statement in re.findall(r"`((?:REVOKE|GRANT) SELECT [^`]*orchestrator.sessions [^`]+)`", PAGE):
            admin.execute(statement.encode())
    reader = access_as(server, "restore_read")
    with closing(open_units(reader, read_only=True)) as units:
        assert units.protected("") == units.followed("") == frozenset()
    with psycopg.connect(reader.dsn) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT sealed FROM orchestrator.sessions")


def tool(server: Postgres, name: str, *words: str) -> None:
    """A program of PostgreSQL, as the superuser."""
    reach = ["--host", str(server.own), "--port", str(server.port), "--username", USER]
    done = subprocess.run([programs() / name, *reach, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_dump_that_is_put_back_as_the_page_says_has_everything_with_its_rights(server: Postgres) -> None:
    upgrade(access_as(server, "restore_owner"), lambda error: False)
    with open_journal(access_as(server, "restore")) as journal:
        journal.begin(make_run("kept"))
        dump, put = (re.findall(rf"`?({tool} [^`\n]+)", PAGE)[0].split() for tool in ("pg_dump", "pg_restore"))
        file = str(server.own / "journal.dump")
        tool(server, dump[0], *[word.replace("journal.dump", file) for word in dump[1:]])
        journal.begin(make_run("lost"))
    with psycopg.connect(server.dsn_of("fleet"), autocommit=True) as admin:
        [statement] = re.findall(r"`(DROP SCHEMA [^`]+)`", PAGE)
        admin.execute(statement.encode())
    tool(server, put[0], *[word.replace("journal.dump", file) for word in put[1:]])
    with open_journal(access_as(server, "restore")) as journal:
        names = {run.id for run in journal.runs()}
        assert "kept" in names
        assert "lost" not in names
        journal.begin(make_run("anew"))
    with psycopg.connect(access_as(server, "restore_owner").dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE orchestrator.later (x integer)")
        query = "SELECT has_table_privilege('restore', 'orchestrator.later', 'INSERT')"
        assert owner.execute(query).fetchone() == (True,), "what is made later has its rights too"
        owner.execute("DROP TABLE orchestrator.later")
