"""Events as log lines, and progress as one plain line."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.context import Context
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
    RunReported,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
    Stopping,
    SweepEnded,
    WatcherReady,
    WatchEvent,
    WorkerReady,
)
from orchestrator.core.ledger import GroupState, Totals
from orchestrator.core.levels import Level
from orchestrator.core.originals import OriginalState
from orchestrator.core.tally import Tally
from orchestrator.views.units import count, duration, rate, size, visible

SITES_SHOWN = 6


def log_line(event: Event) -> tuple[Level, str, dict[str, Any]]:
    """Level, a fixed message that can be searched for, and the event's fields as plain values.

    The time is left out: every log has its own form of it. A path at EM is called what it is the path of: `mount`.
    """
    level, message = _headline(event)
    table: dict[str, Any] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name == "at" or value == "":
            continue
        if isinstance(value, Totals):
            table |= {name.name: getattr(value, name.name) for name in fields(value)}
        else:
            table["mount" if field.name == "href" else field.name] = _plain(value)
    return level, message, table


class LogLines:
    """A fold: events in, log lines out that carry the ids of their run, machine and mount."""

    def __init__(self) -> None:
        self._context = Context()

    def line(self, event: Event) -> tuple[Level, str, dict[str, Any]]:
        """As `log_line`, with `run`, `group`, `vm`, `backup_server` and `mount` first, as far as they apply."""
        ids = {name: visible(value) for name, value in self._context.of(event).items()}
        level, message, table = log_line(event)
        return level, message, ids | table


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.value if hasattr(value, "value") else value


def _headline(event: Event) -> tuple[Level, str]:
    match event:
        case RunStarted(resumed=resumed):
            return "info", "run resumed" if resumed else "run started"
        case RunEnded(exit_code=code):
            return "info" if code == 0 else "warning", "run ended"
        case RunReported():
            return "debug", "run reported"
        case GroupStarted() | MountOpened() | FilesLocated() | MountDeleted() | GroupEnded():
            return _group_headline(event)
        case GroupPutOff():
            return "warning", "group put off"
        case OtherPointTaken():
            return "warning", "other restore point taken"
        case OriginalAsked():
            return "info", "in-place restore asked for"
        case OriginalEnded(result=result):
            return "info" if result is OriginalState.RESTORED else "warning", "in-place restore ended"
        case FilesScanned():
            return "debug", "files listed"
        case FilesDone():
            return "debug", "files done"
        case BytesCopied():
            return "debug", "bytes copied"
        case FileProblem():
            return "warning", "file not restored"
        case MountLeft():
            return "error", "mount left behind"
        case MountGone():
            return "warning", "mount lost"
        case SessionRenewed():
            return "warning", "session renewed"
        case Stopping():
            return "warning", "stopping"
        case LimitChanged():
            return "warning" if event.who else "info", "limit changed"
        case RunPaused(paused=paused):
            return "warning", "run paused" if paused else "run goes on"
        case SitePace():
            return "debug", "site pace"
        case GroupsStuck(groups=groups):
            return ("warning", "groups stuck") if groups else ("info", "no group stuck any more")
        case Notice(message=message):
            return "info", visible(message)
        case ReportWritten():
            return "info", "report written"
        case SweepEnded(left=left):
            return "warning" if left else "info", "sweep ended"
        case RunPruned():
            return "info", "run pruned"
        case RequestAnswered():
            return "debug", "request answered"
        case _:
            return _watch_headline(event)


def _watch_headline(event: WatchEvent) -> tuple[Level, str]:
    match event:
        case WatcherReady():
            return "info", "watcher ready"
        case WorkerReady():
            return "info", "worker ready"
        case JobTaken():
            return "info", "job taken"
        case JobRejected():
            return "warning", "job rejected"
        case JobHeld():
            return "info", "job held"
        case JobNotStarted():
            return "error", "job not started"
        case JobEnded(exit_code=code):
            return "info" if code == 0 else "warning", "job ended"
        case ScheduleMissed():
            return "warning", "schedule missed"
        case QueuePaused(paused=paused):
            return "warning", "queue paused" if paused else "queue goes on"
        case DeadlineInDanger():
            return "warning", "deadline in danger"
        case DrillEnded(exit_code=code):
            return "info" if code == 0 else "warning", "drill ended"
        case OperatorActed():
            return "warning", "operator acted"


def _group_headline(
    event: GroupStarted | MountOpened | FilesLocated | MountDeleted | GroupEnded,
) -> tuple[Level, str]:
    match event:
        case GroupStarted():
            return "info", "group started"
        case MountOpened():
            return "info", "mount opened"
        case FilesLocated():
            return "info", "files located"
        case MountDeleted():
            return "info", "mount deleted"
        case GroupEnded(state=state):
            return "info" if state == GroupState.DONE.value else "warning", "group ended"


def progress_line(tally: Tally, now: datetime) -> str:
    """Where the run is, on one line, for terminals that are not interactive."""
    _, bytes_rate = tally.rate(now)
    left = tally.eta(now)
    totals = tally.totals
    bad = totals.refused + totals.failed
    parts = [
        f"{tally.ended}/{tally.planned} restore points",
        f"{tally.files_done:,}/{tally.files_found:,} files",
        f"{size(tally.bytes_done)}/{size(tally.bytes_found)}",
        rate(bytes_rate),
        f"{duration(left)} to go" if left is not None else "time to go unknown",
        f"{count(tally.mounts_open, 'mount')} open",
    ]
    if tally.paused:
        parts.insert(0, "paused")
    if tally.bandwidth:
        parts.append(f"bandwidth limited to {tally.bandwidth}")
    if bad:
        parts.append(count(bad, "problem"))
    parts += site_lines(tally)
    if tally.stuck:
        parts.append(f"{count(tally.stuck, 'restore point')} that no worker can take")
    if tally.mounts_left:
        parts.append(f"{count(tally.mounts_left, 'mount')} left behind")
    return ", ".join(parts)


def site_lines(tally: Tally) -> list[str]:
    """How each site of the fleet does, one text for each; the first few of many."""
    sites = [tally.sites[name] for name in sorted(tally.sites)]
    more = [f"{count(len(sites) - SITES_SHOWN, 'more site')}"] if len(sites) > SITES_SHOWN else []
    return [site_line(one) for one in sites[:SITES_SHOWN]] + more


def site_line(one: SitePace) -> str:
    """How a site does."""
    speed = f"{rate(one.bytes_per_second)}, {one.files_per_second:,.0f} files/s"
    return f"{one.site or 'every site'}: {count(one.workers, 'worker')}, {speed}"
