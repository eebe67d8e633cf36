"""Hands mount groups to those who work on them. The embedded dispatcher runs them in this process."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from enum import Enum

from anyio import Event, create_task_group, current_time, move_on_after

from orchestrator.core.events import Notice
from orchestrator.core.health import Circuit, Health, failed, mounted, next_change
from orchestrator.core.limits import Limits, next_group
from orchestrator.core.plan import MountGroup
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.stopping import Stop


class Turn(Enum):
    """How often a group is tried. A mount that fails may have failed for a passing reason, so it gets one more turn
    when the others have had theirs; `GIVEN_UP` is a group of a server that is not tried any more."""

    FIRST = "first"
    LAST = "last"
    GIVEN_UP = "given up"


Work = Callable[[MountGroup, Turn], Awaitable[bool]]
"""Works on a group; True asks for another turn."""


class EmbeddedDispatcher:
    """Starts groups in plan order, as many at once as limits and health allow, until none is left or a stop is asked
    for."""

    def __init__(self, limits: Limits, stop: Stop, emit: Emit, clock: Clock) -> None:
        self._limits = limits
        self._stop = stop
        self._emit = emit
        self._clock = clock
        self._waiting: list[MountGroup] = []
        self._running: dict[str, MountGroup] = {}
        self._again: set[str] = set()
        self._health: dict[str, Health] = {}
        self._changed = Event()

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Run `work` for each group."""
        self._waiting = list(groups)
        async with create_task_group() as tasks:
            tasks.start_soon(self._wake_on_stop)
            while (self._waiting or self._running) and not (self._stop.draining and not self._running):
                group = None if self._stop.draining else self._next()
                if group is None:
                    await self._change()
                    continue
                self._waiting.remove(group)
                self._running[group.id] = group
                tasks.start_soon(self._work, group, work)
            tasks.cancel_scope.cancel()

    def mounted(self, backup_server: str, seconds: float) -> None:
        """A mount of that server was made."""
        before = self._of(backup_server)
        self._health[backup_server] = mounted(before, seconds, self._limits.of_server(backup_server))
        if before.circuit is not Circuit.CLOSED:
            self._tell(f"{backup_server} mounts again")
        self._changed.set()

    def failed(self, backup_server: str, cause: str) -> None:
        """A mount of that server failed."""
        before = self._of(backup_server)
        after = self._health[backup_server] = failed(before, current_time())
        if after.circuit is Circuit.GIVEN_UP and before.circuit is not Circuit.GIVEN_UP:
            self._tell(f"{backup_server} is given up: {after.failures} mounts failed in a row, last: {cause}")
        elif after.trips > before.trips:
            pause = after.until - current_time()
            self._tell(f"{backup_server} is paused for {pause:.0f} s: its mounts keep failing, last: {cause}")
        self._changed.set()

    def _of(self, backup_server: str) -> Health:
        return self._health.get(backup_server, Health())

    def _tell(self, message: str) -> None:
        self._emit(Notice(self._clock(), message))

    def _next(self) -> MountGroup | None:
        """The next group that has room. One of a server that is given up always has: it only has to be told so."""
        for group in self._waiting:
            if self._of(group.point.backup_server).circuit is Circuit.GIVEN_UP:
                return group
        now = current_time()
        servers = {group.point.backup_server for group in self._waiting}
        allowed = {name: self._of(name).mounts(self._limits.of_server(name), now) for name in servers}
        return next_group(self._waiting, self._running.values(), replace(self._limits, per_server=allowed))

    async def _change(self) -> None:
        """Return when something has changed: a group ended, a server's pause is over, a stop was asked for."""
        with move_on_after(next_change(self._health, current_time())):
            await self._changed.wait()
        self._changed = Event()

    async def _work(self, group: MountGroup, work: Work) -> None:
        given_up = self._of(group.point.backup_server).circuit is Circuit.GIVEN_UP
        turn = Turn.GIVEN_UP if given_up else Turn.LAST if group.id in self._again else Turn.FIRST
        try:
            if await work(group, turn):
                self._again.add(group.id)
                self._waiting.append(group)
        finally:
            del self._running[group.id]
            self._changed.set()

    async def _wake_on_stop(self) -> None:
        await self._stop.requested()
        self._changed.set()
