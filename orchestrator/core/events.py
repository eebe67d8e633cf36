"""The only outward language: log line, progress bar, web page and metrics are folds of these.

Every event carries `at` (UTC). Nothing in an event is secret.
"""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.entries import Verdict
from orchestrator.core.fleet_events import GroupsStuck, SitePace
from orchestrator.core.group_events import GroupPutOff, OtherPointTaken
from orchestrator.core.ledger import Totals
from orchestrator.core.original_events import OriginalAsked, OriginalEnded
from orchestrator.core.watch_events import (
    DeadlineInDanger,
    DrillEnded,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    OperatorActed,
    QueuePaused,
    ScheduleMissed,
    WatcherReady,
    WatchEvent,
    WorkerReady,
)

__all__ = [
    "BytesCopied",
    "DeadlineInDanger",
    "DrillEnded",
    "Event",
    "FileProblem",
    "FilesDone",
    "FilesLocated",
    "FilesScanned",
    "GroupEnded",
    "GroupPutOff",
    "GroupStarted",
    "GroupsStuck",
    "JobEnded",
    "JobHeld",
    "JobNotStarted",
    "JobRejected",
    "JobTaken",
    "LimitChanged",
    "MountDeleted",
    "MountGone",
    "MountLeft",
    "MountOpened",
    "Notice",
    "OperatorActed",
    "OriginalAsked",
    "OriginalEnded",
    "OtherPointTaken",
    "QueuePaused",
    "ReportWritten",
    "RequestAnswered",
    "RunEnded",
    "RunPaused",
    "RunPruned",
    "RunReported",
    "RunStarted",
    "ScheduleMissed",
    "SessionRenewed",
    "SitePace",
    "Stopping",
    "SweepEnded",
    "WatchEvent",
    "WatcherReady",
    "WorkerReady",
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins (or goes on, when `resumed`). `done` of its `groups` an earlier process has brought to their end.
    `owner` is whose file a dropped job was."""

    at: datetime
    run: str
    job: str
    groups: int
    resumed: bool = False
    done: int = 0
    owner: str = ""


@dataclass(frozen=True, slots=True)
class GroupStarted:
    """A mount group got its seat and is being mounted."""

    at: datetime
    run: str
    group: str
    vm: str
    backup_server: str
    restore_point: str
    created: datetime


@dataclass(frozen=True, slots=True)
class MountOpened:
    """EM holds a mount for us. `href` is its path at EM."""

    at: datetime
    run: str
    group: str
    vm: str
    backup_server: str
    href: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FilesLocated:
    """The mount's files were found on a share; `volumes` pairs each root with its folder, `host` is the mount host."""

    at: datetime
    run: str
    group: str
    vm: str
    folder: str
    volumes: tuple[tuple[str, str], ...]
    host: str = ""


@dataclass(frozen=True, slots=True)
class FilesScanned:
    """More of a group has been listed: `files` and `bytes` are added to what is to be done."""

    at: datetime
    run: str
    group: str
    files: int
    bytes: int
    complete: bool = False


@dataclass(frozen=True, slots=True)
class FilesDone:
    """A batch of outcomes was written to the journal. `totals` is what it adds, so that the sum over a run, in one
    process, is what the report says; a verdict that gives way to another is below zero. `passed` are its bytes of any
    verdict, `seconds` is how long copying its restored files took, all of them together. `solved` are the problems told
    of earlier that are none any more: (verdict, reason, files)."""

    at: datetime
    run: str
    group: str
    totals: Totals
    passed: int
    seconds: float = 0.0
    solved: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BytesCopied:
    """Progress inside a large file."""

    at: datetime
    run: str
    group: str
    bytes: int


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One file was refused or failed."""

    at: datetime
    run: str
    group: str
    guest_path: str
    verdict: Verdict
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class MountDeleted:
    """EM deleted the mount."""

    at: datetime
    run: str
    group: str
    vm: str
    backup_server: str
    href: str
    open_seconds: float


@dataclass(frozen=True, slots=True)
class MountLeft:
    """A mount could not be deleted; `orchestrator sweep` tries again."""

    at: datetime
    run: str
    group: str
    vm: str
    backup_server: str
    href: str
    cause: str


@dataclass(frozen=True, slots=True)
class MountGone:
    """A mount was lost with its session; the group will be mounted again or ends failed."""

    at: datetime
    run: str
    group: str
    vm: str
    href: str
    cause: str


@dataclass(frozen=True, slots=True)
class GroupEnded:
    """A mount group is through; `message` says why when it did not end well. `restore_point` is what was restored,
    `destinations` are the folders it went to."""

    at: datetime
    run: str
    group: str
    vm: str
    state: str
    totals: Totals
    seconds: float
    message: str = ""
    restore_point: str = ""
    destinations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionRenewed:
    """EM had ended the logon session; this is a new one."""

    at: datetime
    generation: int
    cause: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """Someone asked the run to stop: `drain` finishes files in flight, `cancel` does not."""

    at: datetime
    how: str
    run: str = ""


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """From now on a limit is `value`; it was `before`, or nothing has been told of it yet. `what` is `bandwidth`,
    `mounts` or `copies`: of one run, of one backup server, or else of all. `cause` is what made it so (`config`,
    `timetable`, `job`, `by hand`), `who` the peer as the system knows it, when somebody did."""

    at: datetime
    what: str
    value: str
    before: str
    cause: str
    run: str = ""
    backup_server: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class RunPaused:
    """One run is paused: it copies nothing more. Or goes on. `who` asked for it, as the system knows the peer."""

    at: datetime
    run: str
    paused: bool
    who: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know that changes no outcome."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is through."""

    at: datetime
    run: str
    exit_code: int
    totals: Totals
    mounts_opened: int
    mounts_deleted: int
    mounts_left: int


@dataclass(frozen=True, slots=True)
class RunReported:
    """The totals of a run's report beside those that `RunEnded` tells. `groups` by state, `problems` by reason; a run
    that goes on is reported again, as a whole."""

    at: datetime
    run: str
    job: str
    groups: tuple[tuple[str, int], ...]
    problems: tuple[tuple[str, int], ...]
    mounts_opened: int
    mounts_deleted: int
    mounts_left: int
    sessions: int
    remounts: int


@dataclass(frozen=True, slots=True)
class ReportWritten:
    """A file that a run leaves was written. `kind` is its key in the report's `files`, `digest` its SHA-256 in hex."""

    at: datetime
    run: str
    kind: str
    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class SweepEnded:
    """What dead runs had left at EM was looked after. Each mount is named by its path at EM, as far as it is known."""

    at: datetime
    cleared: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunPruned:
    """An old run was removed from the state folder, with its report and all that the journal knew of it."""

    at: datetime
    run: str
    job: str


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """One answer of EM. `route` is a template such as `/vmRestorePoints/{id}/mounts`; `status` 0: no answer came."""

    at: datetime
    method: str
    route: str
    status: int
    seconds: float


Event = (
    RunStarted
    | GroupStarted
    | GroupPutOff
    | OtherPointTaken
    | OriginalAsked
    | OriginalEnded
    | MountOpened
    | FilesLocated
    | FilesScanned
    | FilesDone
    | BytesCopied
    | FileProblem
    | MountDeleted
    | MountLeft
    | MountGone
    | GroupEnded
    | SessionRenewed
    | Stopping
    | LimitChanged
    | RunPaused
    | SitePace
    | GroupsStuck
    | Notice
    | RunEnded
    | RunReported
    | ReportWritten
    | SweepEnded
    | RunPruned
    | RequestAnswered
    | WatchEvent
)
