"""Journals of earlier versions: what operators have on their disks is read, gone on with and swept."""

import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.errors import SchemaOutdated
from orchestrator.core.ledger import RunRow, RunState, Totals
from orchestrator.core.lifecycle import LeaseState
from orchestrator.journal import open_journal
from orchestrator.journal.migrate import KNOWN, STEPS, migrate
from orchestrator.journal.queries import SCHEMA
from tests.support import frozen_journal as rows

JOURNALS = Path(__file__).parent / "journals"
OLD = sorted(int(file.stem[1:]) for file in JOURNALS.glob("v*.sql"))

SCHEMAS = {
    1: "4440b64818c4de574db0ff4e87d50d495cc8fdc975be10ec68a8d5770d6e8fba",
    2: "846dac94c7eafebd27435af7982de5db3489bfbb80cbf60e979aa53cb06638cf",
    3: "0a75b92faf52e4128dd6ab5eff4accfbd966c8c4e668282269a503e8ba1f4e02",
    4: "412057d5fdb7066b6d872550da251223eb88a7f7d296a923ba4b31f0fb427e56",
    5: "181a212307d4d946d281830294cc7d16eae2d1cb03ceb49304acd2dc8dcbff45",
}
"""The SHA-256 of each schema, see `digest`. That of a version that is in use never changes."""


KILLED_AT_EVERY_STATEMENT = """
import itertools, os, shutil, signal, sqlite3, sys
from pathlib import Path
from orchestrator.journal import open_journal

connect = sqlite3.connect

def killed_at(number):
    left = itertools.count(number - 1, -1)
    def connected(*words, **options):
        connection = connect(*words, **options)
        connection.set_trace_callback(lambda _: next(left) or os.kill(os.getpid(), signal.SIGKILL))
        return connection
    sqlite3.connect = connected

for number in itertools.count(1):
    folder = Path(sys.argv[2]) / f"{number:03}"
    shutil.copytree(sys.argv[1], folder)
    if not os.fork():
        killed_at(number)
        open_journal(folder)
        os._exit(0)
    if os.wait()[1] != signal.SIGKILL:
        break
"""


def schema_of(connection: sqlite3.Connection) -> dict[str, str]:
    """The statement of every table and index by name, without comments and with one kind of space."""
    statements = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: normalised(sql) for name, sql in statements}


def normalised(sql: str) -> str:
    return re.sub(r"\s*([(),;])\s*", r"\1", " ".join(re.sub(r"--[^\n]*", "", sql).split()))


def schema_in(text: str) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(text)
        return schema_of(connection)


def digest(schema: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(schema.items())).encode()).hexdigest()


def frozen(version: int) -> str:
    return (JOURNALS / f"v{version}.sql").read_text("utf-8")


def test_a_schema_that_is_in_use_is_never_changed_but_counted_up() -> None:
    found = {**{version: digest(schema_in(frozen(version))) for version in OLD}, KNOWN: digest(schema_in(SCHEMA))}
    assert found == SCHEMAS, (
        "the schema has changed. Put schema.sql back, run `python -m tests.support.frozen_journal` into "
        f"tests/rooms/journals/v{KNOWN}.sql, change schema.sql again, count migrate.KNOWN up, write the step that "
        "leads there, and add the new digest to SCHEMAS"
    )


def test_every_earlier_version_is_frozen_here_and_has_a_step_that_leads_on() -> None:
    assert [*range(1, KNOWN)] == OLD
    assert [*range(2, KNOWN + 1)] == sorted(STEPS)


def test_a_journal_that_is_to_be_frozen_has_rows_in_every_table() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(rows.frozen())
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        empty = [name for name in tables if not connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]]  # noqa: S608 - names of our own
    assert tables
    assert empty == []


@pytest.mark.parametrize("version", OLD)
def test_a_journal_that_was_brought_up_to_date_has_the_schema_of_a_new_one(version: int) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(frozen(version))
        migrate(connection, Path("state"))
        assert schema_of(connection) == schema_in(SCHEMA)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[int], Path]:
    """Makes the state folder of an earlier version."""

    def make(version: int) -> Path:
        with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(frozen(version))
        return tmp_path

    return make


def as_of(version: int, run: RunRow) -> RunRow:
    """A run as a journal of `version` knows it."""
    return run if version > 1 else replace(run, checksum="")


@pytest.mark.parametrize("version", OLD)
def test_everything_in_an_earlier_journal_is_read_as_it_was_written(put: Callable[[int], Path], version: int) -> None:
    with open_journal(put(version)) as journal:
        assert journal.runs() == [as_of(version, run) for run in (rows.DIED, rows.STOPPED, rows.DONE)]
        assert [*journal.groups("done"), *journal.groups("died")] == rows.GROUPS
        assert journal.vm_seconds() == {"fs01": 3.0}
        assert journal.leases("done") == [rows.CONFIRMED]
        assert journal.open_leases() == journal.leases("died") == [rows.HELD, rows.ASKED]
        assert journal.sessions() == [rows.SESSION]
        assert {run: [*journal.restored(run)] for run in rows.RESTORED} == {
            run: [outcome] for run, outcome in rows.RESTORED.items()
        }
        assert journal.problems("done") == [rows.FULL, rows.LINK]
        assert journal.totals("died") == {"g1": Totals(restored=1, skipped=1, bytes=7), "g2": Totals(failed=1)}
        assert journal.recent_drops(10) == ([rows.DROP] if version > 1 else [])
        assert journal.schedules() == ([rows.SCHEDULE] if version > 1 else [])
        assert journal.drills() == ([rows.DRILL] if version > 1 else [])
        assert journal.paused() is (version > 1)
        assert journal.asides("done", None, 10) == ([rows.ASIDE] if version > 2 else [])
        assert [*journal.made("done")] == ([rows.MADE] if version > 2 else [])
        assert journal.undos("done") == ([rows.UNDO] if version > 2 else [])
        assert journal.answers() == ([rows.ANSWER] if version > 3 else [])
        assert journal.open_originals() == ([rows.ORIGINAL] if version > 4 else [])


@pytest.mark.parametrize("version", OLD)
def test_a_run_that_died_under_an_earlier_version_is_gone_on_with_and_swept(
    put: Callable[[int], Path], version: int
) -> None:
    folder = put(version)
    with open_journal(folder) as journal:
        journal.begin(replace(journal.run("died"), state=RunState.RUNNING, checksum="blake3"))
        assert journal.problems("died") == []
        for lease in journal.open_leases():
            journal.write_lease(replace(lease, state=LeaseState.CONFIRMED))
        journal.erase_session("s2")
        journal.record("died", [rows.LOCKED, replace(rows.UNCHANGED, guest_path="C:\\e")])
        journal.end(replace(rows.DIED, state=RunState.FINISHED, exit_code=3))
    with open_journal(folder, read_only=True) as reader:
        assert (reader.open_leases(), reader.sessions()) == ([], [])
        assert (reader.run("died").state, reader.run("died").checksum) == (RunState.FINISHED, "blake3")
        assert reader.problems("died") == [rows.LOCKED]


@pytest.mark.parametrize("version", OLD)
def test_who_only_looks_at_an_earlier_journal_is_told_what_brings_it_up_to_date(
    put: Callable[[int], Path], version: int
) -> None:
    folder = put(version)
    content = (folder / "journal.db").read_bytes()
    with pytest.raises(SchemaOutdated, match=f"schema {version}, this version needs {KNOWN}.*`orchestrator sweep`"):
        open_journal(folder, read_only=True)
    assert (folder / "journal.db").read_bytes() == content


@pytest.mark.parametrize("version", OLD)
def test_a_process_that_is_killed_at_any_statement_of_a_migration_leaves_the_old_journal_or_the_new_one(
    put: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory, version: int
) -> None:
    copies = tmp_path_factory.mktemp("copies")
    done = subprocess.run([sys.executable, "-c", KILLED_AT_EVERY_STATEMENT, put(version), copies], capture_output=True)
    assert done.returncode == 0, done.stderr
    found = []
    for folder in sorted(copies.iterdir()):
        with closing(sqlite3.connect(folder / "journal.db")) as connection:
            found.append(connection.execute("PRAGMA user_version").fetchone()[0])
            assert schema_of(connection) == schema_in(SCHEMA if found[-1] == KNOWN else frozen(found[-1]))
        with open_journal(folder) as journal:
            assert journal.open_leases() == [rows.HELD, rows.ASKED]
            assert journal.sessions() == [rows.SESSION]
            assert len(journal.runs()) == 3
    steps = sum(STEPS[step].count(";\n") for step in range(version + 1, KNOWN + 1))
    assert sum(one < KNOWN for one in found) > steps
    assert found[-1] == KNOWN
