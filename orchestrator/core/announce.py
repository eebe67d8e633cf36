"""Which events are worth waking somebody for, and how a storm of them becomes few messages. Decisions only."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from orchestrator.core.errors import ExitCode
from orchestrator.core.events import (
    DeadlineInDanger,
    DrillEnded,
    Event,
    JobEnded,
    JobNotStarted,
    JobRejected,
    MountLeft,
    RunEnded,
    RunStarted,
    ScheduleMissed,
)
from orchestrator.core.ledger import Totals

QUIET = timedelta(hours=1)
"""A job that cannot be started is told of once in this time, however often it is tried."""
WINDOW = timedelta(minutes=1)
"""What comes in storms is summed up over this time."""
EXAMPLES = 10
"""A sum names this many of its members."""
REMEMBERED = 1000
"""Jobs of which it is known when they were told of, and runs that have ended; the eldest are forgotten."""


class Kind(Enum):
    """What a notification is about; the names stand in the config."""

    STARTED = "started"
    FINISHED = "finished"
    PARTIAL = "partial"
    FAILED = "failed"
    STOPPED = "stopped"
    MOUNTS_LEFT = "mounts-left"
    COULD_NOT_START = "could-not-start"
    MISSED = "missed"
    DEADLINE_IN_DANGER = "deadline-in-danger"
    DRILL = "drill"


GATHERED = frozenset({Kind.COULD_NOT_START, Kind.MISSED})
"""Kinds that can come by the thousand: nothing but a file in a folder is needed for one."""

_BY_EXIT_CODE: dict[int, Kind] = {
    ExitCode.OK: Kind.FINISHED,
    ExitCode.PARTIAL: Kind.PARTIAL,
    ExitCode.STOPPED: Kind.STOPPED,
    ExitCode.MOUNTS_LEFT: Kind.MOUNTS_LEFT,
}


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing to tell. What a kind does not have is None or empty; `seconds` is how long a run or a drill took.

    `count` is how many of the kind this stands for; when it is more than one, `examples` has a line for the first of
    them and `job` is empty unless it is the same for all. `test` marks a sample that nothing has happened for.
    """

    kind: Kind
    at: datetime
    job: str = ""
    run: str = ""
    message: str = ""
    exit_code: int | None = None
    totals: Totals | None = None
    seconds: float | None = None
    groups: int | None = None
    resumed: bool = False
    mounts_opened: int | None = None
    mounts_deleted: int | None = None
    mounts_left: int | None = None
    due: datetime | None = None
    deadline: datetime | None = None
    forecast: datetime | None = None
    files: int | None = None
    bytes: int | None = None
    differences: int | None = None
    count: int = 1
    examples: tuple[str, ...] = ()
    test: bool = False


@dataclass(slots=True)
class _OpenRun:
    job: str
    started: datetime
    left_told: bool = False


class Announcer:
    """A running fold over events; `add` gives what an event makes worth telling, or None."""

    def __init__(self) -> None:
        self._runs: dict[str, _OpenRun] = {}
        self._ended: dict[str, datetime] = {}
        self._not_started: dict[str, datetime] = {}

    def add(self, event: Event) -> Announcement | None:
        """Fold one event in."""
        match event:
            case RunStarted(at, run, job, groups, resumed):
                self._runs[run] = _OpenRun(job, at)
                return Announcement(Kind.STARTED, at, job, run, groups=groups, resumed=resumed)
            case RunEnded():
                return self._run_ended(event)
            case JobEnded():
                return self._broke_off(event)
            case MountLeft():
                return self._left(event)
            case JobNotStarted():
                return self._could_not_start(event)
            case JobRejected(at=at, file=file, message=message):
                return Announcement(Kind.COULD_NOT_START, at, message=f"{file}: {message}", exit_code=ExitCode.WORDS)
            case ScheduleMissed(at, job, due, cause):
                return Announcement(Kind.MISSED, at, job, message=cause, due=due)
            case DeadlineInDanger(at, run, job, deadline, forecast):
                return Announcement(Kind.DEADLINE_IN_DANGER, at, job, run, deadline=deadline, forecast=forecast)
            case DrillEnded():
                return _drill(event)
            case _:
                return None

    def _run_ended(self, event: RunEnded) -> Announcement:
        known = self._runs.pop(event.run, None)
        _remember(self._ended, event.run, event.at)
        return Announcement(
            kind_of(event.exit_code),
            event.at,
            known.job if known else "",
            event.run,
            exit_code=event.exit_code,
            totals=event.totals,
            seconds=(event.at - known.started).total_seconds() if known else None,
            mounts_opened=event.mounts_opened,
            mounts_deleted=event.mounts_deleted,
            mounts_left=event.mounts_left,
        )

    def _broke_off(self, event: JobEnded) -> Announcement | None:
        """A run that came to its own end has been told of; one that broke off never says so itself."""
        if not event.run or event.run in self._ended:
            return None
        known = self._runs.pop(event.run, None)
        return Announcement(
            kind_of(event.exit_code),
            event.at,
            event.job,
            event.run,
            message=event.line,
            exit_code=event.exit_code,
            seconds=(event.at - known.started).total_seconds() if known else None,
        )

    def _left(self, event: MountLeft) -> Announcement | None:
        """Once for each run: its end tells how many there are. A sweep tells of mounts of runs that are over."""
        known = self._runs.get(event.run)
        if known is not None:
            if known.left_told:
                return None
            known.left_told = True
        message = f"{event.vm} on {event.backup_server}: {event.cause}"
        return Announcement(Kind.MOUNTS_LEFT, event.at, known.job if known else "", event.run, message=message)

    def _could_not_start(self, event: JobNotStarted) -> Announcement | None:
        before = self._not_started.get(event.job)
        if before is not None and event.at - before < QUIET:
            return None
        _remember(self._not_started, event.job, event.at)
        return Announcement(Kind.COULD_NOT_START, event.at, event.job, message=event.message, exit_code=event.exit_code)


def _remember(known: dict[str, datetime], name: str, at: datetime) -> None:
    """Put `name` last in `known`, and forget the first when there are too many."""
    known.pop(name, None)
    known[name] = at
    if len(known) > REMEMBERED:
        del known[next(iter(known))]


def kind_of(exit_code: int) -> Kind:
    """What the end of a run with this exit code is."""
    return _BY_EXIT_CODE.get(exit_code, Kind.FAILED)


def _drill(event: DrillEnded) -> Announcement:
    return Announcement(
        Kind.DRILL,
        event.at,
        event.job,
        event.run,
        exit_code=event.exit_code,
        seconds=event.seconds,
        groups=event.groups,
        files=event.files,
        bytes=event.bytes,
        differences=event.differences,
    )


@dataclass(slots=True)
class _Storm:
    """One kind's window. `members` are the first of those that wait for its end, `count` is how many there are."""

    since: datetime
    count: int = 0
    members: list[Announcement] = field(default_factory=list)


class Gathering:
    """Few messages out of many: the first of a kind in GATHERED goes out at once, what follows within WINDOW is told
    together at its end. Every other kind passes."""

    def __init__(self) -> None:
        self._storms: dict[Kind, _Storm] = {}

    @property
    def wake(self) -> datetime | None:
        """When `due` has something to do; None while nothing waits."""
        return min((storm.since + WINDOW for storm in self._storms.values() if storm.count), default=None)

    def add(self, one: Announcement) -> list[Announcement]:
        """What is to be told now."""
        if one.kind not in GATHERED:
            return [one]
        told = self.due(one.at)
        storm = self._storms.get(one.kind)
        if storm is None or not _open(storm, one.at):
            self._storms[one.kind] = _Storm(one.at)
            return [*told, one]
        storm.count += 1
        if len(storm.members) < EXAMPLES:
            storm.members.append(one)
        return told

    def due(self, now: datetime) -> list[Announcement]:
        """The sums of the windows that are over. While a storm goes on, its next window begins."""
        told = []
        for kind, storm in self._storms.items():
            if storm.count and not _open(storm, now):
                told.append(_sum(storm.members, storm.count, now))
                self._storms[kind] = _Storm(now)
        return told

    def rest(self, now: datetime) -> list[Announcement]:
        """Everything that waits, without waiting for its window: nothing comes any more."""
        told = [_sum(storm.members, storm.count, now) for storm in self._storms.values() if storm.count]
        self._storms.clear()
        return told


def _open(storm: _Storm, now: datetime) -> bool:
    return now - storm.since < WINDOW


def _sum(members: Sequence[Announcement], count: int, at: datetime) -> Announcement:
    first = members[0]
    if count == 1:
        return first
    jobs = {one.job for one in members}
    examples = tuple(map(_example, members))
    job = first.job if len(jobs) == 1 and count <= len(members) else ""
    return replace(first, at=at, job=job, message="", count=count, examples=examples)


def _example(one: Announcement) -> str:
    due = f"due {one.due:%Y-%m-%d %H:%M} UTC" if one.due else ""
    return ": ".join(part for part in (one.job, due, one.message) if part)
