"""A fleet's two sides under the roof: jobs are handed out to workers, and a worker serves."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial

from orchestrator.artefacts import checksum_of, run_folder
from orchestrator.config import Config
from orchestrator.core.entry import Verify
from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.fleet import MemberKind, Unit, seats_of, unit_of
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.deferring import DeferringDispatcher
from orchestrator.engine.ports_dispatch import Dispatcher, Dispatching
from orchestrator.engine.renewals import Renewals
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.serving_units import Post
from orchestrator.engine.staffing import Staffing
from orchestrator.engine.stopping import Stop
from orchestrator.engine.tenure import Fenced
from orchestrator.files import Sidecar
from orchestrator.fleet import Fleet, member_of
from orchestrator.guest_accounts import accounts, names_in
from orchestrator.opening import App, new_id, now

Perish = Callable[[MemberDead], None]
"""Ends the process at once."""


def deferring(app: App, rooms: Rooms, books: Books, stop: Stop, plan: Plan, seats: Seats | None) -> Dispatching:
    """What hands the groups of `plan` to the workers of the fleet. None is given out while `seats` are paused."""
    fleet = _fleet(app)

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
            rooms.emit,
            rooms.settings.unmount_timeout,
        )

    return dispatching


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
    return Post(fleet.desk, renewals, fleet.journal, fleet.held, partial(_room_of, app, books, renewals))


@asynccontextmanager
async def _room_of(app: App, books: Books, renewals: Renewals, rooms: Rooms, plan: Plan) -> AsyncIterator[Rooms]:
    """What a run needs for itself: its kind of checksum, its sidecar, and a destination that asks before it writes."""
    row = await books.ask(app.journal.run, plan.run)
    with closing(Sidecar(run_folder(app.config, plan.run))) as sidecar:
        checksum = checksum_of(app.config, row)
        target = app.target.hashing(checksum, sidecar, read_back=plan.verify is Verify.READ_BACK)
        flush = target.flush if rooms.flush is not None else None
        guests = accounts(app.config, names_in(plan))
        yield replace(rooms, target=Fenced(target, renewals.tenure), flush=flush, accounts=guests)


def _fleet(app: App) -> Fleet:
    if app.fleet is None:
        raise ConfigInvalid(place="fleet.dsn", problems="is not set: say where the journal is that the fleet shares")
    return app.fleet
