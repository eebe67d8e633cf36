"""What wakes the members of a fleet, over a real PostgreSQL: signs while they come, else a look now and then."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from uuid import uuid4

import psycopg
import pytest
from anyio import create_task_group, fail_after, to_thread

from orchestrator.core.events import Notice
from orchestrator.core.fleet import Member, MemberKind, Order, Unit
from orchestrator.engine import alarm as alarming
from orchestrator.engine.alarm import Alarm, Bell
from orchestrator.journal_postgres import Access, Units, open_signs, open_units
from orchestrator.unit_queue import waker as waking
from tests.support.deaf import deaf_way
from tests.support.ledger_rows import later
from tests.support.postgres import Postgres, postgres

NEVER = 3600.0
"""Seconds after which nobody looks by himself in a test."""


@pytest.fixture
def units(database: str) -> Iterator[Units]:
    with closing(open_units(Access(database))) as opened:
        yield opened


@asynccontextmanager
async def alarm_of(dsn: str, kind: MemberKind) -> AsyncIterator[Alarm]:
    """An alarm that is kept."""
    with closing(Alarm(open_signs(Access(dsn), kind))) as alarm:
        async with create_task_group() as tasks:
            tasks.start_soon(alarm.keep)
            yield alarm
            tasks.cancel_scope.cancel()


async def until_signs_arrive(alarm: Alarm, bell: Bell) -> None:
    """Past the first sign, which says that some may have been missed."""
    with fail_after(15):
        while not alarm.arrives or await bell.rest(0.3, 0.3):
            await bell.rest(0.01, 0.01)


def join(units: Units, name: str) -> str:
    member = Member(uuid4().hex, name, MemberKind.WORKER, "", 4, "host", "1", 60.0)
    units.join(member)
    return member.id


def unit(group: str, run: str = "r") -> Unit:
    return Unit(run, group, group, "vbr01", 0, (), {"all": 1}, "{}")


async def test_workers_that_rest_are_woken_by_what_may_give_them_a_unit(database: str, units: Units) -> None:
    me = join(units, "w1")
    units.submit([unit("g0"), unit("g1")], "s")
    first = units.take(me)
    assert first is not None
    assert units.take(me) is None, "the only seat is taken"

    acts: list[Callable[[], None]] = [
        lambda: units.submit([unit("g2", "other")], "s"),
        lambda: units.settle(first, me, over=True),
        lambda: units.order("r", Order(paused=True)),
        lambda: units.order("r", Order()),
        lambda: units.withdraw(me),
    ]
    async with alarm_of(database, MemberKind.WORKER) as alarm:
        bell = alarm.bell()
        await until_signs_arrive(alarm, bell)
        assert not await bell.rest(0.01, 0.01)
        for act in acts:
            await to_thread.run_sync(act)
            with fail_after(15):
                assert await bell.rest(NEVER, NEVER)


async def test_looking_for_a_unit_wakes_nobody(database: str, units: Units) -> None:
    me = join(units, "w1")
    units.submit([unit("g0"), unit("g1")], "s")
    async with alarm_of(database, MemberKind.WORKER) as alarm:
        bell = alarm.bell()
        await until_signs_arrive(alarm, bell)
        assert await to_thread.run_sync(units.take, me) is not None
        assert await to_thread.run_sync(units.take, me) is None
        assert not await bell.rest(0.3, 0.3)


async def test_a_submitter_is_woken_by_news_of_its_own_run_alone(database: str, units: Units) -> None:
    me = join(units, "w1")
    units.submit([unit("g0", "mine"), unit("g1", "other")], "s")
    taken = units.take(me)
    assert taken is not None
    assert taken.unit.run == "mine"
    async with alarm_of(database, MemberKind.SUBMITTER) as alarm:
        mine, other = alarm.bell("mine"), alarm.bell("other")
        await until_signs_arrive(alarm, mine)
        await until_signs_arrive(alarm, other)
        await to_thread.run_sync(units.tell, "mine", [Notice(later(1), "so far")])
        with fail_after(15):
            assert await mine.rest(NEVER, NEVER)
        await to_thread.run_sync(units.settle, taken, me, True)
        with fail_after(15):
            assert await mine.rest(NEVER, NEVER)
        assert not await other.rest(0.01, 0.01)


async def test_a_bell_that_rings_while_nobody_rests_is_not_lost(database: str) -> None:
    with closing(Alarm(open_signs(Access(database), MemberKind.WORKER))) as alarm:
        bell = alarm.bell()
        bell.ring()
        assert await bell.rest(NEVER, NEVER)
        assert not await bell.rest(0.01, NEVER), "signs are not known to arrive: it looks often"


async def test_nobody_hangs_while_the_server_is_away_and_signs_come_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarming, "HOLD", 0.3)
    with postgres() as server, closing(open_units(Access(server.dsn))) as units:
        async with alarm_of(server.dsn, MemberKind.WORKER) as alarm:
            bell = alarm.bell()
            await until_signs_arrive(alarm, bell)
            await to_thread.run_sync(server.stop, signal.SIGQUIT)
            with fail_after(15):
                while alarm.arrives:
                    await bell.rest(0.01, 0.01)
                await bell.rest(0.01, NEVER)
            await to_thread.run_sync(server.start)
            await until_signs_arrive(alarm, bell)
            await to_thread.run_sync(units.submit, [unit("g0")], "s")
            with fail_after(15):
                assert await bell.rest(NEVER, NEVER)


async def test_whoever_hears_no_signs_looks_often(
    postgres_server: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "PROVE_WITHIN", 0.1)
    with deaf_way(postgres_server.port) as port:
        through = database.replace(str(postgres_server.port), str(port)) + "?sslmode=disable&gssencmode=disable"
        async with alarm_of(through, MemberKind.WORKER) as alarm:
            bell = alarm.bell()
            with fail_after(15):
                assert await bell.rest(NEVER, NEVER), "it listens"
                with psycopg.connect(database, autocommit=True) as connection:
                    connection.execute("NOTIFY orchestrator_units")
                assert not await bell.rest(0.05, NEVER)
            assert not alarm.arrives
