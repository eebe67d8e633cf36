"""A fleet's two sides under the roof: jobs are handed out to workers, and a worker serves."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from functools import partial

import anyio

from orchestrator.artefacts import checksum_of, run_folder
from orchestrator.config import Config
from orchestrator.core.entry import Verify
from orchestrator.core.errors import ConfigInvalid, OrchestratorError
from orchestrator.core.fleet import MemberKind, Unit, seats_of, unit_of
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.core.in_place import allowed_guest
from orchestrator.core.originals import GuestAccount
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.roads import Road
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.controls import RunControl
from orchestrator.engine.counted import Counted
from orchestrator.engine.deferring import DeferringDispatcher
from orchestrator.engine.ports_dispatch import Dispatcher, Dispatching
from orchestrator.engine.renewals import Renewals
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.serving_units import Post
from orchestrator.engine.staffing import Staffing
from orchestrator.engine.stopping import Stop
from orchestrator.engine.tenure import Fenced
from orchestrator.files import Author, Sidecar
from orchestrator.fleet import Fleet, member_of
from orchestrator.guest_accounts import accounts, names_in
from orchestrator.opening import App, new_id, now

Perish = Callable[[MemberDead], None]
"""Ends the process at once."""


def deferring(
    app: App, rooms: Rooms, books: Books, stop: Stop, plan: Plan, seats: Seats | None
) -> tuple[Rooms, Dispatching]:
    """The rooms of a run, and what hands the groups of its `plan` to the workers of the fleet. None is given out while
    `seats` are paused."""
    fleet = _fleet(app)
    counted = Counted(plan.run, rooms, books)
    rooms = replace(rooms, emit=counted)

    def dispatching(control: RunControl) -> Dispatcher:
        patience = fleet.settings.worker_timeout
        staffing = Staffing(fleet.desk, fleet.desk, books, control, rooms.emit, rooms.clock, patience)
        return DeferringDispatcher(
            fleet.desk,
            fleet.me,
            books,
            stop,
            control,
            partial(_unit, app.config, rooms, plan),
            lambda: seats is not None and seats.paused,
            fleet.alarm,
            staffing,
            counted,
            rooms.settings.unmount_timeout,
        )

    return rooms, dispatching


def _unit(config: Config, rooms: Rooms, plan: Plan, group: MountGroup, position: int) -> Unit:
    server, settings = config.backup_server(group.point.backup_server), rooms.settings
    reach = settings.reach(group.point.backup_server)
    hosts = {reach.host(share).casefold() for share in reach.shares} if reach is not None else set()
    seats = seats_of(group, settings.limits, hosts, reach.by_id if reach is not None else ())
    return unit_of(plan, group, position, server.sites if server is not None else (), seats)


def worker_post(app: App, books: Books, site: str, mounts: int, name: str, perish: Perish) -> Post:
    """What a worker is given to serve. From here on this process writes as that worker."""
    fleet = _fleet(app)
    member = member_of(fleet.settings, MemberKind.WORKER, new_id(), site, mounts, name)
    renewals = fleet.become(member, app.listen, now, perish)
    guests: dict[str, GuestAccount] = {}
    return Post(
        desk=fleet.desk,
        estate=fleet.desk,
        renewals=renewals,
        ledger=fleet.journal,
        originals=fleet.journal,
        held=fleet.held,
        lacks=partial(_lacks, app.config, guests),
        room_of=partial(_room_of, app, books, renewals, guests),
    )


def _lacks(config: Config, guests: dict[str, GuestAccount], plan: Plan) -> str:
    """Why this worker may not or cannot restore into the guests of a plan, in plain words; empty when it can. Then
    `guests` has the accounts that the plan names."""
    strangers = {group.vm for group in plan.groups if group.road is Road.ORIGINAL}
    strangers = {vm for vm in strangers if not allowed_guest(vm, config.targets.guests)}
    if strangers:
        return f"restores into no guest {', '.join(sorted(strangers))} (targets.guests of its config)"
    try:
        guests.update(accounts(config, names_in(plan)))
    except OrchestratorError as error:
        return str(error)
    return ""


@asynccontextmanager
async def _room_of(
    app: App,
    books: Books,
    renewals: Renewals,
    guests: Mapping[str, GuestAccount],
    rooms: Rooms,
    plan: Plan,
    predecessors: Sequence[str],
) -> AsyncIterator[Rooms]:
    """What a run needs for itself: its kind of checksum, its sidecar, and a destination that asks before it writes.
    What was interrupted of large files does not stay: whoever has the unit next begins them anew."""
    row = await books.ask(app.journal.run, plan.run)
    author = Author(renewals.member.id, predecessors, renewals.tenure.check)
    with closing(Sidecar(run_folder(app.config, plan.run))) as sidecar:
        checksum = checksum_of(app.config, row)
        target = app.target.hashing(checksum, sidecar, read_back=plan.verify is Verify.READ_BACK, author=author)
        flush = target.flush if rooms.flush is not None else None
        try:
            yield replace(rooms, target=Fenced(target, renewals.tenure), flush=flush, accounts=guests)
        finally:
            with suppress(TimeoutError, MemberDead), anyio.CancelScope(shield=True):
                renewals.tenure.check()
                await Calls(rooms.settings.stall).run("destination", lambda beat: target.forget_interrupted())


def _fleet(app: App) -> Fleet:
    if app.fleet is None:
        raise ConfigInvalid(place="fleet.dsn", problems="is not set: say where the journal is that the fleet shares")
    return app.fleet
