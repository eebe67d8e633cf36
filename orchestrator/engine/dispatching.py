"""Hands mount groups to those who work on them. The embedded dispatcher runs them in this process."""

from collections.abc import Awaitable, Callable, Sequence

from anyio import Event, create_task_group

from orchestrator.core.limits import Limits, next_group
from orchestrator.core.plan import MountGroup
from orchestrator.engine.stopping import Stop

Work = Callable[[MountGroup], Awaitable[None]]


class EmbeddedDispatcher:
    """Starts groups in plan order, as many at once as the limits allow, until none is left or a stop is asked for."""

    def __init__(self, limits: Limits, stop: Stop) -> None:
        self._limits = limits
        self._stop = stop
        self._waiting: list[MountGroup] = []
        self._running: dict[str, MountGroup] = {}
        self._changed = Event()

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> list[MountGroup]:
        """Run `work` for each group; returns the groups that were never started."""
        self._waiting = list(groups)
        async with create_task_group() as tasks:
            tasks.start_soon(self._wake_on_stop)
            while self._waiting and not self._stop.draining:
                group = next_group(self._waiting, self._running.values(), self._limits)
                if group is None:
                    await self._changed.wait()
                    self._changed = Event()
                    continue
                self._waiting.remove(group)
                self._running[group.id] = group
                tasks.start_soon(self._work, group, work)
            while self._running:
                await self._changed.wait()
                self._changed = Event()
            tasks.cancel_scope.cancel()
        return self._waiting

    async def _work(self, group: MountGroup, work: Work) -> None:
        try:
            await work(group)
        finally:
            del self._running[group.id]
            self._changed.set()

    async def _wake_on_stop(self) -> None:
        await self._stop.requested()
        self._changed.set()
