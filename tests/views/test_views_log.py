"""Log lines and the plain progress line."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    BytesCopied,
    DeadlineInDanger,
    DrillEnded,
    Event,
    FileProblem,
    FilesDone,
    FilesLocated,
    FilesScanned,
    GroupEnded,
    GroupPutOff,
    GroupsStuck,
    GroupStarted,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    LimitChanged,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    OperatorActed,
    OriginalAsked,
    OriginalEnded,
    OtherPointTaken,
    QueuePaused,
    ReportWritten,
    RequestAnswered,
    RunEnded,
    RunPaused,
    RunPruned,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
    Stopping,
    SweepEnded,
    WatcherReady,
    WorkerReady,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.originals import OriginalState, Standing
from orchestrator.core.tally import Tally
from orchestrator.views import log_line, progress_line
from tests.views.samples import START

TURNED = OtherPointTaken(START, "r", "g", "fs01", "vbr01", "u2", START, "replica", "u1", "EM made no mount")
RESTORED = OriginalEnded(START, "r", "g", "fs01", "C:\\a", Standing.KEEP, OriginalState.RESTORED, "", 2.0)
END = GroupEnded(START, "r", "g", "fs01", "done", Totals(2, 0, 0, 1, 4096), 61.0)


@pytest.mark.parametrize(
    ("event", "level", "message"),
    [
        (RunStarted(START, "r", "j", 2), "info", "run started"),
        (RunStarted(START, "r", "j", 2, resumed=True), "info", "run resumed"),
        (GroupStarted(START, "r", "g", "fs01", "vbr01", "uid", START), "info", "group started"),
        (GroupPutOff(START, "r", "g", "fs01", "EM made no mount"), "warning", "group put off"),
        (TURNED, "warning", "other restore point taken"),
        (MountOpened(START, "r", "g", "fs01", "vbr01", "/m/1", 9.5), "info", "mount opened"),
        (FilesLocated(START, "r", "g", "fs01", "fs01", (("C:", "Volume1"),)), "info", "files located"),
        (FilesScanned(START, "r", "g", 3, 9), "debug", "files listed"),
        (FilesDone(START, "r", "g", Totals(1), 9), "debug", "files done"),
        (BytesCopied(START, "r", "g", 9), "debug", "bytes copied"),
        (FileProblem(START, "r", "g", "C:\\a", Verdict.FAILED, "locked", "no"), "warning", "file not restored"),
        (MountDeleted(START, "r", "g", "fs01", "vbr01", "/m/1", 9.5), "info", "mount deleted"),
        (MountLeft(START, "r", "g", "fs01", "vbr01", "/m/1", "no"), "error", "mount left behind"),
        (MountGone(START, "r", "g", "fs01", "/m/1", "401"), "warning", "mount lost"),
        (END, "info", "group ended"),
        (replace(END, state="failed"), "warning", "group ended"),
        (SessionRenewed(START, 2, "401"), "warning", "session renewed"),
        (Stopping(START, "drain"), "warning", "stopping"),
        (LimitChanged(START, "copies", "4", "16", "by hand", who="uid 7"), "warning", "limit changed"),
        (LimitChanged(START, "bandwidth", "9 MB/s", "none", "timetable"), "info", "limit changed"),
        (RunPaused(START, "r", True, "uid 7"), "warning", "run paused"),
        (RunPaused(START, "r", False, "uid 7"), "warning", "run goes on"),
        (SitePace(START, "berlin", 3, 8, 340.0, 1e6), "debug", "site pace"),
        (GroupsStuck(START, "r", 2, ("nobody is there",)), "warning", "groups stuck"),
        (GroupsStuck(START, "r", 0), "info", "no group stuck any more"),
        (Notice(START, "a\x1bb"), "info", "a\\x1bb"),
        (RunEnded(START, "r", 0, Totals(), 1, 1, 0), "info", "run ended"),
        (RunEnded(START, "r", 7, Totals(), 1, 0, 1), "warning", "run ended"),
        (ReportWritten(START, "r", "report", "/state/runs/r/report.json", "00"), "info", "report written"),
        (SweepEnded(START, ("/m/1",), ()), "info", "sweep ended"),
        (SweepEnded(START, (), ("/m/1",)), "warning", "sweep ended"),
        (RunPruned(START, "r", "j"), "info", "run pruned"),
        (RequestAnswered(START, "POST", "/vmRestorePoints/{id}/mounts", 202, 0.1), "debug", "request answered"),
        (WatcherReady(START, "/jobs"), "info", "watcher ready"),
        (WorkerReady(START, "b1", "berlin", 8), "info", "worker ready"),
        (JobTaken(START, "d", "j.toml", "j", "00", "ann"), "info", "job taken"),
        (JobRejected(START, "j.toml", "00", "ann", "vm: missing"), "warning", "job rejected"),
        (JobHeld(START, "d", "j", None, "paused"), "info", "job held"),
        (JobNotStarted(START, "d", "j", 4, "no answer"), "error", "job not started"),
        (JobEnded(START, "d", "j", "r", 0, "done", "all restored"), "info", "job ended"),
        (JobEnded(START, "d", "j", "r", 3, "failed", "1 file refused"), "warning", "job ended"),
        (ScheduleMissed(START, "j", START, "was down"), "warning", "schedule missed"),
        (QueuePaused(START, True), "warning", "queue paused"),
        (QueuePaused(START, False), "warning", "queue goes on"),
        (DeadlineInDanger(START, "r", "j", START, START), "warning", "deadline in danger"),
        (DrillEnded(START, "r", "j", 1, 2, 3, 4.0, 0, 0), "info", "drill ended"),
        (DrillEnded(START, "r", "j", 1, 2, 3, 4.0, 1, 3), "warning", "drill ended"),
        (OriginalAsked(START, "r", "g", "fs01", "C:\\a", Standing.KEEP), "info", "in-place restore asked for"),
        (RESTORED, "info", "in-place restore ended"),
        (replace(RESTORED, result=OriginalState.UNKNOWN), "warning", "in-place restore ended"),
        (OperatorActed(START, "uid 1000 on the local socket", "drain", "r"), "warning", "operator acted"),
    ],
)
def test_every_event_has_a_level_and_a_fixed_message(event: Event, level: str, message: str) -> None:
    assert log_line(event)[:2] == (level, message)


def test_fields_are_plain_values_without_control_characters_and_time() -> None:
    event = FileProblem(START, "r", "g", "C:\\\x1b", Verdict.FAILED, "locked", "")
    assert log_line(event)[2] == {
        "run": "r",
        "group": "g",
        "guest_path": "C:\\\\x1b",
        "verdict": "failed",
        "reason": "locked",
    }
    assert log_line(END)[2]["bytes"] == 4096
    started = GroupStarted(START, "r", "g", "fs01", "vbr01", "uid", START)
    assert log_line(started)[2]["created"] == "2026-11-20T22:00:00Z"


def test_the_progress_line_says_what_is_done_and_admits_what_is_unknown() -> None:
    tally = Tally()
    assert progress_line(tally, START).endswith("time to go unknown, 0 mounts open")
    tally.add(RunStarted(START, "r", "j", 1))
    tally.add(GroupStarted(START, "r", "g", "fs01", "vbr01", "uid", START))
    tally.add(MountOpened(START, "r", "g", "fs01", "vbr01", "/m/1", 9.5))
    tally.add(FilesScanned(START, "r", "g", 30, 30 * 1024, complete=True))
    tally.add(FilesDone(START, "r", "g", Totals(9, 0, 0, 1, 9 * 1024), 10 * 1024))
    tally.add(FilesDone(START + timedelta(seconds=10), "r", "g", Totals(10, 0, 0, 0, 10 * 1024), 10 * 1024))
    line = progress_line(tally, START + timedelta(seconds=10))
    assert line == (
        "0/1 restore points, 20/30 files, 20.0 KiB/30.0 KiB, 1.00 KiB/s, 10 s to go, 1 mount open, 1 problem"
    )
    tally.add(MountLeft(START, "r", "g", "fs01", "vbr01", "/m/1", "no"))
    assert progress_line(tally, START).endswith("1 mount left behind")
