"""What the journal keeps, as values: runs, groups, leases, sessions."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.lifecycle import LeaseState


class RunState(Enum):
    """Where a run is. `RUNNING` in the journal of a process that is gone means: died, can be resumed."""

    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


class GroupState(Enum):
    """Where a mount group is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `plan` is the plan's JSON; `ended` and `exit_code` are None until it ends. `checksum` names the
    algorithm of its checksums; empty when the run is older than this note of it."""

    id: str
    job: str
    state: RunState
    started: datetime
    plan: str
    ended: datetime | None = None
    exit_code: int | None = None
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One mount group of a run. `seconds`: how long it took, for the order of later runs."""

    run: str
    group: str
    vm: str
    state: GroupState
    message: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """Our hold on one mount, from before the POST until after the DELETE.

    `before` are the mounts of the point that were there before our POST: what is new since is ours. `session` is
    the id of the `SessionRow` that made it. `share` and `folder` say where its files were seen, `host` on which mount
    host that is.
    """

    id: str
    run: str
    group: str
    session: str
    point: RestorePoint
    state: LeaseState
    opened: datetime
    before: tuple[str, ...] = ()
    task_href: str = ""
    mount_href: str = ""
    share: str = ""
    folder: str = ""
    ended: datetime | None = None
    note: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A logon session at EM. `sealed` is its token under authenticated encryption, never the token itself."""

    id: str
    generation: int
    em_url: str
    started: datetime
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """How many files had which outcome; `bytes` counts restored files only. As a change it may be below zero."""

    restored: int = 0
    skipped: int = 0
    refused: int = 0
    failed: int = 0
    bytes: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.restored + other.restored,
            self.skipped + other.skipped,
            self.refused + other.refused,
            self.failed + other.failed,
            self.bytes + other.bytes,
        )

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(
            self.restored - other.restored,
            self.skipped - other.skipped,
            self.refused - other.refused,
            self.failed - other.failed,
            self.bytes - other.bytes,
        )

    @property
    def files(self) -> int:
        return self.restored + self.skipped + self.refused + self.failed
