"""Leave to copy: what every copying thread asks for the bytes that it reads, and where it waits for it.

How much goes when, and to whom, is `core.line`. Here is the waiting: in the thread, in naps that a change of limits
ends, and each followed by a beat, which raises when the thread is to give up.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from orchestrator.core.line import FOREVER, Line
from orchestrator.core.rates import Rate
from orchestrator.engine.ports import Beat

NAP_MOST = 0.1
"""Seconds after which a waiting thread looks whether it is to give up."""

NAP_LEAST = 0.005
"""Seconds. What flows meanwhile is kept in the bucket, so a longer nap costs nothing and wakes fewer threads."""

Clock = Callable[[], float]
"""Seconds that never go back."""

Nap = Callable[[threading.Condition, float], object]
"""Gives the condition up for so many seconds, or until somebody notifies."""


class Allowance(Protocol):
    """Leave to copy files of one backup server for one run. One word to whoever copies, in whatever thread or process:
    a worker process asks through its parent."""

    @property
    def ahead(self) -> float:
        """Bytes that may be asked of the share before they are taken; infinite where nothing is limited."""
        ...

    def take(self, size: int, beat: Beat) -> None:
        """Return when `size` bytes more may have been read. While it waits it calls `beat`, and raises what that
        raises; then the bytes are not counted."""
        ...


class Bandwidth:
    """One for each process. `limit` and `forget` are for the event loop, `take` is for threads."""

    def __init__(self, clock: Clock = time.monotonic, nap: Nap = threading.Condition.wait) -> None:
        self._line = Line()
        self._clock = clock
        self._nap = nap
        self._turn = threading.Condition()
        self._leaves: dict[tuple[str, str], _Leave] = {}

    def of(self, run: str, server: str) -> Allowance:
        """The leave for what `run` copies of a backup server."""
        with self._turn:
            return self._leaves.setdefault((run, server), _Leave(self, run, server, self._line.ahead(run, server)))

    def limit(self, rate: Rate, *, run: str = "", server: str = "") -> None:
        """Limit one run, one backup server, or everything together. Counts at once, also for who waits."""
        with self._turn:
            now = self._clock()
            if run:
                self._line.limit_run(run, rate, now)
            elif server:
                self._line.limit_server(server, rate, now)
            else:
                self._line.limit(rate, now)
            self._changed()

    def forget(self, run: str) -> None:
        """A run is over."""
        with self._turn:
            self._line.forget(run)
            self._leaves = {key: leave for key, leave in self._leaves.items() if key[0] != run}

    def wake(self) -> None:
        """Let everybody who waits look whether it is to give up."""
        with self._turn:
            self._turn.notify_all()

    def take(self, run: str, server: str, size: int, beat: Beat) -> None:
        """As `Allowance.take`."""
        with self._turn:
            ticket = self._line.ask(run, server, size, self._clock())
        try:
            while not ticket.granted:
                beat()  # without the lock: it may ask the event loop, which may want the lock
                with self._turn:
                    self._nap(self._turn, min(max(self._line.wait(self._clock()), NAP_LEAST), NAP_MOST))
                    self._line.grant(self._clock())
        finally:
            with self._turn:
                self._line.withdraw(ticket)

    def _changed(self) -> None:
        for (run, server), leave in self._leaves.items():
            leave.ahead = self._line.ahead(run, server)
        self._turn.notify_all()


class _Leave:
    """What `Bandwidth.of` gives. Where nothing is limited, asking is one comparison."""

    __slots__ = ("_bandwidth", "_run", "_server", "ahead")

    def __init__(self, bandwidth: Bandwidth, run: str, server: str, ahead: float) -> None:
        self._bandwidth = bandwidth
        self._run = run
        self._server = server
        self.ahead = ahead

    def take(self, size: int, beat: Beat) -> None:
        if self.ahead != FOREVER:
            self._bandwidth.take(self._run, self._server, size, beat)


class _Unlimited:
    """Nothing is asked."""

    ahead = FOREVER

    def take(self, size: int, beat: Beat) -> None:
        return None


UNLIMITED = _Unlimited()
"""The allowance of a copying process: its parent pays for what it reads."""


class Gate:
    """Where the threads of a run that is paused wait, in the middle of a file. Opened and closed on the event loop."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self.closed = False

    def close(self, closed: bool) -> None:
        """Let nobody through; or everybody."""
        with self._turn:
            self.closed = closed
            self._turn.notify_all()

    def wake(self) -> None:
        """Let everybody who waits look whether it is to give up."""
        with self._turn:
            self._turn.notify_all()

    def wait(self, beat: Beat) -> None:
        """Return when it is open. Calls `beat` while it waits, and raises what that raises."""
        while self.closed:
            beat()
            with self._turn:
                if self.closed:
                    self._turn.wait(NAP_MOST)
