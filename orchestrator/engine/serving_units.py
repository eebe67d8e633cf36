"""A worker of the fleet on one page: units are taken, done by the engine as it does them anywhere, and settled.

What it is told when it renews its membership (`renewals`) it obeys: orders for the runs that it works on, and the dead
whose mounts it is to delete.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from anyio import CancelScope, create_task_group, sleep
from anyio.abc import TaskGroup

from orchestrator.core.events import (
    BytesCopied,
    FileProblem,
    FilesDone,
    FilesLocated,
    FilesScanned,
    GroupEnded,
    GroupPutOff,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    OriginalAsked,
    OriginalEnded,
    OtherPointTaken,
)
from orchestrator.core.events import Event as Told
from orchestrator.core.fleet import Heard, Member, Order, Pace, Taken, strictest
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.plan_sent import NotUnderstood
from orchestrator.core.tally import Tally
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.dispatching import FedDispatcher
from orchestrator.engine.gathering import one_error
from orchestrator.engine.inheriting import Heir, delete_held
from orchestrator.engine.learning import recall
from orchestrator.engine.locating import Locator
from orchestrator.engine.ports import LeaseLedger
from orchestrator.engine.ports_dispatch import Dispatcher, Estate, UnitDesk
from orchestrator.engine.ports_originals import OriginalLedger
from orchestrator.engine.preflight import preflight, wanted_by
from orchestrator.engine.renewals import Renewals
from orchestrator.engine.restore import as_begun, settle_lost, work_on
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.serving import Companion
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop

LOOK_OFTEN, LOOK_SELDOM = 0.25, 2.0
"""Seconds between two looks for a unit while there was none: without signs of new ones, and with them."""

TELL_EVERY = 0.3
"""Seconds for which events are gathered before the submitter is told."""

OF_GROUPS = (
    BytesCopied, FileProblem, FilesDone, FilesLocated, FilesScanned, GroupEnded, GroupPutOff, GroupStarted,
    MountDeleted, MountGone, MountLeft, MountOpened, OriginalAsked, OriginalEnded, OtherPointTaken,
)  # fmt: skip
"""What the submitter hears; the rest is of this process alone."""


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker is given besides the rooms. `held` has the lease number of each unit in its hands, by run and
    group: every write for a unit is compared with it. `ledger` and `originals` know what was asked for by all. `lacks`
    says why this worker cannot do a plan although it reaches shares and destinations; empty when it can. `room_of`
    opens what a run needs for itself, such as its destination; it is given who has worked on the same before, which
    grows."""

    desk: UnitDesk
    estate: Estate
    renewals: Renewals
    ledger: LeaseLedger
    originals: OriginalLedger
    held: dict[tuple[str, str], int]
    lacks: Callable[[Plan], str]
    room_of: Callable[[Rooms, Plan, Sequence[str]], AbstractAsyncContextManager[Rooms]]

    @property
    def member(self) -> Member:
        return self.renewals.member


@dataclass(slots=True, eq=False)
class _Part:
    """What this worker does of one run. Units that come before its dispatcher is there are kept for it. `stop` is its
    own once there is a `control`."""

    plan: Plan
    stop: Stop
    order: Order = field(default_factory=Order)
    control: RunControl | None = None
    dispatcher: FedDispatcher | None = None
    before: list[MountGroup] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    predecessors: list[str] = field(default_factory=list)

    def take(self, taken: Taken) -> None:
        """One more unit; what its predecessors have left half done is seen to from here on."""
        self.taken[taken.unit.group] = taken
        self.predecessors += [one for one in taken.predecessors if one not in self.predecessors]

    def feed(self, group: MountGroup) -> None:
        if self.dispatcher is None:
            self.before.append(group)
        else:
            self.dispatcher.feed(group)


class UnitServer:
    """Serves until a stop is asked for and nothing is in hand any more. Raises what ends the whole process."""

    def __init__(self, post: Post, rooms: Rooms, books: Books, stop: Stop, watch: SessionWatch, seats: Seats) -> None:
        self._post = post
        self._me = post.member.id
        self._rooms = replace(rooms, hiring=None)  # a process of its own would write on while this one is frozen
        self._books = books
        self._stop = stop
        self._watch = watch
        self._seats = seats
        self._parts: dict[str, _Part] = {}
        self._orders: Mapping[str, Order] = {}
        self._bell = post.renewals.alarm.bell()
        self._told: dict[str, list[Told]] = {}
        told = replace(self._rooms, emit=self._emit_by_run)
        self._heir = Heir(self._me, post.estate, post.ledger, post.originals, told, books)
        self._refused: set[tuple[str, str]] = set()

    async def serve(self, companions: Sequence[Companion] = ()) -> None:
        """Take units until a stop is asked for, and return when none is in hand; `companions` are cancelled then."""
        await recall(self._rooms, self._books, self._seats)
        with one_error():
            async with create_task_group() as beside:
                self._post.renewals.heard = partial(self._obey, beside)
                self._post.renewals.part = partial(delete_held, self._rooms)
                for companion in companions:
                    beside.start_soon(companion)
                self._post.renewals.pace = self._pace
                beside.start_soon(self._keep_telling)
                beside.start_soon(self._withdraw_on_stop)
                async with create_task_group() as work:
                    await self._take_units(work)
                    for part in self._parts.values():
                        self._close(part)
                self._post.renewals.heard = None
                await self._tell()
                beside.cancel_scope.cancel()

    # --- units ---

    async def _take_units(self, work: TaskGroup) -> None:
        while not self._stop.draining:
            taken = None
            if len(self._post.held) < self._post.member.mounts:
                taken = await self._books.ask(self._post.desk.take, self._me)
            if taken is None:
                await self._bell.rest(LOOK_OFTEN, LOOK_SELDOM)
                continue
            unit = taken.unit
            self._post.held[unit.run, unit.group] = taken.number
            work.start_soon(self._begin, taken, work)

    async def _begin(self, taken: Taken, work: TaskGroup) -> None:
        plan, refusal = self._understood(taken)
        refusal = refusal if plan is None else await self._refusal(plan)
        if plan is None or refusal or self._stop.draining:
            run = taken.unit.run
            if refusal and (run, refusal) not in self._refused:
                self._refused.add((run, refusal))  # a thousand machines may lie behind one share
                self._emit_for(run, Notice(self._rooms.clock(), f"{taken.unit.vm}: {refusal}"))
            await self._give_back(taken, refusal)
            return
        if taken.number > 1:
            plan = await as_begun(plan, plan.run, self._rooms, self._books)
        part = self._parts.get(plan.run)
        if part is None:
            order = self._orders.get(plan.run, Order())
            part = self._parts[plan.run] = _Part(plan, self._stop, order)
            part.take(taken)
            work.start_soon(self._do_part, part)
        else:
            part.take(taken)
        part.feed(plan.groups[0])

    def _understood(self, taken: Taken) -> tuple[Plan | None, str]:
        """The plan of a unit; or None, and why this program must leave it to others."""
        try:
            return taken.unit.plan, ""
        except NotUnderstood as error:
            version = self._post.member.version
            return (
                None,
                f"a newer version has submitted it, and version {version} does not know {error}; upgrade it here",
            )

    async def _refusal(self, plan: Plan) -> str:
        """Why this worker cannot do a unit, in plain words; empty when it can. Nothing is mounted for that."""
        checked = await preflight(wanted_by([plan]), self._rooms.target, self._rooms.source, self._rooms.settings)
        unreadable = [str(error) for error in checked.unreadable_servers.values()]
        reasons = [*checked.unknown_servers.values(), *unreadable, *checked.destinations.values()]
        return "; ".join([*reasons, *filter(None, [self._post.lacks(plan)])])

    async def _give_back(self, taken: Taken, refusal: str) -> None:
        desk = self._post.desk
        if refusal:
            await self._books.ask(desk.refuse, taken, self._me, refusal)
        else:
            await self._books.ask(desk.settle, taken, self._me, False)
        self._let_go(taken)

    def _let_go(self, taken: Taken) -> None:
        del self._post.held[taken.unit.run, taken.unit.group]
        self._bell.ring()

    # --- the part of a run ---

    async def _do_part(self, part: _Part) -> None:
        """The same work as in a run that one process does alone, with units that come one by one."""
        try:
            with self._stop.part(part.plan.run) as part.stop:
                await self._work_on(part)
        finally:
            del self._parts[part.plan.run]
            with CancelScope(shield=True):
                for taken in list(part.taken.values()):
                    await self._settle(part, taken, over=False)

    async def _work_on(self, part: _Part) -> None:
        rooms = replace(self._rooms, emit=partial(self._emit_for, part.plan.run))
        locator = Locator(
            rooms.source, rooms.browser, rooms.settings, lambda text: rooms.emit(Notice(rooms.clock(), text))
        )

        def dispatching(control: RunControl) -> Dispatcher:
            part.control = control
            through, back = partial(self._through, part), partial(self._back, part)
            part.dispatcher = FedDispatcher(self._seats, part.stop, control, through, back)
            for group in part.before:
                part.dispatcher.feed(group)
            self._keep_to_limits()
            self._pass_on(part, part.order)
            return part.dispatcher

        async with self._post.room_of(rooms, part.plan, part.predecessors) as own:
            seats, watch, books = self._seats, self._watch, self._books
            error, _ = await work_on(part.plan, (), own, books, part.stop, watch, seats, locator, dispatching)
            await settle_lost(part.plan.run, own, books, locator, part.stop, books.owns)
        if error is not None:
            raise error

    async def _through(self, part: _Part, group: MountGroup) -> None:
        """A unit has come to an end. What the submitter is to hear of it, it hears first."""
        with CancelScope(shield=True):
            await self._settle(part, part.taken[group.id], over=not part.stop.draining)

    async def _back(self, part: _Part, group: MountGroup) -> None:
        """A unit for whose mount there is no place any more waits for one, with the others."""
        with CancelScope(shield=True):
            await self._settle(part, part.taken[group.id], over=False)

    async def _settle(self, part: _Part, taken: Taken, over: bool) -> None:
        """What was cut short by what only this worker was asked waits for another one."""
        await self._tell()
        await self._books.ask(self._post.desk.settle, taken, self._me, over)
        del part.taken[taken.unit.group]
        self._let_go(taken)

    def _close(self, part: _Part) -> None:
        if part.dispatcher is not None:
            part.dispatcher.close()

    # --- what is heard ---

    async def _withdraw_on_stop(self) -> None:
        await self._stop.requested()
        self._bell.ring()
        await self._books.ask(self._post.renewals.membership.withdraw, self._me)

    def _obey(self, beside: TaskGroup, heard: Heard) -> None:
        self._seats.controls.share_among(heard.at_site)
        self._orders = heard.orders
        self._keep_to_limits()
        for run, part in self._parts.items():
            self._pass_on(part, heard.orders.get(run))
        self._heir.inherit(heard.heir_of, beside)

    def _pace(self) -> Pace:
        """How fast everything is that is in hand."""
        rates = [part.tally.rate(self._rooms.clock()) for part in self._parts.values() if part.taken]
        return Pace(sum(files for files, _ in rates), sum(size for _, size in rates))

    def _pass_on(self, part: _Part, order: Order | None) -> None:
        if order is None:  # the run has ended
            if not part.taken:
                self._close(part)
            return
        part.order = order
        if part.control is None:
            return
        if order.draining and not part.stop.draining:
            part.stop.drain()
        if order.cancelled and not part.stop.cancelled:
            part.stop.cancel()
        if part.control.paused != order.paused and not part.stop.draining:
            self._seats.controls.hold(part.control, order.paused)

    def _keep_to_limits(self) -> None:
        self._seats.controls.obey(strictest(self._orders.values()))

    # --- what is told ---

    def _emit_for(self, run: str, event: Told) -> None:
        self._rooms.emit(event)
        if run in self._parts:
            self._parts[run].tally.add(event)
        if isinstance(event, Notice):
            event = replace(event, message=f"{self._post.member.name}: {event.message}")
        elif not isinstance(event, OF_GROUPS):
            return
        self._told.setdefault(run, []).append(event)

    def _emit_by_run(self, event: Told) -> None:
        if isinstance(event, OF_GROUPS):
            self._emit_for(event.run, event)
        else:
            self._rooms.emit(event)

    async def _keep_telling(self) -> None:
        while True:
            await sleep(TELL_EVERY)
            await self._tell()

    async def _tell(self) -> None:
        told, self._told = self._told, {}
        for run, events in told.items():
            await self._books.ask(self._post.desk.tell, run, _gathered(events))


def _gathered(events: Sequence[Told]) -> list[Told]:
    """The events, with the bytes of each group that follow each other in one."""
    found: list[Told] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, BytesCopied) and isinstance(last, BytesCopied) and event.group == last.group:
            found[-1] = replace(event, bytes=last.bytes + event.bytes)
        else:
            found.append(event)
    return found
