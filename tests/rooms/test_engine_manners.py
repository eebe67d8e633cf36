"""Manners of the engine: how often EM is asked, what a backup server in trouble is given, how full a disk may get."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from orchestrator.config import LimitSettings
from orchestrator.core import health
from orchestrator.core.catalog import RestorePoint, Task
from orchestrator.core.errors import StoppedEarly
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.limits import Limits
from orchestrator.core.plan import MountGroup
from orchestrator.engine.leases import Leases
from orchestrator.engine.rooms import EngineSettings, Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.space import SpaceGuard
from orchestrator.engine.stopping import Stop
from tests.chaos.test_lease_machine import POINTS, START, ScriptedEm, process
from tests.core.values import group
from tests.support.fakes import MemoryJournal
from tests.support.watchtower import VirtualLoop

SLOW = 6
"""The answer of ScriptedEm to a POST whose task takes 300 seconds."""


def now() -> datetime:
    return datetime.now(UTC)


def told(story: Callable[[], Awaitable[None]]) -> None:
    """A story on a loop whose clock jumps, without threads."""

    async def tell() -> None:
        await story()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(tell())


# How often EM is asked


@dataclass
class Watched(ScriptedEm):
    """Notes when it was asked for a task."""

    looks: list[float] = field(default_factory=list)

    async def task(self, href: str, generation: int) -> Task:
        self.looks.append(asyncio.get_running_loop().time())
        assert len(self.looks) < 1000, "it is asked for without end"
        return await super().task(href, generation)


def test_a_task_is_looked_at_no_more_than_once_a_second_and_less_and_less_often() -> None:
    em = Watched([0, SLOW], MemoryJournal())

    async def story() -> None:
        em.journal.begin(RunRow("r1", "job", RunState.RUNNING, START, "{}"))
        em.log_on()
        rooms, books = process(em, "a")
        async with Leases(rooms, books, "r1").hold(MountGroup("g1", POINTS[0], None, ())):
            pass

    told(story)
    gaps = [later - earlier for earlier, later in zip([0.0, *em.looks], em.looks, strict=False)]
    assert em.looks[-1] >= 300, "to the end of the task"
    assert min(gaps) >= 1
    assert max(gaps) == 10
    assert gaps == sorted(gaps)


def test_a_deletion_whose_task_fails_is_asked_for_again_until_the_mount_is_gone() -> None:
    fails = 5
    em = Watched([0, 0, 0, fails, fails], MemoryJournal())

    async def story() -> None:
        em.journal.begin(RunRow("r1", "job", RunState.RUNNING, START, "{}"))
        em.log_on()
        rooms, books = process(em, "a")
        async with Leases(rooms, books, "r1").hold(MountGroup("g1", POINTS[0], None, ())):
            assert len(em.living()) == 1
        assert em.living() == []

    told(story)
    assert em.script == [], "both answers were given"


def test_a_stop_that_comes_while_em_is_asked_what_is_mounted_has_nothing_mounted_any_more() -> None:
    stop = Stop(lambda event: None, now)

    class Slow(ScriptedEm):
        async def existing(self, point: RestorePoint, generation: int) -> frozenset[str]:
            stop.drain()
            return await super().existing(point, generation)

    em = Slow([], MemoryJournal())

    async def story() -> None:
        em.journal.begin(RunRow("r1", "job", RunState.RUNNING, START, "{}"))
        em.log_on()
        rooms, books = process(em, "a")
        with pytest.raises(StoppedEarly):
            async with Leases(rooms, books, "r1", stop).hold(MountGroup("g1", POINTS[0], None, ())):
                pass
        assert em.tasks == [], "a mount was asked for after the stop"
        assert em.journal.open_leases() == []

    told(story)


def test_the_config_asks_for_no_more_unless_it_says_so() -> None:
    assert LimitSettings().poll_interval >= 1


# What a backup server in trouble is given


@dataclass
class Waiting:
    """A run whose groups wait for a place."""

    waiting: Sequence[MountGroup]
    priority: int = 0
    room: bool = True


def seats_of(run: Waiting, per_server: int) -> Seats:
    seats = Seats(EngineSettings(Limits(20, {}, per_server), lambda name: None), lambda event: None, now)
    seats.enter(run)
    return seats


def taken(seats: Seats, run: Waiting) -> int:
    """How many groups get a place now; they have given it back afterwards."""
    groups = []
    while (one := seats.take(run)) is not None:
        groups.append(one)
        run.waiting = [other for other in run.waiting if other is not one]
    run.waiting = [*groups, *run.waiting]
    for one in groups:
        seats.give_back(one)
    return len(groups)


def many() -> Waiting:
    return Waiting([group(f"vm{number}", "vbr01", f"{number}") for number in range(12)])


def test_a_server_that_fails_or_gets_slow_is_given_half_and_gets_it_back_mount_by_mount() -> None:
    async def story() -> None:
        run = many()
        seats = seats_of(run, 8)
        assert taken(seats, run) == 8
        seats.failed("vbr01", "no proxy")
        assert taken(seats, run) == 4
        seats.mounted("vbr01", 10)
        assert taken(seats, run) == 5
        seats.mounted("vbr01", 100)
        assert taken(seats, run) == 2
        for expected in (3, 4, 5, 6, 7, 8, 8):
            seats.mounted("vbr01", 10)
            assert taken(seats, run) == expected

    told(story)


def test_a_paused_server_is_given_one_mount_to_try_when_its_pause_is_over_and_the_others_wait_for_nothing() -> None:
    async def story() -> None:
        run = Waiting([*many().waiting, group("web", "vbr02", "w")])
        seats = seats_of(run, 8)
        for _ in range(health.TRIP_AFTER):
            seats.failed("vbr01", "no proxy")
        assert taken(seats, run) == 1, "the one of vbr02"
        run.waiting = many().waiting
        seats.stir()
        begun = anyio.current_time()
        await seats.change()
        assert anyio.current_time() - begun == pytest.approx(health.PAUSE, abs=1)
        assert taken(seats, run) == 1, "one to try"
        seats.mounted("vbr01", 10)
        assert taken(seats, run) > 1

    told(story)


# How full a disk may get


class Disk:
    """A destination whose free bytes are known, and whose writes are granted before they are done."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.looks = 0

    def free_space(self, root: str) -> int:
        self.looks += 1
        return self.free


def guard_of(disk: Disk, reserve: int) -> SpaceGuard:
    settings = EngineSettings(Limits(1), lambda name: None, reserve=reserve, space_wait=0.1)
    nothing: Any = None
    target: Any = disk
    rooms = Rooms(
        catalogue=nothing, mounts=nothing, browser=nothing, session=nothing, reviver=nothing, source=nothing,
        target=target, runs=nothing, leases=nothing, outcomes=nothing, asides=nothing, fidelity=nothing,
        answers=nothing, originals=nothing, restorer=nothing, emit=lambda event: None,
        clock=now, new_id=str, em_url="https://em", settings=settings,
    )  # fmt: skip
    return SpaceGuard(rooms, Stop(lambda event: None, now))


@pytest.mark.parametrize("reserve", [0, 1000])
async def test_between_two_looks_no_more_is_granted_than_was_free_above_the_reserve(reserve: int) -> None:
    disk = Disk(reserve + 100)
    guard = guard_of(disk, reserve)
    granted = 0
    while await guard.room_for("/restore", 30, lambda beat: 30):
        disk.free -= 30
        granted += 30
        assert granted <= 100, "the reserve is touched"
    assert granted == 90
    assert disk.free >= reserve
