"""Stopping: the first request drains, the second cancels. Either leaves a resumable journal and no mount."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from anyio import CancelScope, Event, create_task_group, sleep, to_thread

from orchestrator.core.errors import StoppedEarly
from orchestrator.core.events import Stopping
from orchestrator.engine.ports import Clock, Emit

STOP_FILE_EVERY = 1.0
"""Seconds between two looks for a stop file."""


class Stop:
    """Why and how far a run is being stopped. Requests may come before the work has begun."""

    def __init__(self, emit: Emit, clock: Clock, run: str = "") -> None:
        self._emit = emit
        self._clock = clock
        self.run = run
        self.with_all = False
        """Whether it was all of several runs that was asked to stop, and not this one alone."""
        self._parts: list[Stop] = []
        self._asked = Event()
        self._scopes: list[CancelScope] = []
        self._early: list[CancelScope] = []
        self.draining = False
        self.cancelled = False

    def ask(self) -> None:
        """One request to stop: a signal, a stop file, a deadline."""
        if not self.draining:
            self.drain()
        elif not self.cancelled:
            self.cancel()

    def drain(self) -> None:
        """No new mount and no new file; files in flight are finished."""
        self.draining = True
        self._asked.set()
        self._emit(Stopping(self._clock(), "drain", self.run))
        for scope in self._early:
            scope.cancel()
        for part in self._parts:
            part.ask_for(self)

    def cancel(self) -> None:
        """Files in flight are given up; mounts are still deleted."""
        self.draining = self.cancelled = True
        self._asked.set()
        self._emit(Stopping(self._clock(), "cancel", self.run))
        for scope in self._scopes:
            scope.cancel()
        for part in self._parts:
            part.ask_for(self)

    def ask_for(self, whole: "Stop") -> None:
        """Stop at least as far as `whole` is being stopped."""
        self.with_all = self.with_all or whole.draining
        if whole.draining and not self.draining:
            self.drain()
        if whole.cancelled and not self.cancelled:
            self.cancel()

    @contextmanager
    def part(self, run: str) -> Iterator["Stop"]:
        """The stop of one run among several: what is asked of this one is asked of it too, but not the reverse."""
        part = Stop(self._emit, self._clock, run)
        part.ask_for(self)
        self._parts.append(part)
        try:
            yield part
        finally:
            self._parts.remove(part)

    @contextmanager
    def governs(self, scope: CancelScope) -> Iterator[None]:
        """`cancel` reaches `scope` while this is open. Never the witness, only the work."""
        self._scopes.append(scope)
        if self.cancelled:
            scope.cancel()
        try:
            yield
        finally:
            self._scopes.remove(scope)

    @contextmanager
    def forestalls(self) -> Iterator[None]:
        """The first request already gives up what is done while this is open, because nothing has begun yet. Raises
        StoppedEarly."""
        with CancelScope() as scope:
            self._early.append(scope)
            if self.draining:
                scope.cancel()
            try:
                yield
            finally:
                self._early.remove(scope)
        if scope.cancelled_caught:
            raise StoppedEarly

    async def requested(self) -> None:
        """Return when a stop has been asked for."""
        await self._asked.wait()

    async def enforce_grace(self, grace: float) -> None:
        """Turn a drain that takes too long into a cancel."""
        await self.requested()
        await sleep(grace)
        if not self.cancelled:
            self.cancel()


@asynccontextmanager
async def obeying(
    stop: Stop, signals: AsyncIterator[object], take_file: Callable[[], bool] | None
) -> AsyncIterator[None]:
    """While this is open, every signal and every stop file is one request to stop. `take_file` removes the file and
    says whether it was there; it blocks."""
    async with create_task_group() as tasks:
        tasks.start_soon(_obey, stop, signals)
        if take_file is not None:
            tasks.start_soon(obey_file, stop, take_file)
        yield
        tasks.cancel_scope.cancel()


async def obey_file(stop: Stop, take: Callable[[], bool], every: float = STOP_FILE_EVERY) -> None:
    """Where signals do not exist, a file asks. `take` removes it and says whether it was there."""
    while True:
        if await to_thread.run_sync(take, abandon_on_cancel=True):
            stop.ask()
        await sleep(every)


async def _obey(stop: Stop, signals: AsyncIterator[object]) -> None:
    async for _ in signals:
        stop.ask()
