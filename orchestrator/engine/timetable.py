"""Jobs that recur: each due time becomes a job of its own in the queue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from anyio import Event, fail_after, move_on_after, to_thread

from orchestrator.core.drops import DropRow, DropState, ScheduleRow
from orchestrator.core.errors import DropFolderUnusable
from orchestrator.core.events import Notice, ScheduleMissed
from orchestrator.core.job import Job
from orchestrator.core.schedule import Schedule, due
from orchestrator.engine.books import Books
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.ports_watch import ClaimedJobs, DropLedger, ScheduleLedger
from orchestrator.engine.queueing import Queue

LOOK_AT_LEAST_EVERY = 60.0
"""Seconds after which the clock is looked at although nothing is due: wall clocks are set."""

PUT_WITHIN = 30.0
"""Seconds that the file of one turn may take to be written; then it is tried again."""


@dataclass(slots=True)
class Standing:
    """A job with a schedule. `seen` is up to when its due times have been dealt with, `next` the first one after."""

    row: DropRow
    job: Job
    schedule: Schedule
    seen: datetime
    next: datetime | None = None

    def see(self, until: datetime) -> None:
        """The due times up to `until` have been dealt with."""
        self.seen, self.next = until, self.schedule.next_after(until)


class Timetable:
    """Every job with a schedule, by name. A due time that is missed by more than `grace` is not made up for."""

    def __init__(
        self,
        schedules: ScheduleLedger,
        drops: DropLedger,
        jobs: ClaimedJobs,
        queue: Queue,
        books: Books,
        emit: Emit,
        clock: Clock,
        grace: timedelta,
    ) -> None:
        self._schedules = schedules
        self._drops = drops
        self._jobs = jobs
        self._queue = queue
        self._books = books
        self._emit = emit
        self._clock = clock
        self._grace = grace
        self._changed = Event()
        self._standing: dict[str, Standing] = {}

    @property
    def rows(self) -> Sequence[DropRow]:
        """The claims of all jobs with a schedule."""
        return [one.row for one in self._standing.values()]

    def upcoming(self) -> list[tuple[str, datetime]]:
        """(job, its next due time) of every schedule, the next one first."""
        found = [(name, one.next) for name, one in self._standing.items()]
        return sorted(((name, time) for name, time in found if time is not None), key=lambda pair: pair[1])

    async def add(self, row: DropRow, job: Job) -> list[DropRow]:
        """A job recurs from now on; the claims that it takes the place of."""
        schedule = job.due_times
        assert schedule is not None, "the caller has looked"  # noqa: S101 - for the type checker
        old = self._standing.get(job.name)
        known = {one.job: one.seen for one in await self._books.ask(self._schedules.schedules)}
        seen = known.get(job.name, row.taken) if old is None else self._clock()
        self._standing[job.name] = standing = Standing(row, job, schedule, seen)
        standing.see(seen)
        await self._books.ask(self._schedules.write_schedule, ScheduleRow(job.name, seen))
        if old is not None:
            await to_thread.run_sync(self._jobs.forget, old.row, abandon_on_cancel=True)
        self.stir()
        return [] if old is None else [old.row]

    async def remove(self, row: DropRow) -> None:
        """A job recurs no more."""
        del self._standing[row.job]
        await self._books.ask(self._schedules.forget_schedule, row.job)
        self.stir()

    def stir(self) -> None:
        """Look at the clock now."""
        self._changed.set()
        self._changed = Event()

    async def keep_time(self) -> None:
        """Put every due time into the queue, for ever."""
        told = False
        while True:
            changed, pause = self._changed, LOOK_AT_LEAST_EVERY
            try:
                for one in list(self._standing.values()):
                    await self._look_at(one)
                pause, told = self._pause(), False
            except (DropFolderUnusable, TimeoutError) as error:
                if not told:
                    why = str(error) or f"the drop folder has not answered for {PUT_WITHIN:g} s"
                    self._emit(Notice(self._clock(), f"a job that is due waits: {why}"))
                told = True
            with move_on_after(pause):
                await changed.wait()

    def _pause(self) -> float:
        now = self._clock()
        times = [(time - now).total_seconds() for _, time in self.upcoming()[:1]]
        return min(max(0.01, *times), LOOK_AT_LEAST_EVERY) if times else LOOK_AT_LEAST_EVERY

    async def _look_at(self, one: Standing) -> None:
        now = self._clock()
        if one.next is None or one.next > now:
            return
        time, missed = due(one.schedule, one.seen, now, self._grace)
        if time is not None and self._queue.has(one.job.name):
            self._tell(one, [time], "the turn before it is not over yet")
        elif time is not None:
            await self._begin(one, time)
        self._tell(one, missed, "nobody was there to begin it")
        one.see(now)
        await self._books.ask(self._schedules.write_schedule, ScheduleRow(one.job.name, now))

    async def _begin(self, one: Standing, time: datetime) -> None:
        content = await to_thread.run_sync(self._jobs.content, one.row, abandon_on_cancel=True)
        if content is None:
            return  # somebody has withdrawn it, which the intake finds out
        row = replace(one.row, id=_turn_id(one.row, time), taken=self._clock(), due=time, state=DropState.WAITING)
        await self._books.ask(self._drops.write_drop, row)  # first: a claim without a row would be taken for a new job
        with fail_after(PUT_WITHIN, shield=True):  # a row whose file is not there would count as withdrawn
            await to_thread.run_sync(self._jobs.put, row, content, abandon_on_cancel=True)
        self._queue.add(row, one.job)

    def _tell(self, one: Standing, times: Iterable[datetime], cause: str) -> None:
        for time in times:
            self._emit(ScheduleMissed(self._clock(), one.job.name, time, cause))


def _turn_id(row: DropRow, time: datetime) -> str:
    """Always the same for one due time, so that a process that dies in between does not make two of it."""
    tag = row.id.partition("-")[0]
    return f"{tag}-{sha256(f'{row.id} {time.isoformat()}'.encode()).hexdigest()[:8]}"
