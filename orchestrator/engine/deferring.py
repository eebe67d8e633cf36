"""The fleet's dispatcher: the groups of a run are written down for workers elsewhere, and followed from here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

from anyio import current_time, get_cancelled_exc_class, move_on_after

from orchestrator.core.fleet import Order, Unit
from orchestrator.core.plan import MountGroup
from orchestrator.engine.alarm import Alarm
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.counted import Counted
from orchestrator.engine.ports_dispatch import Submissions, Work
from orchestrator.engine.staffing import Staffing
from orchestrator.engine.stopping import Stop

FOLLOW_OFTEN, FOLLOW_SELDOM = 0.5, 2.0
"""Seconds between two looks at what the workers have told: without signs of it, and with them."""

LOOK_AT_WORKERS_EVERY = 2.0
"""Seconds between two looks at the workers: how they do, and whether somebody will take what waits."""

WIND_UP = 60.0
"""Seconds that workers get to see that a run was given up, beside the time that EM may take for a DELETE."""


class DeferringDispatcher:
    """Hands units to the fleet. `unit_of` makes one of a group and its place; `holding` says whether nothing new is to
    be begun just now. `staffing` looks after what nobody can take; what is told goes to `counted`; `unmount_timeout`
    in seconds."""

    def __init__(
        self,
        submissions: Submissions,
        member: str,
        books: Books,
        stop: Stop,
        control: RunControl,
        unit_of: Callable[[MountGroup, int], Unit],
        holding: Callable[[], bool],
        alarm: Alarm,
        staffing: Staffing,
        counted: Counted,
        unmount_timeout: float,
    ) -> None:
        self._submissions = submissions
        self._member = member
        self._books = books
        self._stop = stop
        self._control = control
        self._run = control.plan.run
        self._unit_of = unit_of
        self._holding = holding
        self._alarm = alarm
        self._bell = alarm.bell(self._run)
        self._staffing = staffing
        self._emit = self._counted = counted
        self._wind_up = unmount_timeout + WIND_UP
        self._ordered = Order()
        self._groups: dict[str, MountGroup] = {}

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Return when no worker has a group of this run any more, and none waits. Given up, it still waits for the
        workers to delete their mounts, but not for ever. `work` is done elsewhere, but for what nobody can take."""
        if not groups:
            return
        self._groups = {group.id: group for group in groups}
        units = [self._unit_of(group, number) for number, group in enumerate(groups)]
        self._ordered = replace(self._order(), draining=False, cancelled=False)  # what is to end has to begin
        await self._books.ask(self._submissions.submit, units, self._member, self._ordered)
        try:
            await self._follow(work)
        except get_cancelled_exc_class():
            with move_on_after(self._wind_up, shield=True):
                await self._follow()
                await self._counted.tell_the_rest()
            raise
        await self._counted.tell_the_rest()
        await self._books.ask(self._submissions.forget, self._run)

    async def _follow(self, work: Work | None = None) -> None:
        """What is wanted here is passed on at once; what is told elsewhere is read after a sign, and without one now
        and then. Without `work` the run is given up."""
        rung, followed_at, looked_at = True, -inf, -inf
        while True:
            await self._pass_on(self._order(cancelled=work is None))
            if rung or current_time() - followed_at >= (FOLLOW_SELDOM if self._alarm.arrives else FOLLOW_OFTEN):
                followed_at = current_time()
                followed = await self._books.ask(self._submissions.follow, self._run)
                for event in followed.events:
                    self._emit(event)
                if not followed.unfinished:
                    return
                if current_time() - looked_at >= LOOK_AT_WORKERS_EVERY:
                    looked_at = current_time()
                    waits = self._ordered.paused or self._ordered.holding
                    await self._staffing.look(followed.queued, self._groups, work, waits)
            rung = await self._bell.rest(FOLLOW_OFTEN, FOLLOW_OFTEN)

    def _order(self, cancelled: bool = False) -> Order:
        stop, control = self._stop, self._control
        return Order(
            stop.draining or cancelled, stop.cancelled or cancelled, control.paused, self._holding(), control.by_hand
        )

    async def _pass_on(self, order: Order) -> None:
        if order != self._ordered:
            await self._books.ask(self._submissions.order, self._run, order)
            self._ordered = order
