"""What goes into the audit trail: an event in, an entry or nothing out.

An entry answers who did what to which machine, when, and with which result. Progress, single files and plain notices
stay out: the manifest, whose digest is in the trail, lists every file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from orchestrator.core import events
from orchestrator.core.events import Event
from orchestrator.core.ledger import Totals

TEXT_LIMIT = 1_000
"""Characters of one fact; a message may quote a stranger at any length."""

LIST_LIMIT = 100
"""Items of one fact."""


class What(Enum):
    """The words of the trail. Those that stand for an event have its name."""

    FILE_BEGUN = "file_begun"
    TORN = "torn"
    GAP = "gap"
    COMMAND_STARTED = "command_started"
    JOB_TAKEN = "job_taken"
    JOB_REJECTED = "job_rejected"
    JOB_NOT_STARTED = "job_not_started"
    JOB_ENDED = "job_ended"
    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    GROUP_ENDED = "group_ended"
    REPORT_WRITTEN = "report_written"
    MOUNT_OPENED = "mount_opened"
    MOUNT_DELETED = "mount_deleted"
    MOUNT_LEFT = "mount_left"
    MOUNT_GONE = "mount_gone"
    SESSION_RENEWED = "session_renewed"
    STOPPING = "stopping"
    LIMIT_CHANGED = "limit_changed"
    RUN_PAUSED = "run_paused"
    SWEEP_ENDED = "sweep_ended"
    RUN_PRUNED = "run_pruned"
    SCHEDULE_MISSED = "schedule_missed"
    QUEUE_PAUSED = "queue_paused"
    DRILL_ENDED = "drill_ended"
    OPERATOR_ACTED = "operator_acted"
    ORIGINAL_ASKED = "original_asked"
    ORIGINAL_ENDED = "original_ended"


Fact = str | int | bool | None | list[str]
"""What a fact may be. No fractions: programs write them differently, and a hash forgives nothing."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the trail, before it is chained. `who` is whose will it was; empty: that of whoever started
    the process."""

    at: datetime
    what: What
    facts: Mapping[str, Fact] = field(default_factory=dict)
    who: str = ""


AUDITED: Mapping[type, tuple[What, tuple[str, ...]]] = {
    events.JobTaken: (What.JOB_TAKEN, ("drop", "file", "job", "digest")),
    events.JobRejected: (What.JOB_REJECTED, ("file", "digest", "message")),
    events.JobNotStarted: (What.JOB_NOT_STARTED, ("drop", "job", "exit_code", "message")),
    events.JobEnded: (What.JOB_ENDED, ("drop", "job", "run", "exit_code", "folder", "line")),
    events.RunStarted: (What.RUN_STARTED, ("run", "job", "groups", "resumed")),
    events.RunEnded: (
        What.RUN_ENDED,
        ("run", "exit_code", "totals", "mounts_opened", "mounts_deleted", "mounts_left"),
    ),
    events.GroupEnded: (
        What.GROUP_ENDED,
        ("run", "group", "vm", "restore_point", "destinations", "state", "totals", "message"),
    ),
    events.ReportWritten: (What.REPORT_WRITTEN, ("run", "kind", "path", "digest")),
    events.MountOpened: (What.MOUNT_OPENED, ("run", "group", "vm", "backup_server", "href")),
    events.MountDeleted: (What.MOUNT_DELETED, ("run", "group", "vm", "backup_server", "href", "open_seconds")),
    events.MountLeft: (What.MOUNT_LEFT, ("run", "group", "vm", "backup_server", "href", "cause")),
    events.MountGone: (What.MOUNT_GONE, ("run", "group", "vm", "href", "cause")),
    events.SessionRenewed: (What.SESSION_RENEWED, ("generation", "cause")),
    events.Stopping: (What.STOPPING, ("how", "run")),
    events.LimitChanged: (What.LIMIT_CHANGED, ("what", "value", "before", "cause", "run", "backup_server")),
    events.RunPaused: (What.RUN_PAUSED, ("run", "paused")),
    events.SweepEnded: (What.SWEEP_ENDED, ("cleared", "left")),
    events.RunPruned: (What.RUN_PRUNED, ("run", "job")),
    events.ScheduleMissed: (What.SCHEDULE_MISSED, ("job", "due", "cause")),
    events.QueuePaused: (What.QUEUE_PAUSED, ("paused",)),
    events.DrillEnded: (
        What.DRILL_ENDED,
        ("run", "job", "groups", "files", "bytes", "seconds", "differences", "exit_code"),
    ),
    events.OperatorActed: (What.OPERATOR_ACTED, ("what", "run")),
    events.OriginalAsked: (What.ORIGINAL_ASKED, ("run", "group", "vm", "guest_path", "standing")),
    events.OriginalEnded: (
        What.ORIGINAL_ENDED,
        ("run", "group", "vm", "guest_path", "standing", "result", "message"),
    ),
}
"""Which events are audited, as what, and which of their facts."""

UNAUDITED: frozenset[type] = frozenset(
    {
        events.GroupStarted,
        events.GroupPutOff,
        events.GroupsStuck,
        events.SitePace,
        events.OtherPointTaken,
        events.FilesLocated,
        events.FilesScanned,
        events.FilesDone,
        events.BytesCopied,
        events.FileProblem,
        events.RunReported,
        events.Notice,
        events.RequestAnswered,
        events.WatcherReady,
        events.WorkerReady,
        events.JobHeld,
        events.DeadlineInDanger,
    }
)
"""Which are not: progress, what the manifest and the report tell file by file, and what changes nothing."""

_WHO: Mapping[type, str] = {
    events.JobTaken: "owner",
    events.JobRejected: "owner",
    events.RunStarted: "owner",
    events.OperatorActed: "who",
    events.LimitChanged: "who",
    events.RunPaused: "who",
}


def audit_entry(event: Event) -> AuditEntry | None:
    """The entry that stands for `event`, or None when it is not audited."""
    audited = AUDITED.get(type(event))
    if audited is None:
        return None
    what, names = audited
    facts: dict[str, Fact] = {}
    for name in names:
        value = getattr(event, name)
        if isinstance(value, Totals):
            facts |= {one: getattr(value, one) for one in ("restored", "skipped", "refused", "failed", "bytes")}
        else:
            facts[name] = _fact(value)
    who = getattr(event, _WHO[type(event)]) if type(event) in _WHO else ""
    return AuditEntry(event.at, what, facts, plain(who))


def plain(text: str) -> str:
    """`text` as every JSON reader takes it: what is not Unicode is written out (`\\udce9`), and long text is cut."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}..."


def utc(at: datetime) -> str:
    """`2026-11-20T22:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fact(value: Any) -> Fact:
    match value:
        case bool() | int() | None:
            return value
        case float():
            return round(value)
        case datetime():
            return utc(value)
        case Enum():
            return plain(str(value.value))
        case str():
            return plain(value)
        case Sequence():
            shown = [plain(str(one)) for one in value[:LIST_LIMIT]]
            return shown if len(value) <= LIST_LIMIT else [*shown, f"and {len(value) - LIST_LIMIT} more"]
        case _:
            return plain(str(value))
