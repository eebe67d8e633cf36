"""A watcher may wait for months: once nothing has run for a while, it gives back what its last jobs have taken."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from anyio import Event, move_on_after

REST_AFTER = 15.0
"""Seconds without work before anything is given back. Threads that wait for work end after 10, and their memory with
them; jobs that come one after the other find everything as it was."""

WITHIN = 10.0
"""Seconds that giving back may take. What hangs in a destination that is dead is left to its thread."""


class Resting:
    """Calls `let_go` once after each time that there was work, and once after the start."""

    def __init__(self, let_go: Callable[[], Awaitable[None]], after: float = REST_AFTER) -> None:
        self._let_go = let_go
        self._after = after
        self._working = 0
        self._worked = Event()
        self._worked.set()

    @contextmanager
    def work(self) -> Iterator[None]:
        """There is work for as long as this is open."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._worked.set()

    async def rest(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._worked.wait()
            worked = self._worked = Event()
            with move_on_after(self._after):
                await worked.wait()
            if not worked.is_set() and not self._working:  # else the end of that work begins another wait
                with move_on_after(WITHIN):
                    await self._let_go()
