"""The queue of dropped jobs as the watcher holds it: who waits, who runs, what has changed. Decisions are core's."""

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import nsmallest

from anyio import Event, move_on_after

from orchestrator.core.drops import DropRow
from orchestrator.core.events import JobHeld
from orchestrator.core.job import Job
from orchestrator.core.queue import LAST, Hold, QueueEntry, Turn, next_up
from orchestrator.core.snapshot import Outlook, Upcoming
from orchestrator.core.snapshot import Waiting as Shown
from orchestrator.core.tally import Tally
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.stopping import Stop

LOOK_AT_LEAST_EVERY = 60.0
"""Seconds after which the queue is looked at although nothing is known to change: wall clocks are set."""

NAMED = 100
"""Jobs that are named to those who look."""

PAUSED = "the queue is paused"


@dataclass(slots=True)
class Waiting:
    """A job that has not begun, or is to go on."""

    row: DropRow
    entry: QueueEntry
    hold: Hold
    told: tuple[datetime | None, str] | None = None


@dataclass(slots=True)
class Running:
    """A job whose run is going on. `by` says who asked it to stop, when somebody did."""

    row: DropRow
    entry: QueueEntry
    stop: Stop
    tally: Tally = field(default_factory=Tally)
    warned: bool = False
    by: str = ""


class Queue:
    """Waiting and running jobs by the id of their drop.

    What holds a job is asked of the calendar when the job comes and when the clock may change the answer, not at every
    look: ten thousand jobs may wait.
    """

    def __init__(self, at_once: int, emit: Emit, clock: Clock) -> None:
        self._at_once = at_once
        self._emit = emit
        self._clock = clock
        self._changed = Event()
        self._free: list[Turn] = []
        self._untold: set[str] = set()
        self._told_paused = False
        self._looked = self._again = clock()
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, Running] = {}
        self.paused = False
        self.held_off: datetime | None = None
        """Until when nothing is begun because Enterprise Manager cannot be asked."""

    def add(self, row: DropRow, job: Job) -> None:
        """A job waits from now on."""
        self._put(row, QueueEntry.of(job, row.id, row.taken, row.run, row.next_try))

    def outlook(self, due: Sequence[tuple[str, datetime]]) -> Outlook:
        """What comes next, with the next due times of schedules. The first of each are named: those that wait for their
        turn, then those that something holds; the others are counted."""
        first = nsmallest(NAMED, self.waiting.values(), key=lambda one: (bool(one.hold.cause), one.entry.turn))
        upcoming = tuple(Upcoming(job, time, "its schedule") for job, time in due[:NAMED])
        return Outlook(tuple(map(self._shown, first)), len(self.waiting), upcoming, self.paused)

    def withdraw(self, drop: str) -> None:
        """A job waits no more."""
        one = self.waiting.pop(drop)
        if not one.hold.cause:
            self._free.remove(one.entry.turn)
        self._untold.discard(drop)
        self.stir()

    def next(self) -> Waiting | None:
        """The job that may begin now, if any."""
        now = self._clock()
        if self.paused or (self.held_off is not None and now < self.held_off):
            return None
        self._look(now)
        in_turn = (self.waiting[turn[-1]].entry for turn in self._free)
        entry = next_up(in_turn, [one.entry for one in self.running.values()], self._at_once)
        return None if entry is None else self.waiting[entry.drop]

    def begin(self, one: Waiting, stop: Stop) -> Running:
        """The job runs from now on."""
        self.withdraw(one.row.id)
        self.running[one.row.id] = Running(one.row, one.entry, stop)
        return self.running[one.row.id]

    def end(self, one: Running) -> None:
        """The job runs no more."""
        del self.running[one.row.id]
        self.stir()

    def again(self, one: Running, row: DropRow) -> None:
        """The job waits again, to go on."""
        times = [time for time in (one.entry.not_before, row.next_try) if time is not None]
        self._put(row, replace(one.entry, run=row.run, not_before=max(times, default=None)))

    def has(self, job: str) -> bool:
        """Whether a job of that name waits or runs."""
        waits = any(one.row.job == job for one in self.waiting.values())
        return waits or any(one.row.job == job for one in self.running.values())

    def hold_off(self, until: datetime | None) -> None:
        """Begin nothing before `until`."""
        self.held_off = until
        self.stir()

    def stir(self) -> None:
        """Wake whoever waits for a change."""
        self._changed.set()
        self._changed = Event()

    async def change(self) -> None:
        """Return when something has changed, or may have by the clock."""
        changed, now = self._changed, self._clock()
        seconds = min((time - now).total_seconds() for time in self._times(now))
        with move_on_after(min(max(seconds, 0.01), LOOK_AT_LEAST_EVERY)):
            await changed.wait()

    def tell_held(self) -> None:
        """Say of each job that waits for something other than its turn what it waits for, once."""
        now = self._clock()
        self._look(now)
        if self.paused != self._told_paused:
            self._told_paused = self.paused
            self._untold = set(self.waiting)
        for drop in sorted(self._untold):
            one = self.waiting[drop]
            told = (None, PAUSED) if self.paused else (one.hold.until, one.hold.cause) if one.hold.cause else None
            if told is not None and told != one.told:
                self._emit(JobHeld(now, one.row.id, one.row.job, *told))
            one.told = told
        self._untold.clear()

    def running_run(self, run: str) -> Running | None:
        """The job whose run is `run`."""
        return next((one for one in self.running.values() if one.row.run == run), None)

    def _shown(self, one: Waiting) -> Shown:
        until, cause = (None, PAUSED) if self.paused else (one.hold.until, one.hold.cause)
        return Shown(one.row.id, one.row.job, one.row.taken, one.row.file, one.row.owner, until, cause)

    def _put(self, row: DropRow, entry: QueueEntry) -> None:
        one = self.waiting[row.id] = Waiting(row, entry, Hold.of(entry, self._clock()))
        if not one.hold.cause:
            insort(self._free, entry.turn)
        self._untold.add(row.id)
        self._again = min(self._again, one.hold.again)
        self.stir()

    def _look(self, now: datetime) -> None:
        """Ask the calendar again about those for whom the clock has changed something; all, when it was put back."""
        if self._looked <= now < self._again:
            return
        for one in self.waiting.values():
            if now >= one.hold.again or now < self._looked:
                one.hold = Hold.of(one.entry, now)
                self._untold.add(one.row.id)
        self._free = sorted(one.entry.turn for one in self.waiting.values() if not one.hold.cause)
        self._again = min((one.hold.again for one in self.waiting.values()), default=LAST)
        self._looked = now

    def _times(self, now: datetime) -> Iterator[datetime]:
        """When the clock alone may change something: a job is no longer held, a window closes."""
        yield self._again
        if self.held_off is not None and self.held_off > now:
            yield self.held_off
        for running in self.running.values():
            closes = running.entry.windows.next_close(now)
            if closes is not None and closes > now:
                yield closes
