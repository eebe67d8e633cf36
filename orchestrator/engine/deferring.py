"""The fleet's dispatcher: the groups of a run are written down for workers elsewhere, and followed from here."""

from collections.abc import Callable, Sequence
from math import inf

from anyio import current_time, get_cancelled_exc_class, move_on_after

from orchestrator.core.events import LimitChanged, Notice
from orchestrator.core.fleet import Followed, Order, Unit, stuck
from orchestrator.core.plan import MountGroup
from orchestrator.engine.alarm import Alarm
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.ports_dispatch import Membership, Submissions, Work
from orchestrator.engine.stopping import Stop

FOLLOW_OFTEN, FOLLOW_SELDOM = 0.5, 2.0
"""Seconds between two looks at what the workers have told: without signs of it, and with them."""

LOOK_FOR_WORKERS_EVERY = 5.0
"""Seconds between two looks whether there is anybody who will take what waits."""

WIND_UP = 60.0
"""Seconds that workers get to see that a run was given up, beside the time that EM may take for a DELETE."""


class DeferringDispatcher:
    """Hands units to the fleet. `unit_of` makes one of a group and its place; `unmount_timeout` in seconds."""

    def __init__(
        self,
        submissions: Submissions,
        membership: Membership,
        member: str,
        books: Books,
        stop: Stop,
        control: RunControl,
        unit_of: Callable[[MountGroup, int], Unit],
        alarm: Alarm,
        emit: Emit,
        clock: Clock,
        unmount_timeout: float,
    ) -> None:
        self._submissions = submissions
        self._membership = membership
        self._member = member
        self._books = books
        self._stop = stop
        self._control = control
        self._run = control.plan.run
        self._unit_of = unit_of
        self._alarm = alarm
        self._bell = alarm.bell(self._run)
        self._emit = emit
        self._clock = clock
        self._wind_up = unmount_timeout + WIND_UP
        self._ordered = Order()
        self._told: list[str] = []
        self._limits_changed = 0

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Return when no worker has a group of this run any more, and none waits. Given up, it still waits for the
        workers to delete their mounts, but not for ever. `work` is done elsewhere."""
        if not groups:
            return
        units = [self._unit_of(group, number) for number, group in enumerate(groups)]
        await self._books.ask(self._submissions.submit, units, self._member)
        try:
            await self._follow()
        except get_cancelled_exc_class():
            with move_on_after(self._wind_up, shield=True):
                await self._follow(cancelled=True)
            raise
        await self._books.ask(self._submissions.forget, self._run)

    async def _follow(self, cancelled: bool = False) -> None:
        """What is wanted here is passed on at once; what is told elsewhere is read after a sign, and without one now
        and then."""
        rung, followed_at, looked_at = True, -inf, -inf
        while True:
            await self._pass_on(
                Order(self._stop.draining or cancelled, self._stop.cancelled or cancelled, self._control.paused)
            )
            if rung or current_time() - followed_at >= (FOLLOW_SELDOM if self._alarm.arrives else FOLLOW_OFTEN):
                followed_at = current_time()
                followed = await self._books.ask(self._submissions.follow, self._run)
                for event in followed.events:
                    self._emit(event)
                if not followed.unfinished:
                    return
                if current_time() - looked_at >= LOOK_FOR_WORKERS_EVERY:
                    looked_at = current_time()
                    await self._tell_of_stuck(followed)
            self._tell_of_limits()
            rung = await self._bell.rest(FOLLOW_OFTEN, FOLLOW_OFTEN)

    async def _pass_on(self, order: Order) -> None:
        if order != self._ordered:
            await self._books.ask(self._submissions.order, self._run, order)
            self._ordered = order

    def _tell_of_limits(self) -> None:
        """What somebody has changed here and believes to be in force."""
        changed = sum(isinstance(one, LimitChanged) for one in self._control.changes)
        if changed > self._limits_changed:
            what = "limits that are changed while a run goes on do not reach the workers of a fleet"
            self._emit(Notice(self._clock(), f"{what}: change the config, and start the workers and the run anew"))
        self._limits_changed = changed

    async def _tell_of_stuck(self, followed: Followed) -> None:
        """Say once why something waits, and again when that has become something else."""
        members = await self._books.ask(self._membership.members) if followed.queued else []
        lines = stuck(followed.queued, members)
        for line in lines:
            if line not in self._told:
                self._emit(Notice(self._clock(), line))
        self._told = lines
