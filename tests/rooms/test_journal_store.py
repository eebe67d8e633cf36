"""The journal on a disk: locks, modes, damage, erasure, streams, schema."""

import fcntl
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.core.errors import RunUnknown, SchemaOutdated, SchemaUnknown, StateLocked, StateUnusable
from orchestrator.core.ledger import RunState
from orchestrator.journal import Journal, open_journal, store
from orchestrator.journal.lock import StateLock
from orchestrator.journal.migrate import KNOWN, check, migrate
from orchestrator.journal.queries import QUERIES
from orchestrator.journal.translate import cause_of
from orchestrator.ledgers import parse
from tests.support.ledger_rows import START, later, make_lease, make_outcome, make_run, make_session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "state"


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with open_journal(folder, clock=lambda: START) as opened:
        yield opened


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_files_are_for_the_owner_alone(journal: Journal, folder: Path) -> None:
    journal.begin(make_run())
    assert mode_of(folder) == 0o700
    assert {path.name: mode_of(path) for path in folder.iterdir()} == {
        "journal.db": 0o600,
        "journal.db-shm": 0o600,
        "journal.db-wal": 0o600,
        "lock": 0o600,
    }


def test_a_journal_that_others_could_read_is_closed_to_them(journal: Journal, folder: Path) -> None:
    journal.close()
    (folder / "journal.db").chmod(0o666)
    open_journal(folder).close()
    assert mode_of(folder / "journal.db") == 0o600


def test_a_killed_process_loses_nothing_and_leaves_no_lock(folder: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from orchestrator.journal import open_journal;"
        "from tests.support.ledger_rows import *; journal = open_journal(Path(sys.argv[1])); journal.begin(make_run());"
        "journal.write_lease(make_lease()); journal.record('r1', [make_outcome()]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    with open_journal(folder) as journal:
        assert journal.run("r1").state is RunState.RUNNING
        assert journal.open_leases() == [make_lease()]
        assert list(journal.restored("r1")) == [make_outcome()]


def test_a_second_orchestrator_is_told_who_has_the_folder(journal: Journal, folder: Path) -> None:
    with pytest.raises(StateLocked, match=rf"process {os.getpid()} on \S+ since 2026-11-20T06:00:00\+00:00") as caught:
        open_journal(folder)
    assert "end it with `orchestrator stop`" in str(caught.value)
    assert "state.folder" not in str(caught.value), "another folder would know nothing of the mounts that are open"


def test_the_folder_is_free_after_closing_and_closing_twice_is_harmless(journal: Journal, folder: Path) -> None:
    journal.close()
    journal.close()
    open_journal(folder).close()


def test_a_lock_that_says_nothing_is_still_a_lock(folder: Path) -> None:
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StateLocked, match="an unknown process"):
            StateLock(folder, lambda: START)


def test_a_reader_reads_a_journal_that_nobody_has_open(journal: Journal, folder: Path) -> None:
    journal.begin(make_run())
    journal.close()
    with open_journal(folder, read_only=True) as reader:
        assert reader.runs() == [make_run()]


def test_a_reader_cannot_write(journal: Journal, folder: Path) -> None:
    with open_journal(folder, read_only=True) as reader, pytest.raises(StateUnusable, match="cannot be written"):
        reader.begin(make_run())


def test_a_reader_makes_nothing(folder: Path) -> None:
    with pytest.raises(StateUnusable, match="no run has been started"):
        open_journal(folder, read_only=True)
    assert not folder.exists()


def test_an_erased_token_is_in_no_file_any_more(journal: Journal, folder: Path) -> None:
    token = b"SEALED-TOKEN-THAT-MUST-GO" * 400
    journal.begin(make_run())
    journal.write_session(make_session(sealed=token))
    assert any(token[:25] in path.read_bytes() for path in folder.iterdir())
    journal.erase_session("s1")
    assert not any(token[:25] in path.read_bytes() for path in folder.iterdir())


def test_an_erased_token_that_a_reader_still_sees_is_gone_after_closing(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.0)
    journal.close()
    token = b"SEALED-TOKEN-THAT-MUST-GO"
    with open_journal(folder) as writer:
        writer.begin(make_run())
        writer.record("r1", [make_outcome(f"{n:04d}") for n in range(1200)])
        writer.write_session(make_session(sealed=token))
        with open_journal(folder, read_only=True) as reader:
            reading = reader.restored("r1")
            next(reading)
            writer.erase_session("s1")
            assert writer.sessions() == []
            assert any(token in path.read_bytes() for path in folder.iterdir())
            reading.close()
            writer.close()
            assert not any(token in path.read_bytes() for path in folder.iterdir())


def test_leases_are_flushed_and_outcomes_are_not(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def level() -> int:
        return journal._store._connection.execute("PRAGMA synchronous").fetchone()[0]

    journal.begin(make_run())
    assert level() == 2
    journal.record("r1", [make_outcome()])
    assert level() == 1
    journal.write_lease(make_lease())
    assert level() == 2


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"this is no database, whatever its name says" * 50, "no journal"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "journal.db"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_plainly(folder: Path, content: bytes, cause: str) -> None:
    folder.mkdir(parents=True)
    (folder / "journal.db").write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(StateUnusable, match=cause):
            open_journal(folder, read_only=read_only)
    assert (folder / "journal.db").read_bytes() == content
    StateLock(folder, lambda: START).release()


def test_a_damaged_journal_is_named_as_such(journal: Journal, folder: Path) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(f"{n:05d}" * 20) for n in range(500)])
    journal.close()
    path = folder / "journal.db"
    raw = bytearray(path.read_bytes())
    raw[4096 * 30 :] = os.urandom(len(raw) - 4096 * 30)
    path.write_bytes(raw)
    with open_journal(folder) as damaged, pytest.raises(StateUnusable, match="damaged") as caught:
        list(damaged.restored("r1"))
    assert "writable folder" not in str(caught.value), "the folder is well"


def test_the_database_of_another_program_is_left_alone(folder: Path) -> None:
    folder.mkdir(parents=True)
    other = sqlite3.connect(folder / "journal.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    for read_only in (False, True):
        with pytest.raises(StateUnusable, match="another program"):
            open_journal(folder, read_only=read_only)


def test_a_full_disk_is_named_as_such(journal: Journal) -> None:
    journal.begin(make_run())
    journal._store._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StateUnusable, match="disk is full"):
        journal.record("r1", [make_outcome(f"{n:05d}" * 20) for n in range(2000)])
    assert journal.totals("r1") == {}


def test_a_database_that_another_program_holds_is_named_as_such(
    journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.begin(make_run())
    journal._store._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(folder / "journal.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateUnusable, match="locked by another program"):
            journal.begin(make_run("r2"))
    finally:
        other.close()
    journal.begin(make_run("r2"))


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    words = "cannot be used: state: a file stands where a folder is needed; move it away; it must be a writable folder"
    with pytest.raises(StateUnusable, match=words):
        open_journal(tmp_path / "state")
    with pytest.raises(StateUnusable):
        open_journal(tmp_path / "state" / "deeper")


def test_a_journal_that_is_a_folder_is_refused(folder: Path) -> None:
    (folder / "journal.db").mkdir(parents=True)
    for read_only in (True, False):
        with pytest.raises(StateUnusable):
            open_journal(folder, read_only=read_only)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("SQLITE_FULL", "make room"),
        ("SQLITE_READONLY_DBMOVED", "cannot be written"),
        ("SQLITE_IOERR_FSYNC", "the disk failed"),
        ("SQLITE_CANTOPEN_ISDIR", "check the rights"),
        ("SQLITE_BUSY_SNAPSHOT", "locked"),
        ("SQLITE_MISMATCH", "the journal failed"),
        (None, "the journal failed"),
    ],
)
def test_every_failure_of_sqlite_has_a_plain_cause(name: str | None, plain: str) -> None:
    error = sqlite3.OperationalError("as sqlite says")
    if name:
        error.sqlite_errorname = name
    assert plain in cause_of(error)
    assert "as sqlite says" in cause_of(error)


def test_a_journal_of_a_newer_version_is_refused_and_not_touched(journal: Journal, folder: Path) -> None:
    journal._store._connection.execute(f"PRAGMA user_version = {KNOWN + 1}")
    journal.close()
    content = (folder / "journal.db").read_bytes()
    for read_only in (True, False):
        with pytest.raises(SchemaUnknown, match=f"schema {KNOWN + 1}, this version knows {KNOWN}"):
            open_journal(folder, read_only=read_only)
    assert (folder / "journal.db").read_bytes() == content


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("state"))
    yield connection
    connection.close()


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_an_older_journal_is_brought_up_step_by_step(database: sqlite3.Connection) -> None:
    steps = {KNOWN + 1: "ALTER TABLE runs ADD COLUMN one;", KNOWN + 2: "UPDATE runs SET one = 2;"}
    migrate(database, Path("state"), known=KNOWN + 2, steps=steps)
    assert version(database) == KNOWN + 2
    database.execute("SELECT one FROM runs")


def test_a_step_that_fails_leaves_the_version_before_it(database: sqlite3.Connection) -> None:
    bad = "ALTER TABLE runs ADD COLUMN two; SELECT * FROM nowhere;"
    steps = {KNOWN + 1: "ALTER TABLE runs ADD COLUMN one;", KNOWN + 2: bad}
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(database, Path("state"), known=KNOWN + 2, steps=steps)
    assert version(database) == KNOWN + 1
    assert not database.in_transaction
    with pytest.raises(sqlite3.OperationalError, match="two"):
        database.execute("SELECT two FROM runs")


def test_a_journal_that_must_be_brought_up_is_not_read_as_it_is(database: sqlite3.Connection) -> None:
    check(database, Path("state"))
    database.execute(f"PRAGMA user_version = {KNOWN - 1}")
    with pytest.raises(SchemaOutdated, match=f"schema {KNOWN - 1}, this version needs {KNOWN}.*orchestrator sweep"):
        check(database, Path("state"))


def test_an_empty_file_is_a_journal_without_runs_for_those_who_only_look(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "journal.db").touch()
    with pytest.raises(StateUnusable, match="no run has been started"):
        open_journal(folder, read_only=True)
    open_journal(folder).close()
    open_journal(folder, read_only=True).close()


def test_every_query_can_be_prepared_against_the_schema(database: sqlite3.Connection) -> None:
    for name, statement in QUERIES.items():
        parameters = dict.fromkeys(re.findall(r":(\w+)", statement))
        assert database.execute(f"EXPLAIN {statement}", parameters).fetchall(), name


@pytest.mark.parametrize(
    ("query", "step"),
    [
        ("drop", "SEARCH drops USING INDEX sqlite_autoindex_drops_1 (id=?)"),
        ("unfinished_drops", "SCAN drops USING INDEX drops_unfinished"),
        ("recent_drops", "SCAN drops USING INDEX drops_by_time"),
        ("drills", "SCAN drills USING INDEX drills_by_time"),
        ("drills_of_job", "SEARCH drills USING INDEX drills_of_job (job=?)"),
    ],
)
def test_old_drops_and_drills_are_neither_read_through_nor_sorted(
    database: sqlite3.Connection, query: str, step: str
) -> None:
    parameters = dict.fromkeys(re.findall(r":(\w+)", QUERIES[query]))
    assert [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {QUERIES[query]}", parameters)] == [step]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;\n-- name: late\n-- Why.\nSELECT 1;",
        "-- name: bare\nSELECT 1;",
        "-- name: open\n-- Why.\nSELECT 1",
        "-- name: twice\n-- Why.\nSELECT 1;\n-- name: twice\n-- Why.\nSELECT 1;",
    ],
)
def test_a_query_without_name_comment_or_end_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"text before|there twice, or lacks"):
        parse(text)


def test_times_are_text_that_a_person_can_read(journal: Journal) -> None:
    journal.begin(make_run(started=later(0.5)))
    journal.write_lease(make_lease())
    connection = journal._store._connection
    assert connection.execute("SELECT started FROM runs").fetchone() == ("2026-11-20T06:00:00.500000+00:00",)
    assert connection.execute("SELECT opened FROM leases").fetchone() == ("2026-11-20T06:00:00.000000+00:00",)
    point = json.loads(connection.execute("SELECT point FROM leases").fetchone()[0])
    assert point["created"] == "2026-11-20T04:59:59.750000+00:00"


def test_a_run_is_remembered_by_name_after_another_has_been_added(journal: Journal) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome()])
    journal.begin(make_run("r2"))
    journal.record("r2", [make_outcome()])
    journal.begin(make_run())
    journal.record("r1", [make_outcome("b")])
    assert journal.totals("r1")["g1"].restored == 2
    with pytest.raises(RunUnknown):
        journal.record("r3", [])
