"""Turns of copying threads that share one interpreter.

Small files are mostly work of the interpreter, which one thread does at a time. Threads that all want it hand it to
each other at every system call, at a price that is higher than the work itself: on two idle cores 16 threads took twice
the time of one. So a thread is let in with a whole batch, asks the share for its files, and then has its turn. How many
are let in, and how many have their turn at once, follows from how busy the interpreter is: two and one where share and
disk answer at once, more where threads wait for them.
"""

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from orchestrator.core.coming import Coming
from orchestrator.engine.ports import Beat

if sys.platform == "linux":
    import resource

PATIENCE = 0.06
"""Seconds after which a thread that has not ended its batch no longer counts: it waits for a disk, a share that is far
away, or one that is dead. What only the interpreter has to do takes a tenth of it."""
IDLE = 0.5
"""Share of their time that threads in turn work below which one more would help; above it, one less does. What they
wait for a share is no time of theirs: it has been asked by all that are let in, and answers no sooner."""
OWN = 0.25
"""Share of a thread's work that is the interpreter's; below it, what the system does for it goes on beside others."""
KEPT = 0.9
"""How much of what earlier turns told counts, beside the last."""
TURNS = 8
"""Turns before which it is not judged how busy anybody is."""
LET_IN = 2
"""How many threads are let in at the least: one has its turn while the share answers the other."""


def worked() -> tuple[float, float]:
    """Seconds that this thread has worked, and the system for it, where that can be told apart."""
    if sys.platform != "linux":
        return time.thread_time(), 0.0
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_utime, used.ru_stime


class Turns:
    """One for each process. Methods may be called in many threads at once."""

    def __init__(
        self,
        most: Callable[[], int] = lambda: LET_IN,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], tuple[float, float]] = worked,
    ) -> None:
        """`most` tells how many threads may copy just now, `processor` how many seconds the thread that asks has
        worked, and the system for it."""
        self._lock = threading.Lock()
        self._clock, self._processor = clock, processor
        self._told = _Told()
        self._most = most
        self._doors = _Places(LET_IN)
        self._turns = _Places(1)

    @contextmanager
    def let_in(self, beat: Beat) -> Iterator[None]:
        """Wait until another batch may be begun. `beat` is called while it waits, and may raise."""
        stay = self._take(self._doors, beat)
        try:
            yield
        finally:
            with self._lock:
                self._doors.leave(stay)

    @contextmanager
    def turn(self, beat: Beat, coming: Coming | None = None) -> Iterator[None]:
        """Wait for a turn, and have it. One in which files are copied is told how they are `coming`."""
        stay = self._take(self._turns, beat)
        waited = coming.waited if coming is not None else float
        begun, before, (own, system) = self._clock(), waited(), self._processor()
        try:
            yield
        finally:
            later_own, later_system = self._processor()
            with self._lock:
                if coming is not None:
                    wall = self._clock() - begun - (waited() - before)
                    self._told.hear(wall, later_own - own, later_system - system, self._turns.taken)
                    self._adapt(coming.round_trip)
                self._turns.leave(stay)

    def _take(self, places: "_Places", beat: Beat) -> "_Stay":
        with self._lock:
            stay = places.ask()
        while not stay.gate.acquire(timeout=PATIENCE):
            with self._lock:
                places.overdue(stay)
            try:
                beat()
            except BaseException:
                with self._lock:
                    places.leave(stay)
                raise
        return stay

    def _adapt(self, round_trip: float | None) -> None:
        """As many turns at once as there is time for, and as many let in as a far share is to be asked by meanwhile."""
        told = self._told
        if told.count < TURNS:
            return
        most = max(self._most(), LET_IN)
        more = told.work < IDLE * told.wall or told.own < OWN * told.work
        self._turns.most = min(2 * self._turns.most, most) if more else max(self._turns.most - 1, 1)
        ahead = math.inf if round_trip is None else round(2 * round_trip * told.turns / max(told.work, 1e-9))
        self._doors.most = int(min(LET_IN - 1 + self._turns.most + ahead, most))
        self._doors.grant()
        self._turns.grant()


class _Told:
    """What the last turns have told, the latest most: their seconds without those that they have waited for a share,
    and what of them all threads in turn, and the system for them, have worked."""

    __slots__ = ("count", "own", "turns", "wall", "work")

    def __init__(self) -> None:
        self.count = 0
        self.turns = self.wall = self.own = self.work = 0.0

    def hear(self, wall: float, own: float, system: float, taken: int) -> None:
        self.count += 1
        self.turns = KEPT * self.turns + taken
        self.wall = KEPT * self.wall + wall
        self.own = KEPT * self.own + own * taken
        self.work = KEPT * self.work + (own + system) * taken


class _Stay:
    """One thread in one place, or waiting for it."""

    __slots__ = ("gate",)

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()


class _Places:
    """Places given in the order in which they were asked for. Not for several threads at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting: deque[_Stay] = deque()
        self._inside: deque[_Stay] = deque()

    @property
    def taken(self) -> int:
        return len(self._inside)

    def ask(self) -> _Stay:
        """A place in line; its gate opens when it is taken."""
        stay = _Stay()
        self._waiting.append(stay)
        self.grant()
        return stay

    def grant(self) -> None:
        while self._waiting and len(self._inside) < self.most:
            stay = self._waiting.popleft()
            self._inside.append(stay)
            stay.gate.release()

    def overdue(self, stay: _Stay) -> None:
        """Whoever waits in front has waited for long: who has been inside for the longest no longer counts."""
        if self._waiting and self._waiting[0] is stay and self._inside:
            self._inside.popleft()
            self.grant()

    def leave(self, stay: _Stay) -> None:
        """Give a place back, or the wait for it up."""
        for line in (self._inside, self._waiting):
            with suppress(ValueError):
                line.remove(stay)
        self.grant()
