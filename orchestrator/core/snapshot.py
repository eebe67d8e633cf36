"""What is going on, as frozen values: what the status page shows and its JSON says. `core.board` makes them.

Instants are UTC, sizes bytes, durations seconds.
"""

from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.events import Event, LimitChanged, ScheduleMissed, SitePace
from orchestrator.core.ledger import Totals


@dataclass(frozen=True, slots=True)
class GroupNow:
    """One mount group of a run that is going on. `share` is how much of it is through, 0 to 1, and None until all of
    it is listed. `opened` is since when EM holds its mount, None while it holds none."""

    group: str
    vm: str
    backup_server: str
    state: str
    files_done: int
    files_found: int
    bytes_done: int
    bytes_found: int
    share: float | None
    problems: int
    started: datetime | None = None
    opened: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One file that was refused or failed."""

    at: datetime
    vm: str
    guest_path: str
    message: str


@dataclass(frozen=True, slots=True)
class ProblemsNow:
    """How many files of a run have one reason (`core.reasons`), with the last few of them, newest first."""

    reason: str
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class RunNow:
    """One run that is going on.

    `groups` are those at work, `ended_groups` the last few that failed or ended, newest first; the others are only
    counted. `progress` is 0 to 1, by restore points. `eta_seconds` is None while it cannot be said. `moved` is when
    anything last went on. `stopping` is empty, `drain` or `cancel`. While `paused` nothing is copied. `forecast` is
    when the run ends as things go, `late` whether that is after its deadline. Of the groups that wait nobody in the
    fleet can take `groups_stuck`, as `stuck_because` says in plain words.
    """

    run: str
    job: str
    started: datetime
    resumed: bool
    groups_planned: int
    groups_ended: int
    groups_failed: int
    groups_waiting: int
    groups: tuple[GroupNow, ...]
    ended_groups: tuple[GroupNow, ...]
    totals: Totals
    files_done: int
    files_found: int
    bytes_done: int
    bytes_found: int
    progress: float
    files_per_second: float
    bytes_per_second: float
    eta_seconds: float | None
    moved: datetime
    stopping: str
    paused: bool
    deadline: datetime | None
    forecast: datetime | None
    late: bool
    mounts_open: int
    mounts_opened: int
    mounts_deleted: int
    mounts_left: int
    problems: tuple[ProblemsNow, ...]
    groups_stuck: int
    stuck_because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenMount:
    """A mount that EM holds for us. `href` is its path at EM."""

    run: str
    group: str
    vm: str
    backup_server: str
    href: str
    opened: datetime


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A mount that could not be deleted; `orchestrator sweep` tries again."""

    at: datetime
    run: str
    vm: str
    backup_server: str
    href: str
    cause: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue. `cause` says what holds it, empty when it only waits for its turn; `until` is None when
    nobody knows."""

    drop: str
    job: str
    since: datetime
    file: str = ""
    owner: str = ""
    until: datetime | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What the clock will start: a schedule's next due time, for one. `cause` says which, in words."""

    job: str
    due: datetime
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes next, as the watcher knows it: the first jobs of the queue in the order of their turns, and how many
    there are; what the clock will start, in the order of its times; whether anything begins at all."""

    queue: tuple[Waiting, ...] = ()
    queue_length: int = 0
    upcoming: tuple[Upcoming, ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """One line of the history: a run, or a job that never became one (`run` is then empty).

    `ended` and `exit_code` are None for a run whose process died. `totals` is None for runs of an earlier process.
    """

    job: str
    run: str
    started: datetime
    ended: datetime | None
    exit_code: int | None
    totals: Totals | None = None
    problems: tuple[tuple[str, int], ...] = ()
    mounts_left: int = 0
    line: str = ""
    drop: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one instant. `changes` counts what has happened since the process began, `since`.

    `limits` are those of the bandwidth that are in force, and what was changed by hand, each as it was last told;
    `sites` are those of the fleet, likewise. `runs` and `mounts` are oldest first, `history`, `missed` and `recent`
    newest first.
    """

    at: datetime
    since: datetime
    changes: int
    runs: tuple[RunNow, ...] = ()
    mounts: tuple[OpenMount, ...] = ()
    mounts_left: tuple[LeftBehind, ...] = ()
    stopping: str = ""
    outlook: Outlook = field(default_factory=Outlook)
    history: tuple[Ended, ...] = ()
    missed: tuple[ScheduleMissed, ...] = ()
    session_renewals: int = 0
    recent: tuple[Event, ...] = ()
    limits: tuple[LimitChanged, ...] = ()
    sites: tuple[SitePace, ...] = ()
