"""Room at the destinations: a target that fills up pauses its groups before it is at zero."""

from collections.abc import Callable
from contextlib import suppress

from anyio import Lock, current_time, sleep

from orchestrator.core.errors import FileError
from orchestrator.core.events import Notice
from orchestrator.engine.calls import Calls, hangs
from orchestrator.engine.ports import Beat
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.stopping import Stop

LOOK_EVERY = 1.0
"""Seconds between two looks at the free space of one destination."""

ASK_EVERY = 5.0
"""Seconds between two looks while waiting for room."""


class SpaceGuard:
    """Grants room for batches. What has been granted since the last look counts as used."""

    def __init__(self, rooms: Rooms, stop: Stop) -> None:
        self._rooms = rooms
        self._stop = stop
        self._free: dict[str, tuple[float, int]] = {}
        self._locks: dict[str, Lock] = {}
        self._silent: set[str] = set()
        self._calls = Calls(rooms.settings.stall)

    async def room_for(self, destination: str, size: int, needed: Callable[[Beat], int]) -> bool:
        """Wait until `size` bytes fit below `destination` with the reserve untouched. False when the run is being
        stopped, which it also is when the wait takes longer than settings.space_wait. `needed` says how many bytes it
        really takes, because files that are there already take none; it blocks and is asked only when room is short."""
        lock = self._locks.setdefault(destination, Lock())
        async with lock:
            if await self._fits(destination, size):
                return True
            with suppress(TimeoutError):  # then all of it is needed, once the destination answers again
                size = await self._calls.run(destination, needed)
            if size == 0 or await self._fits(destination, size):
                return True
            return not self._stop.draining and await self._wait(destination, size)

    async def _fits(self, destination: str, size: int) -> bool:
        looked, free = self._free.get(destination, (float("-inf"), 0))
        if current_time() - looked > LOOK_EVERY or free < size:
            looked, free = current_time(), await self._look(destination)
        fits = free >= size
        self._free[destination] = looked, free - size if fits else free
        return fits

    async def _look(self, destination: str) -> int:
        """Free bytes above the reserve. A destination that refuses the question is not held up: its writes will tell.
        One that does not answer has no room."""
        self._silent.discard(destination)
        try:
            free = await self._calls.run(destination, lambda beat: self._rooms.target.free_space(destination))
        except FileError:
            return 1 << 62
        except TimeoutError:
            self._silent.add(destination)
            return -1
        return free - self._rooms.settings.reserve

    async def _wait(self, destination: str, size: int) -> bool:
        until = current_time() + self._rooms.settings.space_wait
        self._tell(f"{destination} {self._state(destination, size)}")
        while not self._stop.draining:
            if current_time() > until:
                still, mend = ("silent", "Mend it") if destination in self._silent else ("full", "Make room")
                self._tell(f"{destination} is still {still}; the run stops. {mend}, then `orchestrator resume`")
                if not self._stop.draining:
                    self._stop.drain()
                return False
            await sleep(min(ASK_EVERY, max(0.01, self._rooms.settings.space_wait / 10)))
            self._free.pop(destination, None)
            if await self._fits(destination, size):
                self._tell(f"{destination} has room again; copying goes on")
                return True
        return False

    def _state(self, destination: str, size: int) -> str:
        if destination in self._silent:
            return f"does not answer: {hangs(self._rooms.settings.stall)}; copying there pauses until it does"
        return f"is nearly full; copying there pauses until there is room for {size:,} bytes more"

    def _tell(self, message: str) -> None:
        self._rooms.emit(Notice(self._rooms.clock(), message))
