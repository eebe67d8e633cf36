"""Dropped jobs as the journal keeps them, and what is to become of one that has come to an end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from orchestrator.core.errors import ExitCode
from orchestrator.core.ledger import Totals
from orchestrator.core.report import Report

DONE, FAILED = "done", "failed"
"""The folders of the drop folder in which jobs end."""


class DropState(Enum):
    """Where a claimed job is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class DropRow:
    """One claim. `file` is the name under which it was dropped, `digest` the SHA-256 of its content in hex, `due` the
    time of the schedule that made it. A `run` is there once one has begun."""

    id: str
    file: str
    taken: datetime
    state: DropState = DropState.WAITING
    digest: str = ""
    owner: str = ""
    job: str = ""
    run: str = ""
    attempts: int = 0
    next_try: datetime | None = None
    due: datetime | None = None
    ended: datetime | None = None
    exit_code: int | None = None
    line: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """What is known of one schedule: up to when its due times have been dealt with."""

    job: str
    seen: datetime


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One restore drill. `seconds` is the time to restore, without verifying; `slowest` that of the slowest machine."""

    run: str
    job: str
    ended: datetime
    groups: int
    files: int
    bytes: int
    seconds: float
    slowest: float
    slowest_vm: str
    verify_seconds: float
    differences: int
    removed: int
    exit_code: int


def retry_delay(attempts: int, first: float) -> timedelta:
    """How long to wait after `attempts` tries that failed for a passing reason: twice as long each time, at most
    16 times `first` seconds."""
    return timedelta(seconds=first * min(2 ** max(0, attempts - 1), 16))


def ending_line(report: Report) -> str:
    """How a run ended, in one line."""
    totals = report.totals
    parts = [_verdict(report.exit_code, totals), f"{totals.restored:,} restored"]
    for name, count in (("skipped", totals.skipped), ("refused", totals.refused), ("failed", totals.failed)):
        if count:
            parts.append(f"{count:,} {name}")
    parts.append(report.closing_line)
    return f"exit {report.exit_code}: {', '.join(parts)}"


def _verdict(exit_code: int | None, totals: Totals) -> str:
    match exit_code:
        case ExitCode.OK:
            return "everything is restored"
        case ExitCode.PARTIAL:
            return f"{totals.refused + totals.failed:,} files are not restored, see the residual job"
        case ExitCode.EM:
            return "Enterprise Manager could not do its part"
        case ExitCode.STOPPED:
            return "stopped before its end"
        case ExitCode.MOUNTS_LEFT:
            return "mounts may be left, `orchestrator sweep` clears them"
        case _:
            return "did not end well"
