"""The units of the fleet in the shared journal: who has which, under which lease number, and who lives.

The tables are the truth of leases, members and seats; what of the units waits lies in the queue besides (`waiting`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestrator.core.errors import SchemaUnknown
from orchestrator.core.events import Event
from orchestrator.core.fleet import (
    FleetNow,
    Followed,
    Heard,
    Member,
    MemberKind,
    MemberNow,
    MemberState,
    Order,
    Pace,
    Queued,
    Taken,
    Unit,
)
from orchestrator.core.fleet_errors import NameTaken, RunFollowed, UnitLost
from orchestrator.core.limiting import Limit
from orchestrator.core.telling import event_from_json, event_to_json
from orchestrator.journal_postgres import migrate
from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.queries import FLEET as QUERIES
from orchestrator.journal_postgres.routes import Route, routes_of
from orchestrator.journal_postgres.signs import give_sign
from orchestrator.journal_postgres.store import Cursor, Store
from orchestrator.journal_postgres.waiting import KEPT_DAYS, QUEUE, enter, lead, next_unit, write_routes
from orchestrator.unit_queue import prepare

STILL = Pace()
BEGIN = Order()
"""All that is wanted is that the units are done."""


class Units:
    """One connection's way to the units. Any thread may call, but never two at once. Errors leave as StateError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def close(self) -> None:
        """Close the connection. Harmless when it is closed."""
        self._store.close()

    # --- submitters ---

    def submit(self, units: Sequence[Unit], submitter: str, order: Order = BEGIN) -> None:
        """Write the units of one run, all or none, and what is wanted of it. Those that somebody has stay his; those
        that are over wait again. RunFollowed while another process has submitted that run and follows it."""
        routes = routes_of(units)
        rows = [_unit_row(unit, route) for unit, route in zip(units, routes, strict=True)]

        def write(cursor: Cursor) -> None:
            _ask(cursor, "one_at_a_time")
            runs = list(dict.fromkeys(unit.run for unit in units))
            for run in runs:
                _refuse_followed(cursor, run, submitter)
                _ask(cursor, "clear_told", run=run)
                _ask(cursor, "write_order", submitter=submitter, **_order(run, order))
            write_routes(cursor, routes)
            cursor.executemany(QUERIES["submit"], rows)
            for run in runs:
                enter(cursor, _rows(cursor, "waiting", run=run))

        self._store.once(write)

    def order(self, run: str, order: Order) -> None:
        """What all who work on a run are to do from now on. Units that wait are over once it is to drain."""

        def write(cursor: Cursor) -> None:
            _ask(cursor, "one_at_a_time")
            _ask(cursor, "write_order", submitter="", **_order(run, order))
            if order.draining:
                enter(cursor, _rows(cursor, "end_waiting", run=run))
            QUEUE.wake(cursor)

        self._store.once(write)

    def follow(self, run: str) -> Followed:
        """What was told of a run since this was last asked, and how its units stand."""

        def read(cursor: Cursor) -> Followed:
            unfinished = _one(cursor, "unfinished", run=run)[0]  # first: a unit that is over was told of before
            queued = _queued(cursor, run)
            told = sorted(_rows(cursor, "take_told", run=run))
            events = [event for _, text in told if (event := event_from_json(text)) is not None]
            return Followed(events, unfinished, queued)

        return self._store.once(read)

    def unserved(self, run: str, patience: float | None, ask_again: bool = False) -> Mapping[str, Queued]:
        """Keep since when nobody could take what waits of a run. Groups of which that is longer ago than `patience`
        seconds are over: they, and who refused them. Without `patience` nobody is waited for. `ask_again`: those who
        have refused such groups may try once more."""

        def write(cursor: Cursor) -> Mapping[str, Queued]:
            if patience is None:
                _ask(cursor, "forget_unserved", run=run)
                return {}
            _ask(cursor, "one_at_a_time")
            _ask(cursor, "note_unserved", run=run)
            given_up = _rows(cursor, "give_up_unserved", run=run, patience=patience)
            enter(cursor, [row[:5] for row in given_up])
            if ask_again:
                lead(cursor, _rows(cursor, "forgive", run=run))
            return {group: Queued(1, tuple(sites), why) for _, group, *_, sites, why in given_up}

        return self._store.once(write)

    def followed(self, member: str, earlier: str = "") -> frozenset[str]:
        """The runs that others that live follow; who had the state folder `earlier` does not."""
        return frozenset(run for run, *_ in self._read("followed", member=member, earlier=earlier))

    def check_followed(self, run: str, member: str) -> None:
        """RunFollowed while another process follows that run."""
        self._store.once(lambda cursor: _refuse_followed(cursor, run, member))

    def forget(self, run: str) -> None:
        """The run has ended: what was told of it, its units, and what was wanted of it."""

        def write(cursor: Cursor) -> None:
            _ask(cursor, "one_at_a_time")
            enter(cursor, _rows(cursor, "forget_units", run=run))
            for query in ("clear_told", "forget_routes", "forget_order"):
                _ask(cursor, query, run=run)

        self._store.once(write)
        self._store.once(lambda cursor: QUEUE.tidy(cursor, KEPT_DAYS))

    # --- members ---

    def join(self, member: Member) -> None:
        """A new member. NameTaken while a worker of that name lives; SchemaUnknown when this program is too old."""
        row: dict[str, Any] = {"id": member.id, "name": member.name, "kind": member.kind.value, "site": member.site}
        row |= {"mounts": member.mounts, "host": member.host, "version": member.version, "lease": member.lease}
        row |= {"knows": migrate.KNOWN, "home": member.home}

        def write(cursor: Cursor) -> None:
            _ask(cursor, "one_at_a_time")
            version, needed = _one(cursor, "needed")
            if needed > migrate.KNOWN:
                raise SchemaUnknown(folder=self._store.place, found=max(version, needed), known=migrate.KNOWN)
            self._supersede(cursor, member)
            if member.kind is MemberKind.WORKER:
                for host, silent, lease in _rows(cursor, "namesake", name=member.name):
                    raise NameTaken(name=member.name, host=host, silent=round(silent), lease=round(lease))
                lead(cursor, _rows(cursor, "forget_refusals", name=member.name))
            _ask(cursor, "join", **row)

        self._store.once(write)

    def _supersede(self, cursor: Cursor, member: Member) -> None:
        """Who had its state folder before is dead. A worker clears up after him, and any worker after a submitter's."""
        if not member.earlier:
            return
        heir = member.id if member.kind is MemberKind.WORKER else ""
        for (superseded,) in _rows(cursor, "superseded", earlier=member.earlier):
            _ask(cursor, "mark_dead", member=superseded, heir=heir)
            _ask(cursor, "take_away", member=superseded)

    def renew(self, member: str, pace: Pace = STILL) -> Heard | None:
        """The member lives; None when it was marked dead. A worker marks members dead that were not heard of for too
        long, takes their units away, and clears up after them."""

        def write(cursor: Cursor) -> Heard | None:
            me = _rows(cursor, "renew", member=member, files=pace.files_per_second, bytes=pace.bytes_per_second)
            if not me:
                return None
            kind, site = me[0]
            if kind == MemberKind.WORKER.value:
                for (silent,) in _rows(cursor, "silent", member=member):
                    _ask(cursor, "mark_dead", member=silent, heir=member)
                    _ask(cursor, "take_away", member=silent)
            orders = {run: _read_order(wanted) for run, *wanted in _rows(cursor, "orders")}
            heir_of = tuple(one for (one,) in _rows(cursor, "heir_of", member=member))
            outdated = _one(cursor, "needed")[1] > migrate.KNOWN
            return Heard(orders, heir_of, _one(cursor, "at_site", site=site)[0], outdated)

        return self._store.once(write)

    def withdraw(self, member: str) -> None:
        """No more units for this member; it keeps those that it has."""

        def write(cursor: Cursor) -> None:
            _ask(cursor, "withdraw", member=member)
            QUEUE.wake(cursor)  # those who are farther from what it might have taken

        self._store.once(write)

    def leave(self, member: str) -> None:
        """The member is gone, if it holds nothing."""
        self._write("leave", member=member)

    def members(self) -> list[MemberNow]:
        """Everyone who is not gone, workers first, by site and name."""
        return [_member_now(row) for row in self._read("members")]

    def now(self) -> FleetNow:
        """Who is there, and what waits of all runs."""

        def read(cursor: Cursor) -> FleetNow:
            return FleetNow([_member_now(row) for row in _rows(cursor, "members")], _queued(cursor, None))

        return self._store.once(read)

    def protected(self, member: str) -> frozenset[str]:
        """The ids of the sessions of others that live, or after whom somebody who lives clears up."""
        return frozenset(one for (one,) in self._read("protected", member=member))

    # --- workers ---

    def take(self, member: str) -> Taken | None:
        """The next unit that this worker may do and whose mount has room under all limits, or None."""

        while True:
            taken, answered = self._store.once(lambda cursor: next_unit(cursor, member))
            if answered:
                return taken

    def settle(self, taken: Taken, member: str, over: bool) -> None:
        """The worker is through with a unit. One that is not `over` waits again, unless its group is done or failed.
        UnitLost when it is no longer the worker's."""
        self._own(taken, "settle", enter, member=member, over=over)

    def refuse(self, taken: Taken, member: str, why: str) -> None:
        """The worker cannot do this unit: it waits for another. UnitLost."""
        self._own(taken, "refuse", lead, member=member, why=why)

    def tell(self, run: str, events: Sequence[Event]) -> None:
        """What the submitter is to hear, in this order."""
        rows = [{"run": run, "event": event_to_json(event)} for event in events]

        def write(cursor: Cursor) -> None:
            cursor.executemany(QUERIES["tell"], rows)
            give_sign(cursor, [run])

        self._store.once(write)

    def sessions_of(self, member: str) -> frozenset[str]:
        """The ids of the sessions of a member."""
        return frozenset(one for (one,) in self._read("sessions_of", member=member))

    def bury(self, member: str, heir: str) -> None:
        """The mounts of a dead member are cleared up as far as they can be: its units wait again, and it is gone.
        Nothing happens when its heir is another by now, or is dead itself."""

        def write(cursor: Cursor) -> None:
            _ask(cursor, "bury", member=member, heir=heir)
            if cursor.rowcount:
                left = _rows(cursor, "settle", member=member, over=False, run=None, group=None, number=None)
                enter(cursor, left)
                give_sign(cursor, [run for run, *_ in left])

        self._store.once(write)

    def pass_on(self, member: str, heir: str) -> bool:
        """The heir cannot clear up after a dead member: another worker is its heir soon. False when none lives that has
        not tried it."""

        def write(cursor: Cursor) -> bool:
            _ask(cursor, "pass_on", member=member, heir=heir)
            return cursor.rowcount > 0

        return self._store.once(write)

    def _own(self, taken: Taken, query: str, then: Callable[[Cursor, Sequence[Any]], None], **parameters: Any) -> None:
        unit = taken.unit

        def write(cursor: Cursor) -> None:
            mine = _rows(cursor, query, run=unit.run, group=unit.group, number=taken.number, **parameters)
            if not mine:
                raise UnitLost(folder=self._store.place, vm=unit.vm, number=taken.number)
            then(cursor, mine)
            give_sign(cursor, [unit.run])

        self._store.once(write)

    def _read(self, query: str, **parameters: Any) -> list[Any]:
        return self._store.once(lambda cursor: _rows(cursor, query, **parameters))

    def _write(self, query: str, **parameters: Any) -> None:
        self._store.once(lambda cursor: _ask(cursor, query, **parameters))


def open_units(access: Access, *, read_only: bool = False) -> Units:
    """The units of a database, over a connection of their own. StateError."""
    return Units(Store(access, read_only=read_only, besides=prepare))


def _refuse_followed(cursor: Cursor, run: str, member: str) -> None:
    for followed, name, host, silent, lease in _rows(cursor, "followed", member=member, earlier=""):
        if followed == run:
            raise RunFollowed(run=run, name=name, host=host, silent=round(silent), lease=round(lease))


def _ask(cursor: Cursor, query: str, **parameters: Any) -> None:
    cursor.execute(QUERIES[query], parameters)


def _rows(cursor: Cursor, query: str, **parameters: Any) -> list[Any]:
    return cursor.execute(QUERIES[query], parameters).fetchall()


def _one(cursor: Cursor, query: str, **parameters: Any) -> Any:
    return _rows(cursor, query, **parameters)[0]


def _queued(cursor: Cursor, run: str | None) -> list[Queued]:
    rows = _rows(cursor, "queued", run=run)
    return [Queued(number, tuple(sites), why, orphaned) for number, sites, why, orphaned in rows]


def _order(run: str, order: Order) -> dict[str, Any]:
    hand = [[limit.what, limit.run, limit.backup_server, value] for limit, value in order.by_hand]
    most = {limit.run: value for limit, value in order.by_hand if limit.what == "mounts"}
    limits = {"by_hand": json.dumps(hand), "mounts": most.get(run), "mounts_of_all": most.get("")}
    wanted = {"draining": order.draining, "cancelled": order.cancelled, "paused": order.paused}
    return {"run": run, "holding": order.holding} | wanted | limits


def _read_order(row: Sequence[Any]) -> Order:
    draining, cancelled, paused, holding, hand = row
    by_hand = tuple((Limit(what, run, server), value) for what, run, server, value in hand)
    return Order(draining, cancelled, paused, holding, by_hand)


def _unit_row(unit: Unit, route: Route) -> dict[str, Any]:
    return {
        "run": unit.run,
        "group": unit.group,
        "vm": unit.vm,
        "server": unit.backup_server,
        "position": unit.position,
        "sites": list(unit.sites),
        "seats": json.dumps(dict(unit.seats)),
        "route": route.id,
        "content": unit.content,
    }


def _member_now(row: Sequence[Any]) -> MemberNow:
    name, called, kind, site, mounts, host, version, lease, state, silent, units, files, size = row
    member = Member(name, called, MemberKind(kind), site, mounts, host, version, lease)
    return MemberNow(member, MemberState(state), float(silent), units, Pace(files, size))
