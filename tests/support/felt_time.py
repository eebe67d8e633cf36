"""Time as each thread feels it: it passes for a thread only where a test says so. What hangs is then given up at once,
and what is alive never, however busy the machine is; the limit of the config can be that of a real night."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import anyio

from orchestrator.engine import pulse, stages

LONG = 30.0
"""Seconds that nothing may move for in these tests (`stall_timeout`)."""


class Moment(float):
    """When a thread moved. What lies between two of them is what the thread of the later operand has felt."""

    felt: float
    thread: int
    clock: "FeltTime"

    def __sub__(self, other: float) -> float:
        if isinstance(other, Moment):
            return self.clock.felt[other.thread] - other.felt
        return float(self) - other


class FeltTime:
    """Stands for the module `time` where threads are watched."""

    def __init__(self) -> None:
        self.felt: defaultdict[int, float] = defaultdict(float)

    def monotonic(self) -> Moment:
        now, me = Moment(time.monotonic()), threading.get_ident()
        now.felt, now.thread, now.clock = self.felt[me], me, self
        return now

    def passes(self, seconds: float = 2 * LONG) -> None:
        """So long has this thread not moved."""
        self.felt[threading.get_ident()] += seconds

    @contextmanager
    def governs(self) -> Iterator[None]:
        """Who is watched is watched by this clock, and looked at often."""

        async def nap(seconds: float) -> None:
            await anyio.sleep(min(seconds, 0.01))

        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(pulse, "time", self))
            for room in (pulse, stages):
                stack.enter_context(mock.patch.object(room, "sleep", nap))
            yield
