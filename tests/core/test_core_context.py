"""Every event is put down to its run, machine and mount."""

from orchestrator.core.context import Context
from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    BytesCopied,
    FileProblem,
    GroupEnded,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountOpened,
    Notice,
    QueuePaused,
    ReportWritten,
    RunEnded,
    RunStarted,
    SessionRenewed,
)
from orchestrator.core.ledger import Totals
from tests.views.samples import START

OPENED = MountOpened(START, "r1", "g1", "fs01", "vbr01", "/m/1", 1.0)
COPIED = BytesCopied(START, "r1", "g1", 7)
MACHINE = {"run": "r1", "group": "g1", "vm": "fs01", "backup_server": "vbr01"}


def begun() -> Context:
    context = Context()
    context.of(RunStarted(START, "r1", "j", 2))
    context.of(GroupStarted(START, "r1", "g1", "fs01", "vbr01", "uid", START))
    return context


def test_what_happens_in_a_group_belongs_to_its_machine_and_mount() -> None:
    context = begun()
    assert context.of(COPIED) == MACHINE
    assert context.of(OPENED) == {**MACHINE, "mount": "/m/1"}
    problem = FileProblem(START, "r1", "g1", "C:\\a", Verdict.FAILED, "locked", "")
    assert context.of(problem) == {**MACHINE, "mount": "/m/1"}


def test_what_was_copied_from_a_mount_belongs_to_it_until_the_group_has_another() -> None:
    context = begun()
    context.of(OPENED)
    gone = MountGone(START, "r1", "g1", "fs01", "/m/1", "401")
    assert context.of(gone) == context.of(COPIED) == {**MACHINE, "mount": "/m/1"}
    context.of(MountOpened(START, "r1", "g1", "fs01", "vbr01", "/m/2", 1.0))
    assert context.of(COPIED) == {**MACHINE, "mount": "/m/2"}


def test_what_belongs_to_no_run_is_put_down_to_the_only_one() -> None:
    context = begun()
    renewed = SessionRenewed(START, 2, "401")
    assert context.of(renewed) == {"run": "r1"}
    context.of(RunStarted(START, "r2", "j", 1))
    assert context.of(renewed) == {}
    context.of(RunEnded(START, "r1", 0, Totals(), 0, 0, 0))
    assert context.of(Notice(START, "x")) == {"run": "r2"}
    context.of(RunEnded(START, "r2", 0, Totals(), 0, 0, 0))
    assert context.of(QueuePaused(START, True)) == {}


def test_a_group_and_a_run_that_have_ended_are_forgotten() -> None:
    context = begun()
    assert context.of(GroupEnded(START, "r1", "g1", "fs01", "done", Totals(), 1.0)) == MACHINE
    assert context.of(COPIED) == {"run": "r1", "group": "g1"}
    context = begun()
    context.of(RunEnded(START, "r1", 0, Totals(), 0, 0, 0))
    assert context.of(COPIED) == {"run": "r1", "group": "g1"}
    assert context.of(ReportWritten(START, "r1", "report", "/x", "00")) == {"run": "r1"}


def test_groups_of_two_runs_that_have_the_same_name_are_kept_apart() -> None:
    context = begun()
    context.of(RunStarted(START, "r2", "j", 1))
    context.of(GroupStarted(START, "r2", "g1", "sql01", "vbr02", "uid", START))
    assert context.of(BytesCopied(START, "r2", "g1", 1))["vm"] == "sql01"
    assert context.of(COPIED)["vm"] == "fs01"


def test_the_mounts_of_a_sweep_belong_to_the_run_that_had_left_them() -> None:
    deleted = MountDeleted(START, "old", "g7", "fs01", "vbr01", "/m/9", 1.0)
    assert Context().of(deleted) == {**MACHINE, "run": "old", "group": "g7", "mount": "/m/9"}
