"""The rows that the frozen journals hold, and the way to freeze one before the schema changes:

`python -m tests.support.frozen_journal > tests/rooms/journals/vN.sql`, N being the version that is about to end.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from orchestrator.core.drops import DropState
from orchestrator.core.entries import Verdict
from orchestrator.core.ledger import GroupState, RunState
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.originals import OriginalState, Standing
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import UndoRow
from orchestrator.journal import Journal, open_journal
from orchestrator.journal.migrate import KNOWN
from tests.support.ledger_rows import (
    later,
    make_answer,
    make_aside,
    make_drill,
    make_drop,
    make_group,
    make_lease,
    make_original,
    make_outcome,
    make_run,
    make_schedule,
    make_session,
)

# What is there stays as it is, because the frozen journals hold it; what a new version adds is added.

DONE = make_run("done", job="nightly", state=RunState.FINISHED, ended=later(60), exit_code=3, checksum="sha256")
DIED = make_run("died", started=later(100), plan='{"groups": [], "note": "naïve"}', checksum="sha256")
STOPPED = make_run(
    "stopped",
    job="caf\udce9",
    started=later(50),
    state=RunState.STOPPED,
    ended=later(55),
    exit_code=6,
    checksum="sha256",
)

GROUPS = [
    make_group("done", "g1", state=GroupState.DONE, seconds=12.5),
    make_group("done", "g2", vm="db\udc8001", state=GroupState.FAILED, message="share gone"),
    make_group("died", "g1", state=GroupState.DONE, seconds=3.0),
    make_group("died", "g2", vm="db01"),
]

SESSION = make_session("s2", started=later(101))
CONFIRMED = make_lease(
    "l-done",
    "done",
    state=LeaseState.CONFIRMED,
    task_href="/tasks/1",
    mount_href="/mounts/1",
    share="/mnt/vbr01",
    folder="fs01_3c75de11",
    ended=later(50),
)
HELD = make_lease(
    "l-held",
    "died",
    session="s2",
    group="g2",
    state=LeaseState.HELD,
    opened=later(102),
    before=("/mounts/1",),
    task_href="/tasks/2",
    mount_href="/mounts/2",
    share="/mnt/vbr01",
    folder="db01_\udc803c75de11",
)
ASKED = replace(
    make_lease("l-asked", "died"),
    session="s2",
    group="g2",
    state=LeaseState.REQUESTED,
    opened=later(103),
    task_href="/tasks/3",
)

RESTORED = {"done": make_outcome(checksum="ab12" * 16), "died": make_outcome(checksum="cd34" * 16)}
FULL = make_outcome(
    "C:\\b\udcff.txt", Verdict.FAILED, target_path="/restore/fs01/C/b\udcff.txt", reason=Reason.NO_SPACE, message="full"
)
LINK = make_outcome(
    "D:\\naïve", Verdict.REFUSED, group="g2", target_path="", reason=Reason.LINK_SKIPPED, message="a link"
)
UNCHANGED = make_outcome("C:\\c", Verdict.SKIPPED, reason=Reason.UNCHANGED, target_path="/restore/fs01/C/c")
LOCKED = make_outcome(
    "C:\\d", Verdict.FAILED, group="g2", reason=Reason.LOCKED, message="held", target_path="/restore/db01/C/d"
)

FOLDERS = {"mode:kept owner:sidecar": 3}

DROP = make_drop(file="b\udcff.toml", state=DropState.RUNNING, digest="ab" * 32, job="incident-4711", run="died")
SCHEDULE = make_schedule("caf\udce9")
DRILL = make_drill("done", job="nightly")
ASIDE = make_aside("C/b\udcff.txt")
MADE = "/restore/fs01/C/b\udcff"
UNDO = UndoRow("done", later(70), later(71), 1, 2, 3)
ANSWER = make_answer("nightly caf\udce9")
ORIGINAL = make_original(
    "C:\\b\udcff",
    "died",
    standing=Standing.OVERWRITE,
    state=OriginalState.ASKED,
    session="s2",
    asked=later(104),
    before=("/tasks/1",),
    task_href="/tasks/4",
    size=7,
)


def fill(journal: Journal) -> None:
    """A run that finished with problems, one that died with mounts held, one that was stopped, and all that a watcher
    keeps."""
    for run in (DONE, DIED, STOPPED):
        journal.begin(run)
    for group in GROUPS:
        journal.write_group(group)
    journal.write_session(SESSION)
    for lease in (CONFIRMED, HELD, ASKED):
        journal.write_lease(lease)
    journal.record("done", [RESTORED["done"], FULL, LINK])
    journal.record_folders("done", "g1", 0, FOLDERS)
    journal.record("died", [RESTORED["died"], UNCHANGED, LOCKED])
    journal.write_drop(DROP)
    journal.write_schedule(SCHEDULE)
    journal.write_drill(DRILL)
    journal.write_paused(True)
    journal.write_asides("done", [ASIDE])
    journal.note_made("done", [MADE])
    journal.begin_undo("done", UNDO.started)
    journal.end_undo(UNDO)
    journal.write_answer(ANSWER)
    journal.write_original(ORIGINAL)


def frozen() -> str:
    """The journal that `fill` makes, as SQL."""
    with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder)) as journal:
        fill(journal)
        lines = [*journal._store._connection.iterdump()]
    head = f"-- A journal as version {KNOWN} wrote it. Frozen: never edit it, it is what operators have on their disks."
    return "\n".join([head, *lines, f"PRAGMA user_version = {KNOWN};"])


if __name__ == "__main__":
    print(frozen())  # noqa: T201 - it is a command
