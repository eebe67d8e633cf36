"""Turns of copying threads that share one interpreter.

Small files are mostly work of the interpreter, which one thread does at a time. Threads that all want it hand it to
each other at every system call, at a price that is higher than the work itself: on two idle cores 16 threads took twice
the time of one. So a thread is let in with a whole batch, asks the share for its files, and then has its turn. How many
are let in, and how many have their turn at once, follows from how busy the interpreter is: two and one where share and
disk answer at once, more where threads wait for them.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from orchestrator.engine.ports import Beat

PATIENCE = 0.25
"""Seconds after which a thread that has not ended its batch no longer counts: it may wait for a dead share."""
IDLE, BUSY = 0.5, 0.8
"""Shares of its time that the interpreter works below which more threads would help, and above which fewer would."""
BESIDE = 1.25
"""From this share on the work is the system's rather than the interpreter's, and goes on side by side."""
LET_IN = 2
"""How many threads are let in at the least: one has its turn while the share answers the other."""


class Turns:
    """One for each process; `most` threads copy at once. Methods may be called in many threads at once."""

    def __init__(
        self,
        most: int = 1,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        """`processor` tells the seconds of processor time of the thread that asks."""
        self._lock = threading.Lock()
        self._clock, self._processor = clock, processor
        self._most = max(most, LET_IN)
        self._level = 0
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
    def turn(self, beat: Beat, *, counts: bool = True) -> Iterator[None]:
        """Wait for a turn, and have it; one that `counts` tells how busy the interpreter is."""
        stay = self._take(self._turns, beat)
        wall, busy = self._clock(), self._processor()
        try:
            yield
        finally:
            wall, busy = self._clock() - wall, self._processor() - busy
            with self._lock:
                if counts:
                    self._judge(self._turns.taken * busy / max(wall, 1e-9))
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

    def _judge(self, busy: float) -> None:
        """More threads where the interpreter is idle, first inside and then at work; fewer where it is the bound."""
        if busy < IDLE or (busy > BESIDE and self._turns.most > 1):
            self._level = min(self._level + 1, 2 * self._most - LET_IN - 1)
        elif BUSY < busy <= BESIDE:
            self._level = max(self._level - 1, 0)
        self._doors.most = min(LET_IN + self._level, self._most)
        self._turns.most = max(1, 1 + LET_IN + self._level - self._most)
        self._doors.grant()
        self._turns.grant()


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
