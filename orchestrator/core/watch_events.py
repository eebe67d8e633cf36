"""What a watcher or a worker tells beside its runs: dropped jobs, schedules, the queue, drills, operators.

Use it from `core.events`, where it stands with the rest.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WatcherReady:
    """The watcher takes jobs from `folder` from now on."""

    at: datetime
    folder: str


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """The worker `name` of a fleet takes machines of `site` from now on, or of every site, up to `mounts` at once."""

    at: datetime
    name: str
    site: str
    mounts: int


@dataclass(frozen=True, slots=True)
class JobTaken:
    """A job file was claimed from the drop folder. `drop` is the id of the claim, `digest` the SHA-256 of the file in
    hex, `owner` whose file it was."""

    at: datetime
    drop: str
    file: str
    job: str
    digest: str
    owner: str


@dataclass(frozen=True, slots=True)
class JobRejected:
    """A file in the drop folder is no job that can be run; the answer beside it says why."""

    at: datetime
    file: str
    digest: str
    owner: str
    message: str


@dataclass(frozen=True, slots=True)
class JobHeld:
    """A job waits: for its window, for `not_before`, for the end of a pause. `until` is None when nobody knows."""

    at: datetime
    drop: str
    job: str
    until: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class JobNotStarted:
    """No run came of a job: it could not be planned, or EM could not be asked."""

    at: datetime
    drop: str
    job: str
    exit_code: int
    message: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A dropped job is through. `folder` is `done` or `failed`, `line` the reason in one line."""

    at: datetime
    drop: str
    job: str
    run: str
    exit_code: int
    folder: str
    line: str


@dataclass(frozen=True, slots=True)
class ScheduleMissed:
    """A due time of a schedule at which nothing was run."""

    at: datetime
    job: str
    due: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class QueuePaused:
    """Everything is paused: nothing new begins. Or goes on again."""

    at: datetime
    paused: bool


@dataclass(frozen=True, slots=True)
class DeadlineInDanger:
    """As things go, a run ends after its deadline. `forecast` is when."""

    at: datetime
    run: str
    job: str
    deadline: datetime
    forecast: datetime


@dataclass(frozen=True, slots=True)
class DrillEnded:
    """A restore drill is through: what was restored was verified and removed again. `seconds` is the time to restore,
    without verifying; `differences` are files that were not as they had been read."""

    at: datetime
    run: str
    job: str
    groups: int
    files: int
    bytes: int
    seconds: float
    differences: int
    exit_code: int


@dataclass(frozen=True, slots=True)
class OperatorActed:
    """Somebody used the status page or its local socket: `what` is `pause`, `resume`, `drain`, `cancel` or `sweep`,
    `who` the peer as the system knows it. `run` is empty when it is for everything."""

    at: datetime
    who: str
    what: str
    run: str = ""


WatchEvent = (
    WatcherReady
    | JobTaken
    | JobRejected
    | JobHeld
    | JobNotStarted
    | JobEnded
    | ScheduleMissed
    | QueuePaused
    | DeadlineInDanger
    | DrillEnded
    | OperatorActed
    | WorkerReady
)
"""What a watcher or a worker tells beside its runs."""
