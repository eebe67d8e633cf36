"""Units that wait: in the table, and in the queue that hands them out. Both change in one transaction.

The tables say by which routes a worker may have something now, and the queue what of that comes next.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import psycopg

from orchestrator.core.fleet import Taken, Unit, UnitState
from orchestrator.journal_postgres.queries import FLEET as QUERIES
from orchestrator.journal_postgres.routes import Route
from orchestrator.unit_queue import Deferred, UnitQueue

Cursor = psycopg.Cursor[tuple[Any, ...]]
Row = Sequence[Any]
"""Run, group, state, position and route of a unit."""

QUEUE = UnitQueue()

TRIES = 50
"""Units that are looked at in one transaction, in which nobody else can take one."""

KEPT_DAYS = 1.0
"""How long the queue remembers units that came and went; nothing of ours asks for it."""


def enter(cursor: Cursor, units: Iterable[Row]) -> None:
    """Units have come to wait, or have ceased to: in the queue are those that wait, each by its route."""
    known = list(units)
    QUEUE.withdraw(cursor, [_name(run, group) for run, group, *_ in known])
    waiting = (one for one in known if one[2] == UnitState.WAITING.value)
    QUEUE.defer(cursor, [Deferred(_name(run, group), route, -position) for run, group, _, position, route in waiting])


def next_unit(cursor: Cursor, member: str) -> tuple[Taken | None, bool]:
    """The next unit for a member, and whether that is the answer; else there was none among the first ones, and it is
    to be asked again. Who looks in vain holds nobody up."""
    if not QUEUE.waits(cursor, [route for route, _ in _rows(cursor, "routes", member=member)]):
        return None, True
    cursor.execute(QUERIES["one_at_a_time"])
    for number, taken in enumerate(_looked_at(cursor, member), 1):
        if taken is not None:
            return taken, True
        if number == TRIES:
            return None, False
    return None, True


def write_routes(cursor: Cursor, routes: Iterable[Route]) -> None:
    """Units may wait by these routes."""
    cursor.executemany(
        QUERIES["write_route"], [_route_row(name, one) for name, one in {r.id: r for r in routes}.items()]
    )


def lead(cursor: Cursor, units: Iterable[Row]) -> None:
    """Units whose refusals have changed, with the names of those who refuse them, wait by other routes."""
    known: dict[tuple[str, tuple[str, ...]], str] = {}
    led: list[Row] = []
    for run, group, state, position, old, names in units:
        refused = tuple(sorted(names))
        if (old, refused) not in known:
            new = replace(_route(cursor, old), refused=refused)
            write_routes(cursor, [new])
            known[old, refused] = new.id
        led.append((run, group, state, position, known[old, refused]))
    cursor.executemany(QUERIES["lead"], [{"run": one[0], "group": one[1], "route": one[4]} for one in led])
    enter(cursor, [one for one in led if one[2] == UnitState.WAITING.value])


def _looked_at(cursor: Cursor, member: str) -> Iterator[Taken | None]:
    """What the queue gives a member, the nearest first; None for what has no room."""
    who = uuid5(NAMESPACE_OID, member)
    for _, alike in groupby(_rows(cursor, "routes", member=member), itemgetter(1)):
        routes = [route for route, _ in alike]
        while (name := QUEUE.take(cursor, who, routes)) is not None:
            run, _, group = name.partition("/")  # the name of a run has no slash
            full = _rows(cursor, "full", run=run, group=group)
            if full:
                _hold_back(cursor, run, group, full)
                yield None
                continue
            given = _rows(cursor, "give", member=member, run=run, group=group)
            for vm, server, position, sites, seats, content, number in given:
                before = tuple(one for (one,) in _rows(cursor, "held_before", run=run, group=group, member=member))
                yield Taken(Unit(run, group, vm, server, position, tuple(sites), seats, content), number, before)
            if not given:  # somebody has changed the tables by hand
                QUEUE.withdraw(cursor, [name])


def _hold_back(cursor: Cursor, run: str, group: str, full: Sequence[Row]) -> None:
    """A unit that has no room because of seats that its route does not know waits by one that knows them."""
    _, _, position, old = full[0]
    route = _route(cursor, old)
    held = replace(route, seats={**route.seats, **{seat: most for seat, most, *_ in full}})
    write_routes(cursor, [held])
    enter(cursor, [(run, group, UnitState.WAITING.value, position, held.id)])


def _route(cursor: Cursor, name: str) -> Route:
    [(run, sites, seats, refused)] = _rows(cursor, "route", id=name)
    return Route(run, tuple(sites), seats, tuple(refused))


def _rows(cursor: Cursor, query: str, **parameters: Any) -> list[Any]:
    return cursor.execute(QUERIES[query], parameters).fetchall()


def _name(run: str, group: str) -> str:
    """A unit as the queue knows it."""
    return f"{run}/{group}"


def _route_row(name: str, route: Route) -> dict[str, Any]:
    row: dict[str, Any] = {"id": name, "run": route.run, "sites": list(route.sites), "refused": list(route.refused)}
    return row | {"seats": json.dumps(dict(route.seats))}
