"""The watcher on one page: jobs come in, wait their turn, run under one logon session, and are answered.

While no job runs there is no session at Enterprise Manager. Nothing that happens to one job ends the watcher; only a
journal that fails does.
"""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from anyio import create_task_group, sleep, to_thread

from orchestrator.core.drops import retry_delay
from orchestrator.core.errors import (
    ExitCode,
    LogonRefused,
    OrchestratorError,
    RenewalRefused,
    StoppedEarly,
)
from orchestrator.core.events import Event, JobNotStarted, Notice, QueuePaused, WatcherReady
from orchestrator.core.snapshot import Outlook
from orchestrator.engine.answering import OPERATOR, Answering, Patience, Restore
from orchestrator.engine.books import Books
from orchestrator.engine.deadlines import warn_of_deadlines
from orchestrator.engine.gathering import one_error
from orchestrator.engine.intake import Intake
from orchestrator.engine.ports import Clock, Emit, LeaseLedger
from orchestrator.engine.ports_watch import PauseLedger
from orchestrator.engine.queueing import Queue
from orchestrator.engine.seats import Seats
from orchestrator.engine.stopping import Stop
from orchestrator.engine.timetable import Timetable

OBEY_EVERY = 1.0
"""Seconds between two looks whether somebody has asked for something by a file."""

SWEEP_EVERY = timedelta(minutes=5)
"""Pause between two sweeps of mounts that were left."""

TIDY_EVERY = timedelta(days=1)
"""Pause between two looks for runs that are old enough to be forgotten."""

WINDOW = "the end of its window"

EM_RETRY_MOST = timedelta(minutes=15)
"""Longest pause between two attempts to reach Enterprise Manager. After a refused logon this long at once, because
each attempt brings the account closer to being locked."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asks of the watcher: `pause`, `unpause`, `sweep`, or `drain` or `cancel` of a run."""

    word: str
    run: str = ""


Companion = Callable[[], Coroutine[Any, Any, None]]
"""What runs as long as the watcher does, such as its signs of life."""

Period = Callable[[Stop], AbstractAsyncContextManager[Restore]]
"""Logged on and swept while it is open. Raises EmError when Enterprise Manager cannot be asked."""


class Serving:
    """One watcher. `serve` returns when it was asked to stop and every run has come to its end."""

    def __init__(
        self,
        intake: Intake,
        timetable: Timetable,
        queue: Queue,
        seats: Seats,
        answering: Answering,
        leases: LeaseLedger,
        pauses: PauseLedger,
        books: Books,
        period: Period,
        patience: Patience,
        asked: Callable[[], Sequence[Ask]],
        tidy: Callable[[], None],
        folder: str,
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._timetable = timetable
        self._queue = queue
        self._seats = seats
        self._answering = answering
        self._leases = leases
        self._pauses = pauses
        self._books = books
        self._period = period
        self._patience = patience
        self._asked = asked
        self._tidy = tidy
        self._folder = folder
        self._emit = emit
        self._clock = clock
        self._failures = 0
        self._sweep_at: datetime | None = None
        self._tidy_at = clock()
        self._started = False

    async def serve(self, stop: Stop, beside: Sequence[Companion] = ()) -> None:
        """Work until a stop is asked for; `beside` is cancelled then. Raises StateError, and MountLeft when the journal
        fails besides."""
        with one_error():
            async with create_task_group() as companions:
                for companion in beside:
                    companions.start_soon(companion)
                await self._serve(stop)
                companions.cancel_scope.cancel()

    async def _serve(self, stop: Stop) -> None:
        if await self._books.ask(self._pauses.paused):
            self._set_paused(True)
            self._emit(QueuePaused(self._clock(), True))
        with suppress(StoppedEarly), stop.forestalls():  # the drop folder may hang
            await self._intake.recover()
        if stop.draining:
            return
        self._started = True
        if await self._books.ask(self._leases.open_leases):
            self._sweep_at = self._clock()
        self._emit(WatcherReady(self._clock(), self._folder))
        async with create_task_group() as tasks:
            tasks.start_soon(self._intake.take_in)
            tasks.start_soon(self._timetable.keep_time)
            tasks.start_soon(warn_of_deadlines, self._queue, self._emit, self._clock)
            tasks.start_soon(self._obey)
            tasks.start_soon(self._wake_on_stop, stop)
            await self._work(stop)
            tasks.cancel_scope.cancel()

    def hear(self, event: Event) -> None:
        """Every event of the process; those of runs tell how fast they go."""
        run = getattr(event, "run", "")
        running = self._queue.running_run(run) if run else None
        if running is not None:
            running.tally.add(event)

    def hindrances(self) -> list[str]:
        """Why no job would be begun just now; nothing when one would."""
        off = self._queue.held_off
        reasons = [
            "" if self._started else "the watcher is starting",
            self._intake.trouble,
            f"Enterprise Manager could not be asked; tried again at {off:%H:%M:%S} UTC" if off else "",
        ]
        return [reason for reason in reasons if reason]

    def outlook(self) -> Outlook:
        """What comes next, for those who look."""
        return self._queue.outlook(self._timetable.upcoming())

    # --- what people may ask for ---

    async def do(self, ask: Ask) -> bool:
        """Do what somebody asks for; False when there is no such run."""
        match ask.word:
            case "pause" | "unpause":
                await self.pause(ask.word == "pause")
            case "sweep":
                self._sweep_at = self._clock()
                self._queue.stir()
            case _:
                return self.stop_run(ask.run, now=ask.word == "cancel")
        return True

    async def pause(self, paused: bool) -> None:
        """Begin nothing new, neither jobs nor mounts; what is mounted goes on to its end. Or go on. Kept over
        restarts."""
        await self._books.ask(self._pauses.write_paused, paused)
        self._set_paused(paused)
        self._emit(QueuePaused(self._clock(), paused))
        if not paused:
            self._failures = 0
            self._queue.hold_off(None)

    def stop_run(self, run: str, *, now: bool) -> bool:
        """Ask one run to stop; False when no such run is going on."""
        one = self._queue.running_run(run)
        if one is None:
            return False
        one.by = OPERATOR
        if now:
            one.stop.cancel()
        elif not one.stop.draining:
            one.stop.drain()
        return True

    def _set_paused(self, paused: bool) -> None:
        self._queue.paused = paused
        self._seats.pause(paused)
        self._queue.stir()

    # --- the loop ---

    async def _work(self, stop: Stop) -> None:
        while not stop.draining:
            self._queue.tell_held()
            if self._queue.next() is None and not self._sweep_is_due():
                if self._patience.once and self._intake.idle and self._queue.held_off is None:
                    return
                if not await self._tidied():
                    await self._queue.change()  # nothing is awaited between the look at the queue and this
                continue
            try:
                async with self._period(stop) as restore:  # which sweeps first
                    self._failures = 0
                    self._queue.held_off = None
                    await self._run_all(restore, stop)
                left = await self._books.ask(self._leases.open_leases)
                self._sweep_at = self._clock() + SWEEP_EVERY if left else None
            except StoppedEarly:
                return
            except OrchestratorError as error:
                if error.exit_code is not ExitCode.EM:
                    raise
                self._hold_off(error)

    def _sweep_is_due(self) -> bool:
        """Mounts that were left are tried to be deleted again, while nothing runs and EM can be asked."""
        now, off = self._clock(), self._queue.held_off
        return self._sweep_at is not None and now >= self._sweep_at and (off is None or now >= off)

    async def _tidied(self) -> bool:
        """Once a day old runs leave the journal, while nothing else uses it; whether it was time for that."""
        now = self._clock()
        if now < self._tidy_at:
            return False
        self._tidy_at = now + TIDY_EVERY
        await self._books.ask(self._tidy)
        return True

    def _hold_off(self, error: OrchestratorError) -> None:
        """Enterprise Manager cannot be asked: every job keeps its place, and is begun when it can be asked again."""
        self._failures += 1
        if self._patience.once and self._failures > self._patience.retries:
            raise error
        wait = min(retry_delay(self._failures, self._patience.first), EM_RETRY_MOST)
        if isinstance(error, LogonRefused | RenewalRefused):
            wait = EM_RETRY_MOST
        until = self._clock() + wait
        self._queue.hold_off(until)
        first = next(iter(self._queue.waiting.values()), None)
        if first is not None:
            self._emit(JobNotStarted(self._clock(), first.row.id, first.row.job, int(error.exit_code), str(error)))
        why = "" if first is not None else f": {error}"  # which has just been told of the job
        self._emit(Notice(self._clock(), f"tried again at {until:%H:%M:%S} UTC, no job is lost{why}"))

    async def _run_all(self, restore: Restore, stop: Stop) -> None:
        """Begin jobs as the queue says until none is running and none may begin."""
        async with create_task_group() as runs:
            while True:
                self._drain_outside_windows()
                self._queue.tell_held()
                one = None if stop.draining else self._queue.next()
                if one is not None:
                    await runs.start(self._answering.run, one, stop, restore)
                elif self._queue.running:
                    await self._queue.change()
                else:
                    return

    # --- clocks ---

    def _drain_outside_windows(self) -> None:
        """At the end of its window a run stops, to go on in the next."""
        now = self._clock()
        for one in self._queue.running.values():
            if not one.entry.windows.is_open(now) and not one.stop.draining:
                one.by = WINDOW
                one.stop.drain()

    async def _obey(self) -> None:
        while True:
            for ask in await to_thread.run_sync(self._asked, abandon_on_cancel=True):
                if not await self.do(ask):
                    self._emit(Notice(self._clock(), f"no run {ask.run} is going on; nothing to {ask.word}"))
            await sleep(OBEY_EVERY)

    async def _wake_on_stop(self, stop: Stop) -> None:
        await stop.requested()
        self._queue.stir()
