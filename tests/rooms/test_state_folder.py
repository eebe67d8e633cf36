"""What the state folder keeps and for how long: pruning, and copies of it that are taken while it is in use."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.commands import cli
from orchestrator.core.drops import DropRow, DropState
from orchestrator.core.errors import RunUnknown
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.originals import OriginalState
from orchestrator.core.replaced import AsideState
from orchestrator.journal import Journal, open_journal
from tests.support.ledger_rows import (
    make_aside,
    make_drill,
    make_drop,
    make_group,
    make_lease,
    make_original,
    make_outcome,
    make_run,
)

NOW = datetime.now(UTC)
CONFIG = """
[enterprise_manager]
url = "https://em.example.com:9398"
username = "restore"
password_env = "EM_PASSWORD"
[[backup_servers]]
name = "*"
shares = ["/mnt/vbr01"]
[targets]
allow = ["/restore"]
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    with open_journal(state) as opened:
        yield opened


@pytest.fixture
def orchestrator(tmp_path: Path) -> Callable[..., Result]:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    return lambda *words: CliRunner().invoke(cli, ["--config", str(config), *words])


def finished(journal: Journal, state: Path, name: str, days: float, **fields: object) -> RunRow:
    """A run that ended so many days ago, with a row in every table and a folder."""
    ended = NOW - timedelta(days=days)
    run = make_run(name, job="nightly", started=ended - timedelta(hours=1))
    run = replace(run, state=RunState.FINISHED, ended=ended, exit_code=0, **fields)
    journal.begin(run)
    journal.write_group(make_group(name))
    journal.write_lease(make_lease(f"lease-{name}", name, state=LeaseState.CONFIRMED))
    journal.record(name, [make_outcome()])
    journal.write_original(make_original(run=name, state=OriginalState.UNKNOWN))
    journal.write_asides(name, [make_aside(state=AsideState.RETURNED)])
    journal.note_made(name, ["/restore/fs01"])
    journal.begin_undo(name, ended)
    (state / "runs" / name).mkdir(parents=True)
    (state / "runs" / name / "report.json").write_text("{}")
    return run


def ended_drop(name: str, days: float, run: str = "") -> DropRow:
    return make_drop(name, state=DropState.ENDED, ended=NOW - timedelta(days=days), run=run)


def rows(state: Path) -> dict[str, int]:
    """How many rows each table has."""
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}  # noqa: S608


def test_old_runs_leave_the_journal_and_the_disk(
    journal: Journal, state: Path, orchestrator: Callable[..., Result]
) -> None:
    for name, days in (("new", 1), ("young", 29), ("old", 31), ("older", 400)):
        finished(journal, state, name, days)
    journal.write_drill(make_drill("older"))
    journal.close()
    done = orchestrator("prune", "--older-than", "30")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "removed: 2 runs and 0 dropped jobs; 2 runs kept"
    assert sorted(path.name for path in (state / "runs").iterdir()) == ["new", "young"]
    left = {
        "runs": 2,
        "groups": 2,
        "leases": 2,
        "outcomes": 2,
        "originals": 2,
        "asides": 2,
        "made": 2,
        "undos": 2,
        "drills": 1,
        "drops": 0,
        "schedules": 0,
        "kept": 0,
        "folders": 0,
        "answers": 0,
    }
    assert rows(state) == {**left, "sessions": 0}
    with open_journal(state) as again:
        assert [run.id for run in again.runs()] == ["new", "young"]
        assert [len(list(again.restored(run))) for run in ("new", "young", "old")] == [1, 1, 0]


def test_the_audit_trail_keeps_which_runs_were_removed(
    journal: Journal, state: Path, orchestrator: Callable[..., Result]
) -> None:
    for name, days in (("new", 1), ("old", 31), ("older", 400)):
        finished(journal, state, name, days)
    journal.close()
    assert orchestrator("prune", "--older-than", "30", "--dry-run").exit_code == 0
    assert not (state / "audit").exists()
    assert orchestrator("prune", "--older-than", "30").exit_code == 0
    entries = json.loads(orchestrator("--json", "audit", "show").stdout)
    pruned = [one["facts"] for one in entries if one["what"] == "run_pruned"]
    assert pruned == [{"run": "old", "job": "nightly"}, {"run": "older", "job": "nightly"}]
    assert orchestrator("audit", "verify").exit_code == 0


def test_what_may_still_be_needed_stays(journal: Journal, state: Path, orchestrator: Callable[..., Result]) -> None:
    finished(journal, state, "last", 100)
    finished(journal, state, "held", 200)
    journal.write_lease(make_lease("lease-held", "held", state=LeaseState.LEFT))
    finished(journal, state, "bound", 300)
    journal.write_drop(make_drop(state=DropState.RUNNING, run="bound"))
    journal.begin(make_run("died", started=NOW - timedelta(days=400)))
    stopped = make_run("stopped", started=NOW - timedelta(days=500))
    journal.begin(stopped)
    journal.end(replace(stopped, state=RunState.STOPPED, ended=stopped.started, exit_code=6))
    finished(journal, state, "gone", 600)
    before = journal.runs()
    journal.close()
    done = orchestrator("--json", "prune", "--older-than", "1")
    assert done.exit_code == 0, done.output
    assert [run["run"] for run in json.loads(done.stdout)["removed"]] == ["gone"]
    with open_journal(state) as again:
        assert again.runs() == [run for run in before if run.id != "gone"]
    assert not (state / "runs" / "gone").exists()
    assert (state / "runs" / "held" / "report.json").exists()


def test_claims_of_dropped_jobs_go_with_their_runs_and_when_they_are_old(
    journal: Journal, state: Path, orchestrator: Callable[..., Result]
) -> None:
    for name, days in (("new", 1), ("old", 100)):
        finished(journal, state, name, days)
    for drop in (
        ended_drop("of a run that goes", 100, "old"),
        ended_drop("of a run that stays", 100, "new"),
        ended_drop("of a run that went", 100, "long ago"),
        ended_drop("rejected long ago", 100),
        ended_drop("rejected lately", 1),
        make_drop("still waiting", taken=NOW - timedelta(days=100), state=DropState.WAITING),
    ):
        journal.write_drop(drop)
    journal.close()
    told = [orchestrator("prune", "--older-than", "30", *more).stdout.splitlines()[-1] for more in (["--dry-run"], [])]
    assert told == [
        "to be removed: 1 run and 3 dropped jobs; 1 run kept",
        "removed: 1 run and 3 dropped jobs; 1 run kept",
    ]
    with open_journal(state) as again:
        names = {drop.id for drop in again.recent_drops(10)}
    assert names == {"of a run that stays", "rejected lately", "still waiting"}


def test_a_dry_run_tells_the_same_and_removes_nothing_also_while_a_run_is_going_on(
    journal: Journal, state: Path, orchestrator: Callable[..., Result]
) -> None:
    for name, days in (("new", 1), ("old", 100)):
        finished(journal, state, name, days)
    before = rows(state)
    dry = orchestrator("--json", "prune", "--older-than", "30", "--dry-run")
    assert (dry.exit_code, rows(state)) == (0, before)
    assert (state / "runs" / "old" / "report.json").exists()
    locked = orchestrator("prune", "--older-than", "30")
    assert locked.exit_code == 5
    assert "in use by another orchestrator" in locked.output
    assert rows(state) == before
    journal.close()
    done = orchestrator("--json", "prune", "--older-than", "30")
    assert json.loads(done.stdout) == {**json.loads(dry.stdout), "dry_run": False}


def test_a_run_whose_folder_stays_is_kept_and_told_and_the_others_go(
    journal: Journal, state: Path, orchestrator: Callable[..., Result], tmp_path: Path
) -> None:
    for name, days in (("new", 1), ("old", 100), ("older", 200), ("oldest", 300)):
        finished(journal, state, name, days)
    precious = tmp_path / "precious"
    (state / "runs" / "older").rename(precious)
    (state / "runs" / "older").symlink_to(precious)
    journal.close()
    done = orchestrator("--json", "prune", "--older-than", "30")
    assert done.exit_code == 5
    told = json.loads(done.stdout)
    assert [run["run"] for run in told["removed"]] == ["old", "oldest"]
    [left] = told["left"]
    assert left["run"] == "older"
    assert f"{state / 'runs' / 'older'} cannot be removed" in left["cause"]
    assert (precious / "report.json").exists()
    (state / "runs" / "older").unlink()
    assert orchestrator("prune", "--older-than", "30").exit_code == 0
    with open_journal(state) as again:
        assert [run.id for run in again.runs()] == ["new"]


@pytest.mark.parametrize("name", ["..", "../../precious", "{tmp_path}/precious"])
def test_a_run_that_is_named_like_a_way_out_removes_nothing(
    journal: Journal, state: Path, orchestrator: Callable[..., Result], tmp_path: Path, name: str
) -> None:
    (tmp_path / "precious").mkdir()
    name = name.format(tmp_path=tmp_path)
    finished(journal, state, "new", 1)
    journal.begin(
        replace(make_run("x", job="nightly"), id=name, state=RunState.FINISHED, ended=NOW - timedelta(days=9))
    )
    journal.close()
    done = orchestrator("prune", "--older-than", "1")
    assert done.exit_code == 5
    assert "is no name of a run" in done.output
    assert (state / "runs" / "new").exists()
    assert (tmp_path / "precious").exists()


def test_the_room_of_what_was_pruned_goes_back_to_the_disk(
    journal: Journal, state: Path, orchestrator: Callable[..., Result]
) -> None:
    finished(journal, state, "new", 1)
    finished(journal, state, "old", 100)
    journal.record("old", [make_outcome(f"C:\\{number:06d}" * 20) for number in range(5000)])
    journal.close()
    before = (state / "journal.db").stat().st_size
    assert orchestrator("prune", "--older-than", "30").exit_code == 0
    assert (state / "journal.db").stat().st_size < before / 10


def test_a_run_that_is_forgotten_is_unknown_and_its_key_is_not_taken_for_another(journal: Journal) -> None:
    journal.begin(make_run("old"))
    journal.record("old", [make_outcome()])
    journal.forget_run("old")
    journal.forget_run("old")
    journal.begin(make_run("new"))
    with pytest.raises(RunUnknown):
        journal.record("old", [make_outcome()])
    with pytest.raises(RunUnknown):
        journal.run("old")
    assert journal.totals("new") == {}


def test_without_a_journal_there_is_nothing_to_prune(orchestrator: Callable[..., Result]) -> None:
    assert "no run has been started" in orchestrator("prune", "--older-than", "30", "--dry-run").output
    assert orchestrator("prune", "--older-than", "0").exit_code == 2


# Copies


WRITING = """
import itertools, sys
from pathlib import Path
from orchestrator.core.lifecycle import LeaseState
from orchestrator.journal import open_journal
from tests.support.ledger_rows import *

with open_journal(Path(sys.argv[1])) as journal:
    for number in itertools.count():
        run = f"r{number:06}"
        journal.begin(make_run(run))
        journal.write_session(make_session(run))
        journal.write_lease(make_lease(f"l{run}", run, session=run, state=LeaseState.HELD))
        journal.record(run, [make_outcome(f"{n}") for n in range(200)])
        print(number, flush=True)
"""


def documented() -> str:
    """The statement with which docs/reference.md says to copy a journal that is in use."""
    page = Path(__file__).parents[2] / "docs" / "reference.md"
    [statement] = re.findall(r"^sqlite3 \S+/journal\.db \"(VACUUM INTO .*)\"$", page.read_text("utf-8"), re.MULTILINE)
    return statement


def test_a_journal_that_is_being_written_is_copied_whole(state: Path, tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITING, state], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    copied = []
    try:
        for number in range(5):
            at_least = int(writer.stdout.readline())
            copy = tmp_path / f"copy-{number}"
            copy.mkdir()
            statement = re.sub(r"'[^']*'", f"'{copy / 'journal.db'}'", documented())
            with closing(sqlite3.connect(state / "journal.db", isolation_level=None)) as source:
                source.execute(statement)
            with open_journal(copy, read_only=True) as reader:
                runs = {run.id for run in reader.runs()}
                held = reader.open_leases()
                assert {lease.run for lease in held} <= runs
                assert {lease.session for lease in held} <= {session.id for session in reader.sessions()}
                copied.append(len(runs))
                assert copied[-1] > at_least
            with open_journal(copy) as restored:
                restored.begin(make_run("after"))
                assert len(restored.runs()) == copied[-1] + 1
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert copied == sorted(copied)


# Drills


def test_drills_are_shown_also_while_a_run_is_going_on(journal: Journal, orchestrator: Callable[..., Result]) -> None:
    assert orchestrator("drills").stdout == "No drills yet.\n"
    for number, job in enumerate(("monthly", "small", "monthly")):
        journal.write_drill(make_drill(f"{job}-{number}", job=job, ended=NOW + timedelta(days=number)))
    text = orchestrator("drills")
    assert (text.exit_code, len(text.stdout.splitlines())) == (0, 1 + 3 + 1 + 2)
    told = json.loads(orchestrator("--json", "drills", "--job", "monthly").stdout)
    assert [drill["run"] for drill in told["drills"]] == ["monthly-2", "monthly-0"]
    assert [trend["job"] for trend in told["trends"]] == ["monthly"]


def test_a_kind_of_checksum_that_is_not_known_is_named_and_no_file_counts_as_changed(
    journal: Journal, state: Path, orchestrator: Callable[..., Result]
) -> None:
    finished(journal, state, "strange", 1, checksum="crc99")
    done = orchestrator("verify", "strange")
    assert done.exit_code == 5
    assert "run strange has checksums of the kind crc99, which this version does not know" in done.output
