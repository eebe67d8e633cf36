"""The units of a fleet in a real PostgreSQL, and the queue that hands them out: the two never say different things."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from orchestrator.core.fleet import Member, MemberKind, Order, Taken, Unit
from orchestrator.core.fleet_errors import NameTaken, UnitLost
from orchestrator.journal_postgres import Access, Units, open_units
from orchestrator.journal_postgres.waiting import TRIES

Join = Callable[..., str]


@pytest.fixture
def access(database: str) -> Access:
    return Access(dsn=database)


@pytest.fixture
def units(access: Access) -> Iterator[Units]:
    with closing(open_units(access)) as opened:
        yield opened


@pytest.fixture
def join(units: Units) -> Join:
    """A worker that serves: its id."""

    def joined(name: str = "w1", site: str = "", lease: float = 60.0) -> str:
        member = Member(uuid4().hex, name, MemberKind.WORKER, site, 8, "host", "1", lease)
        units.join(member)
        return member.id

    return joined


def unit(group: str, *, run: str = "r", position: int = 0, server: str = "vbr01", **more: Any) -> Unit:
    more = {"vm": f"vm-{group}", "sites": (), "seats": {"all": 20}, "content": "{}", **more}
    more["seats"] = {**more["seats"], f"machine {server} {more['vm']}": 1}
    return Unit(run, group, backup_server=server, position=position, **more)


def taken(units: Units, member: str) -> str | None:
    found = units.take(member)
    return found and found.unit.group


def in_queue(database: str) -> dict[str, str]:
    """The units of the queue, as it says that they stand."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT dedupe_key, status::text FROM orchestrator.pgqueuer").fetchall()
    return {name: {"queued": "waiting", "picked": "taken"}[status] for name, status in rows}


def in_table(database: str) -> dict[str, str]:
    """The units of the table that are not over."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT run || '/' || group_id, state FROM orchestrator.units WHERE state <> 'over'")
        return dict(rows.fetchall())


@pytest.fixture(autouse=True)
def the_two_agree_in_the_end(database: str, units: Units) -> Iterator[None]:
    yield
    assert in_queue(database) == in_table(database)


def test_units_go_in_the_order_of_their_plans_and_those_of_two_runs_by_turns(units: Units, join: Join) -> None:
    me = join()
    for run in ("r1", "r2"):
        units.submit([unit(f"g{n}", run=run, position=n, vm=f"{run}-{n}") for n in range(3)], "s")

    order = [found.unit.run + found.unit.group for _ in range(6) if (found := units.take(me))]

    assert order == ["r1g0", "r2g0", "r1g1", "r2g1", "r1g2", "r2g2"]
    assert units.take(me) is None


def test_a_full_seat_holds_back_its_units_and_no_others(units: Units, join: Join) -> None:
    me = join()
    full = {"all": 20, "server vbr01": 1}
    units.submit([unit("g0", seats=full), unit("g1", position=1, seats=full), unit("g2", position=2, server="x")], "s")

    first = units.take(me)
    assert first is not None
    assert first.unit.group == "g0"
    assert taken(units, me) == "g2", "the place of g1 is taken"
    assert taken(units, me) is None
    units.settle(first, me, over=True)
    assert taken(units, me) == "g1"


def test_a_machine_that_has_a_mount_lets_others_pass_and_its_next_unit_goes_when_it_has_none(
    units: Units, join: Join
) -> None:
    me = join()
    points = [unit(f"g{n}", position=n, vm="fs01") for n in range(3)]
    units.submit([*points, unit("g3", position=3)], "s")

    first = units.take(me)
    assert first is not None
    assert [taken(units, me), taken(units, me)] == ["g3", None]
    units.settle(first, me, over=True)
    assert [taken(units, me), taken(units, me)] == ["g1", None]


def test_more_units_than_are_looked_at_at_once_stand_before_the_one_that_has_room(units: Units, join: Join) -> None:
    me = join()
    held = [unit(f"g{n:03d}", position=n, vm="fs01") for n in range(2 * TRIES + 2)]
    units.submit([*held, unit("free", position=1000)], "s")

    assert [taken(units, me) for _ in range(3)] == ["g000", "free", None]


def test_two_runs_share_what_a_seat_carries_also_when_one_of_them_alone_would_not_fill_it(
    units: Units, join: Join
) -> None:
    me = join()
    seats = {"server vbr01": 2}
    units.submit([unit(f"g{n}", run="r1", position=n, vm=f"a{n}", seats=seats) for n in range(3)], "s")
    units.submit([unit("g0", run="r2", vm="b0", seats=seats)], "s")

    first, second = units.take(me), units.take(me)
    assert first is not None
    assert second is not None
    assert (first.unit.run, second.unit.run) == ("r1", "r2")
    assert units.take(me) is None
    units.settle(second, me, over=False)
    assert units.take(me) is not None
    assert units.take(me) is None


def test_a_unit_that_nobody_knows_of_any_more_stands_in_nobodys_way(units: Units, join: Join, database: str) -> None:
    me = join()
    units.submit([unit("g0"), unit("g1", position=1)], "s")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE orchestrator.units SET state = 'over' WHERE group_id = 'g0'")

    assert [taken(units, me), taken(units, me)] == ["g1", None]


def test_a_unit_goes_to_its_site_and_elsewhere_only_while_nobody_serves_there(units: Units, join: Join) -> None:
    berlin, hamburg = join("b", "berlin"), join("h", "hamburg")
    units.submit(
        [unit("g0", sites=("berlin", "hamburg")), unit("g1", position=1, sites=("berlin", "hamburg")),
         unit("g2", position=2, sites=("hamburg",))], "s",
    )  # fmt: skip

    assert [taken(units, hamburg), taken(units, hamburg), taken(units, berlin)] == ["g2", None, "g0"]
    units.withdraw(berlin)
    assert taken(units, hamburg) == "g1"


def test_what_a_worker_cannot_do_waits_for_others_until_it_begins_anew(units: Units, join: Join) -> None:
    me, other = join("w1"), join("w2")
    units.submit([unit("g0")], "s")
    first = units.take(me)
    assert first is not None
    units.refuse(first, me, "no share")

    assert units.take(me) is None
    again = units.take(other)
    assert again is not None
    units.refuse(again, other, "no share either")
    assert units.take(other) is None
    units.leave(me)
    assert taken(units, join("w1")) == "g0"


def test_what_many_units_were_refused_for_is_offered_to_who_begins_anew(units: Units, join: Join) -> None:
    me = join("w1")
    units.submit([unit(f"g{n}", position=n, server=f"s{n % 2}") for n in range(6)], "s")
    for _ in range(5):
        found = units.take(me)
        assert found is not None
        units.refuse(found, me, "no share")
    last = units.take(me)
    assert units.take(me) is None

    units.leave(me)  # it still has one
    with pytest.raises(NameTaken):
        join("w1")
    assert last is not None
    units.settle(last, me, over=False)
    units.leave(me)
    assert [taken(units, join("w2")) for _ in range(1)] == ["g0"]
    again = join("w1")
    assert [taken(units, again) for _ in range(6)] == ["g1", "g2", "g3", "g4", "g5", None]


def test_a_paused_run_keeps_its_units_and_a_draining_one_ends_those_that_wait(
    units: Units, join: Join, database: str
) -> None:
    me = join()
    units.submit([unit("g0"), unit("g1", position=1)], "s")
    first = units.take(me)
    units.order("r", Order(paused=True))
    assert units.take(me) is None
    units.order("r", Order())
    second = units.take(me)
    assert second is not None
    units.settle(second, me, over=False)

    units.order("r", Order(draining=True))

    assert units.take(me) is None
    assert in_queue(database) == {"r/g0": "taken"}
    assert first is not None
    units.settle(first, me, over=False)
    assert units.follow("r").unfinished == 0


def test_a_dead_worker_has_its_units_until_somebody_has_cleared_up(units: Units, join: Join) -> None:
    dead = join("dead", lease=0.0)
    units.submit([unit("g0")], "s")
    old = units.take(dead)
    heir = join("heir")
    heard = units.renew(heir)

    assert heard is not None
    assert heard.heir_of == (dead,)
    assert units.take(heir) is None, "its mounts are still there"
    units.bury(dead, heir)
    new = units.take(heir)

    assert old is not None
    assert new is not None
    assert new.number > old.number
    with pytest.raises(UnitLost):
        units.settle(old, dead, over=True)
    units.settle(new, heir, over=True)


def test_a_run_that_is_submitted_again_waits_by_what_is_said_now(units: Units, join: Join) -> None:
    hamburg = join("h", "hamburg")
    units.submit([unit("g0", sites=("berlin",)), unit("g1", position=1, sites=("hamburg",))], "s")
    held = units.take(hamburg)
    units.submit([unit(f"g{n}", position=n, sites=("hamburg",)) for n in range(3)], "s")

    assert held is not None
    assert held.unit.group == "g1"
    assert [taken(units, hamburg) for _ in range(3)] == ["g0", "g2", None]
    units.settle(held, hamburg, over=True)


def test_a_run_that_is_forgotten_leaves_nothing_behind(units: Units, join: Join, database: str) -> None:
    me = join()
    units.submit([unit("g0"), unit("g1", position=1)], "s")
    held = units.take(me)
    units.forget("r")

    assert in_queue(database) == {}
    assert held is not None
    with pytest.raises(UnitLost):
        units.settle(held, me, over=True)
    units.submit([unit("g0")], "s")
    again = units.take(me)
    assert isinstance(again, Taken)
    assert replace(again, number=0).unit == unit("g0")
