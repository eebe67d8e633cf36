"""The embedded dispatcher: the groups of a run are worked on in this process."""

from collections.abc import Awaitable, Callable, Sequence

from anyio import create_task_group

from orchestrator.core.fleet_errors import SeatTaken
from orchestrator.core.plan import MountGroup
from orchestrator.engine.controls import RunControl
from orchestrator.engine.ports_dispatch import Turn, Work
from orchestrator.engine.seats import Seats
from orchestrator.engine.stopping import Stop


class EmbeddedDispatcher:
    """Starts the groups of one run in plan order, as many at once as the seats allow, until none is left or a stop is
    asked for."""

    def __init__(self, seats: Seats, stop: Stop, control: RunControl, priority: int = 0) -> None:
        self._seats = seats
        self._control = control
        self._stop = stop
        self._running = 0
        self._again: set[str] = set()
        self._waiting: list[MountGroup] = []
        self.priority = priority

    @property
    def waiting(self) -> Sequence[MountGroup]:
        """The groups that have no seat yet; none when no more are to be begun."""
        return () if self._stop.draining else self._waiting

    @property
    def room(self) -> bool:
        """Whether the run is not paused and has fewer mounts than it may have."""
        most = self._control.mounts
        return not self._control.paused and (most is None or self._running < most)

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Run `work` for each group."""
        self._waiting = list(groups)
        self._seats.enter(self)
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(self._wake_on_stop)
                while self.waiting or self._running or self._more:
                    group = self._seats.take(self)
                    if group is None:
                        await self._seats.change()
                        continue
                    self._waiting.remove(group)
                    self._running += 1
                    tasks.start_soon(self._work, group, work)
                tasks.cancel_scope.cancel()
        finally:
            self._seats.leave(self)

    @property
    def _more(self) -> bool:
        """Whether groups may come that nobody knows of yet."""
        return False

    async def _through(self, group: MountGroup) -> None:
        """A group needs no further turn."""

    async def _work(self, group: MountGroup, work: Work) -> None:
        given_up = self._seats.given_up(group.point.backup_server)
        turn = Turn.GIVEN_UP if given_up else Turn.LAST if group.id in self._again else Turn.FIRST
        try:
            again = await work(group, turn)
            if again is not None:
                (self._again.add if again == group else self._again.discard)(group.id)
                self._waiting.append(again)
            else:
                await self._through(group)
        finally:
            self._running -= 1
            self._seats.give_back(group)

    async def _wake_on_stop(self) -> None:
        await self._stop.requested()
        self._seats.stir()


class FedDispatcher(EmbeddedDispatcher):
    """Does groups as they are brought, in whatever order that is, until it is closed or a stop is asked for. `through`
    is told of each that has come to its end, `back` of each for whose mount there is no place after all."""

    def __init__(
        self,
        seats: Seats,
        stop: Stop,
        control: RunControl,
        through: Callable[[MountGroup], Awaitable[None]],
        back: Callable[[MountGroup], Awaitable[None]],
    ) -> None:
        super().__init__(seats, stop, control)
        self._tell = through
        self._hand_back = back
        self._closed = False
        self._brought: list[MountGroup] = []

    def feed(self, group: MountGroup) -> None:
        """One more group."""
        self._brought.append(group)
        self._waiting.append(group)
        self._seats.stir()

    def close(self) -> None:
        """No group comes any more."""
        self._closed = True
        self._seats.stir()

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Run `work` for each group that is brought; `groups` are those that were brought before this began."""
        await super().dispatch([*groups, *self._brought], work)

    @property
    def _more(self) -> bool:
        return not self._closed and not self._stop.draining

    async def _through(self, group: MountGroup) -> None:
        await self._tell(group)

    async def _work(self, group: MountGroup, work: Work) -> None:
        try:
            await super()._work(group, work)
        except SeatTaken:
            await self._hand_back(group)
