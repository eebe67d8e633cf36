"""Room at the destinations: a target that fills up pauses its groups before it is at zero."""

from collections.abc import Callable

from anyio import Lock, current_time, sleep, to_thread

from orchestrator.core.errors import FileError
from orchestrator.core.events import Notice
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

    async def room_for(self, destination: str, size: int, needed: Callable[[], int]) -> bool:
        """Wait until `size` bytes fit below `destination` with the reserve untouched. False when the run is being
        stopped, which it also is when the wait takes longer than settings.space_wait. `needed` says how many bytes it
        really takes, because files that are there already take none; it blocks and is asked only when room is short."""
        lock = self._locks.setdefault(destination, Lock())
        async with lock:
            if await self._fits(destination, size):
                return True
            size = await to_thread.run_sync(needed, abandon_on_cancel=True)
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
        """Free bytes above the reserve. A destination that cannot be asked is not held up: its writes will tell."""
        try:
            free = await to_thread.run_sync(self._rooms.target.free_space, destination, abandon_on_cancel=True)
        except FileError:
            return 1 << 62
        return free - self._rooms.settings.reserve

    async def _wait(self, destination: str, size: int) -> bool:
        until = current_time() + self._rooms.settings.space_wait
        self._tell(f"{destination} is nearly full; copying there pauses until there is room for {size:,} bytes more")
        while not self._stop.draining:
            if current_time() > until:
                self._tell(f"{destination} is still full; the run stops. Make room, then `orchestrator resume`")
                if not self._stop.draining:
                    self._stop.drain()
                return False
            await sleep(min(ASK_EVERY, max(0.01, self._rooms.settings.space_wait / 10)))
            self._free.pop(destination, None)
            if await self._fits(destination, size):
                self._tell(f"{destination} has room again; copying goes on")
                return True
        return False

    def _tell(self, message: str) -> None:
        self._rooms.emit(Notice(self._rooms.clock(), message))
