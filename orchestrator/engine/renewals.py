"""A process is a member of the fleet for as long as it renews that, by the clock of the database.

A worker that is called dead, or may have been, perishes: what it would still do is another's by now. Its mounts are
its own even then, so that it asks EM to delete them first: nobody else may come to it while the database is away.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

from anyio import CapacityLimiter, create_task_group, move_on_after, sleep, to_thread

from orchestrator.core.errors import StateError
from orchestrator.core.events import Notice
from orchestrator.core.fleet import Heard, Member, Pace
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.engine.alarm import Alarm
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.ports_dispatch import Membership
from orchestrator.engine.tenure import Tenure

PART_WITHIN = 5.0
"""Seconds in which a worker that perishes asks EM to delete its mounts; it has stopped writing before."""

LEAVE_WITHIN = 10.0
"""Seconds that saying goodbye may take; who does not say it is called dead some seconds later."""


class Renewals:
    """`membership` is asked over a connection of its own, every `heartbeat` seconds; `heard` takes what it answers, and
    `pace` says how fast this member copies. `alarm` is kept for as long as this is a member.
    `monotonic` is the clock of the tenure. A worker's tenure is over when no answer came in time, and it is called dead
    when others say so: `perish` then ends the process at once, and must not return. Without `perish`, a submitter is
    told of and goes on."""

    def __init__(
        self,
        membership: Membership,
        member: Member,
        tenure: Tenure,
        alarm: Alarm,
        heartbeat: float,
        emit: Emit,
        clock: Clock,
        monotonic: Callable[[], float],
        perish: Callable[[MemberDead], None] | None = None,
    ) -> None:
        self.membership = membership
        self.member = member
        self.tenure = tenure
        self.alarm = alarm
        self.heard: Callable[[Heard], None] | None = None
        self.pace: Callable[[], Pace] = Pace
        self.outdated = False
        """Whether this program cannot work with what the journal is being brought to; it is to end then."""
        self.lives = False
        """Whether this process is that member just now."""
        self.part: Callable[[], Awaitable[None]] | None = None
        """What a worker still does before it perishes; it writes nothing."""
        self._heartbeat = heartbeat
        self._emit = emit
        self._clock = clock
        self._monotonic = monotonic
        self._perish = perish
        self._one = CapacityLimiter(1)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """A member while this is open. NameTaken."""
        with closing(self.alarm):
            sent = self._monotonic()
            await to_thread.run_sync(self.membership.join, self.member, limiter=self._one)
            self.tenure.renewed(sent)
            self.lives = True
            try:
                with one_error():
                    async with create_task_group() as tasks:
                        tasks.start_soon(self._renew)
                        tasks.start_soon(self.alarm.keep)
                        if self._perish is not None:
                            tasks.start_soon(self._end_with_the_tenure)
                        yield
                        tasks.cancel_scope.cancel()
            finally:
                self.lives = False
                with move_on_after(LEAVE_WITHIN, shield=True):
                    await self._leave()

    async def _renew(self) -> None:
        while True:
            sent = self._monotonic()
            try:
                heard = await to_thread.run_sync(
                    self.membership.renew, self.member.id, self.pace(), limiter=self._one, abandon_on_cancel=True
                )
            except StateError as error:
                self._emit(Notice(self._clock(), f"the database was not heard of: {error}"))
            else:
                if heard is None:
                    await self._dead()
                    return
                self.tenure.renewed(sent)
                self._look_at_version(heard)
                if self.heard is not None:
                    self.heard(heard)
            await sleep(self._heartbeat)

    def _look_at_version(self, heard: Heard) -> None:
        if heard.outdated and not self.outdated:
            version = self.member.version
            what = (
                f"the fleet is brought to a newer version, with which {version} cannot work: nothing more is begun here"
            )
            self._emit(Notice(self._clock(), what))
        self.outdated = heard.outdated

    async def _end_with_the_tenure(self) -> None:
        while (left := self.tenure.left) > 0:  # noqa: ASYNC110 - a clock that is wound up while it is waited for
            await sleep(left)
        await self._dead()

    async def _dead(self) -> None:
        self.lives = False
        error = MemberDead(seconds=self.member.lease)
        if self._perish is not None:
            self.tenure.end()
            try:
                with move_on_after(PART_WITHIN, shield=True):
                    if self.part is not None:
                        await self.part()
            finally:
                self._perish(error)
            raise error
        self._emit(Notice(self._clock(), f"the fleet has not heard of this process for {self.member.lease:g} s"))

    async def _leave(self) -> None:
        try:
            leave = self.membership.leave
            await to_thread.run_sync(leave, self.member.id, limiter=self._one, abandon_on_cancel=True)
        except StateError as error:
            self._emit(Notice(self._clock(), f"the database was not told of the end of this process: {error}"))
