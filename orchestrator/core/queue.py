"""Whose turn it is among the jobs that wait, why one is held, and when to look again. Values in, values out."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.core.job import Job
from orchestrator.core.windows import Windows

LAST = datetime.max.replace(tzinfo=UTC)
"""Later than anything that happens."""

Turn = tuple[int, datetime, datetime, str]


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One job in the queue. `run` is there when a run of it has begun and is to go on."""

    drop: str
    job: str
    arrived: datetime
    priority: int = 0
    not_before: datetime | None = None
    deadline: datetime | None = None
    windows: Windows = field(default_factory=Windows.of)
    run: str = ""

    @staticmethod
    def of(job: Job, drop: str, arrived: datetime, run: str = "", not_before: datetime | None = None) -> "QueueEntry":
        """The place of a job. `not_before` is a reason of ours, such as the next try; the later one counts."""
        times = [time for time in (job.not_before, not_before) if time is not None]
        return QueueEntry(
            drop, job.name, arrived, job.priority, max(times, default=None), job.deadline, job.opening_hours, run
        )

    @property
    def turn(self) -> Turn:
        """Whose turn is first: the highest priority, then the earliest deadline, then the earliest arrival."""
        return -self.priority, self.deadline or LAST, self.arrived, self.drop


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an entry may not begin although it were its turn, and until when; `cause` is empty when nothing holds it.
    The answer is good until `again`, when the clock alone may change it."""

    until: datetime | None
    cause: str
    again: datetime

    @staticmethod
    def of(entry: QueueEntry, now: datetime) -> "Hold":
        """The answer at `now`."""
        earliest = max(now, entry.not_before or now)
        opens = entry.windows.next_open(earliest)
        if opens > earliest:
            return Hold(opens, "its windows are closed", opens)
        if earliest > now:
            return Hold(earliest, "its time has not come", earliest)
        return Hold(None, "", entry.windows.next_close(now) or LAST)


def next_up(in_turn: Iterable[QueueEntry], running: Collection[QueueEntry], at_once: int) -> QueueEntry | None:
    """The entry that begins now, of those that nothing holds in the order of their turns. None when all places are
    taken.

    Two runs of one job are never going on at once: they would write the same files.
    """
    if len(running) >= at_once:
        return None
    names = {entry.job for entry in running}
    return next((entry for entry in in_turn if entry.job not in names), None)
