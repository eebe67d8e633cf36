"""Whose turn it is among the jobs that wait, why one is held, and when to look again. Values in, values out."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.core.job import Job
from orchestrator.core.windows import Windows

_LAST = datetime.max.replace(tzinfo=UTC)


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


def next_up(
    entries: Collection[QueueEntry], running: Collection[QueueEntry], at_once: int, paused: bool, now: datetime
) -> QueueEntry | None:
    """The entry that begins now: of those that nothing holds the one with the highest priority, then the earliest
    deadline, then the earliest arrival. None when all places are taken, the queue is paused or all are held.

    Two runs of one job are never going on at once: they would write the same files.
    """
    if paused or len(running) >= at_once:
        return None
    names = {entry.job for entry in running}
    ready = (entry for entry in entries if entry.job not in names and not held_until(entry, now)[1])
    return min(ready, key=_turn, default=None)


def held_until(entry: QueueEntry, now: datetime) -> tuple[datetime | None, str]:
    """(until when, why) an entry may not begin although it were its turn; (None, "") when nothing holds it."""
    earliest = max(now, entry.not_before or now)
    opens = entry.windows.next_open(earliest)
    if opens > earliest:
        return opens, "its windows are closed"
    if earliest > now:
        return earliest, "its time has not come"
    return None, ""


def next_change(entries: Collection[QueueEntry], now: datetime) -> datetime | None:
    """When the clock alone may change something about these entries, waiting or running: one is no longer held, or its
    window closes. None when it never does."""
    times = (held_until(entry, now)[0] or entry.windows.next_close(now) for entry in entries)
    return min((time for time in times if time is not None), default=None)


def _turn(entry: QueueEntry) -> tuple[int, datetime, datetime, str]:
    return -entry.priority, entry.deadline or _LAST, entry.arrived, entry.drop
