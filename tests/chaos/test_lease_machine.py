"""Leases against every sequence of answers: whatever EM says, what it holds is in the journal, and is cleared at last.

Enterprise Manager is a value here that answers what Hypothesis draws, on an event loop whose clock jumps: a mount that
takes ten minutes takes no time. The journal is in memory. The demands are checked at every single call.
"""

import asyncio
import selectors
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.catalog import FlrState, GuestOs, Mount, RestorePoint, Task, TaskPhase
from orchestrator.core.errors import (
    AnswerUnreadable,
    EmError,
    EmFault,
    EmUnreachable,
    NotFound,
    OrchestratorError,
    OutcomeUnknown,
    SessionEnded,
)
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.lifecycle import OPEN_STATES, LeaseState
from orchestrator.core.limits import Limits
from orchestrator.core.plan import MountGroup
from orchestrator.engine.books import Books
from orchestrator.engine.leases import Leases
from orchestrator.engine.restore import leave
from orchestrator.engine.rooms import EngineSettings, Rooms
from orchestrator.engine.sweeping import sweep
from tests.support.chaos import Killed
from tests.support.fakes import MemoryJournal

START = datetime(2026, 11, 20, tzinfo=UTC)
POINTS = tuple(
    RestorePoint(f"uid{n}", f"vm{n}", START, "vbr01", f"/points/{n}/mounts", f"/points/{n}/mounts") for n in (1, 2)
)


UNSETTLED = (LeaseState.INTENDED, LeaseState.REQUESTED, LeaseState.HELD)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time passes at once: when there is nothing to do but wait, the clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._jumped = 0.0
        real = self._selector.select

        def select(timeout: float | None) -> Any:
            events = real(0)
            if timeout and not events:
                self._jumped += timeout
            return events

        self._selector.select = select  # type: ignore[method-assign]

    def time(self) -> float:
        return super().time() + self._jumped


@dataclass(eq=False)
class Held:
    """A mount at EM; it is there from `since` on, in seconds of the loop."""

    href: str
    point: RestorePoint
    session: int
    since: float


@dataclass(eq=False)
class Order:
    """A task at EM."""

    href: str
    session: int
    until: float
    success: bool | None = True
    related: str = ""


@dataclass
class ScriptedEm:
    """EM and its client's promises: single sessions with generations, mounts that live in one session. Every call takes
    the next number of `script`; 0, and what comes after the end of the script, is good behaviour."""

    script: list[int]
    journal: MemoryJournal
    cancel_at: int = 0
    kill_at: int = 0
    calls: int = 0
    live: int = 0
    logons: int = 0
    alive: set[int] = field(default_factory=set)
    mounts: list[Held] = field(default_factory=list)
    tasks: list[Order] = field(default_factory=list)
    numbers: int = 0
    scope: anyio.CancelScope | None = None
    dead: bool = False

    # --- the script

    def step(self, *answers: str) -> str:
        """Which answer this call gets; every call is also a moment to look at the demands."""
        self.calls += 1
        if self.dead or self.calls == self.kill_at:
            self.dead = True
            raise Killed("killed")
        if self.calls == self.cancel_at and self.scope is not None:
            self.scope.cancel()
        self.demand_journalled()
        number = self.script.pop(0) if self.script else 0
        return ("good", *answers)[number % (len(answers) + 1)]

    def demand_journalled(self) -> None:
        assert len(self.alive) <= 1, "two sessions"
        rows = self.journal.open_leases()
        for mount in self.living():
            assert any(covers(row, mount) for row in rows), f"{mount} is in no open lease: {rows}"

    def living(self) -> list[Held]:
        now = asyncio.get_running_loop().time()
        return [one for one in self.mounts if one.since <= now and one.session in self.alive]

    def end_session(self) -> None:
        self.alive.discard(self.live)
        self.mounts = [one for one in self.mounts if one.session in self.alive]
        self.live = 0

    def under(self, generation: int, answer: str) -> None:
        """What every call does first: 401 ends the session for all and logs on anew."""
        if answer == "401":
            self.end_session()
            self.log_on()
            raise SessionEnded(what="401")
        if generation != self.live:
            raise SessionEnded(what=f"belongs to {generation}")
        if answer == "500":
            raise EmFault(status=500, what="a request", cause="scripted")
        if answer == "garbage":
            raise AnswerUnreadable(what="a request", cause="scripted")
        if answer == "drop":
            raise EmUnreachable(url="em", cause="scripted")

    def log_on(self) -> None:
        self.logons += 1
        self.live = self.logons
        self.alive.add(self.live)

    def made(self, point: RestorePoint, after: float) -> Held:
        self.numbers += 1
        mount = Held(f"{point.mounts_href}/{self.numbers}", point, self.live, asyncio.get_running_loop().time() + after)
        self.mounts.append(mount)
        return mount

    # --- Session and Reviver

    @property
    def generation(self) -> int:
        return self.live

    async def open(self) -> int:
        await anyio.lowlevel.checkpoint()
        self.step()
        if not self.live:
            self.log_on()
        return self.live

    async def close(self) -> None:
        answer = self.step("drop")
        if answer == "drop":
            raise EmUnreachable(url="em", cause="scripted")
        self.end_session()

    def forget(self) -> None:
        self.live = 0

    def sealed(self) -> bytes:
        return str(self.live).encode()

    async def revive(self, sealed: bytes) -> "Past":
        self.step()
        if int(sealed) not in self.alive:
            raise SessionEnded(what="gone")
        return Past(self, int(sealed))

    # --- Mounts

    async def existing(self, point: RestorePoint, generation: int) -> frozenset[str]:
        await anyio.lowlevel.checkpoint()
        self.under(generation, self.step("401", "500", "garbage"))
        return frozenset(one.href for one in self.living() if one.point == point and one.session == generation)

    async def request(self, point: RestorePoint, os: GuestOs | None, generation: int) -> Task:
        answer = self.step(
            "401", "refused", "not made", "made", "made late", "slow", "no link", "failed", "failed but made", "odd"
        )
        self.under(generation, answer if answer == "401" else "good")
        if answer == "refused":
            raise EmFault(status=400, what="the mount", cause="scripted")
        if answer == "not made":
            raise OutcomeUnknown(what="the mount", cause="scripted")
        wait = {"made late": 100.0, "slow": 300.0}.get(answer, 0.0)
        order = Order(f"/tasks/{len(self.tasks) + 1}", self.live, asyncio.get_running_loop().time() + wait)
        self.tasks.append(order)
        order.success = {"failed": False, "failed but made": False, "odd": None}.get(answer, True)
        if answer not in ("failed", "odd"):
            mount = self.made(point, wait)
            order.related = "" if answer in ("no link", "failed but made") else mount.href
        if answer in ("made", "made late"):
            await anyio.lowlevel.checkpoint()
            raise OutcomeUnknown(what="the mount", cause="scripted")
        return self.told(order)

    def told(self, order: Order) -> Task:
        if asyncio.get_running_loop().time() < order.until:
            return Task(order.href, TaskPhase.RUNNING)
        related = (order.related,) if order.related else ()
        return Task(order.href, TaskPhase.FINISHED, order.success, "scripted", related)

    async def task(self, href: str, generation: int) -> Task:
        await anyio.lowlevel.checkpoint()
        answer = self.step("401", "500", "drop", "404")
        self.under(generation, answer)
        found = [one for one in self.tasks if one.href == href and one.session == generation]
        if answer == "404" and found and asyncio.get_running_loop().time() >= found[0].until:
            raise NotFound(what="task", cause="EM forgets finished tasks")
        if not found:
            raise NotFound(what="task", cause="not of this session")
        return self.told(found[0])

    async def list_tasks(self, generation: int) -> list[Task]:
        await anyio.lowlevel.checkpoint()
        self.under(generation, self.step("401", "500"))
        return [self.told(one) for one in self.tasks if one.session == generation]

    async def mount(self, href: str, generation: int) -> Mount:
        await anyio.lowlevel.checkpoint()
        self.under(generation, self.step("401", "500", "garbage"))
        if not any(one.href == href for one in self.living()):
            raise NotFound(what="mount", cause="gone")
        return Mount(href, ())

    async def delete(self, href: str, generation: int) -> Task | None:
        await anyio.lowlevel.checkpoint()
        answer = self.step("401", "500", "drop", "task", "task that fails")
        self.under(generation, answer)
        if answer == "task that fails":
            order = Order(f"/tasks/{len(self.tasks) + 1}", self.live, 0.0, False)
            self.tasks.append(order)
            return self.told(order)
        self.mounts = [one for one in self.mounts if one.href != href]
        if answer == "task":
            order = Order(f"/tasks/{len(self.tasks) + 1}", self.live, 0.0, True)
            self.tasks.append(order)
            return self.told(order)
        return None

    async def restore_state(self, point: RestorePoint, since: datetime) -> FlrState:
        return FlrState.WORKING if any(one.point == point for one in self.living()) else FlrState.STOPPED


class Calls:
    """EM's mounts under the names of the port."""

    def __init__(self, em: ScriptedEm, generation: int | None = None) -> None:
        self._em, self._generation = em, generation

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._em, "list_tasks" if name == "tasks" else name)

        async def call(*arguments: Any) -> Any:
            if self._generation is None:
                return await function(*arguments)
            kept, self._em.live = self._em.live, self._generation
            try:
                return await function(*arguments[:-1], self._generation)
            finally:
                self._em.live = kept

        return call


class Past:
    """A session of an earlier process; while it is asked, EM's `live` is that one."""

    def __init__(self, em: ScriptedEm, generation: int) -> None:
        self._em, self._generation = em, generation
        self.mounts = Calls(em, generation)

    async def close(self) -> None:
        self._em.alive.discard(self._generation)
        self._em.mounts = [one for one in self._em.mounts if one.session in self._em.alive]


class DirectBooks(Books):
    """No threads: the clock of the loop may not jump while one works."""

    async def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
            return function(*arguments)


class DeadLedger:
    """The journal of a process that may be dead."""

    def __init__(self, journal: MemoryJournal, em: ScriptedEm) -> None:
        self._journal, self._em = journal, em

    def __getattr__(self, name: str) -> Any:
        if self._em.dead:
            raise Killed("killed")
        return getattr(self._journal, name)


def covers(row: LeaseRow, mount: Held) -> bool:
    """Whether a sweep that reads `row` would delete `mount`."""
    if row.point != mount.point:
        return False
    return row.mount_href == mount.href if row.mount_href else mount.href not in row.before


def rooms_of(em: ScriptedEm, numbers: Callable[[], str]) -> Rooms:
    ledger: Any = DeadLedger(em.journal, em)
    calls: Any = Calls(em)
    box: Any = em
    nothing: Any = None
    return Rooms(
        catalogue=box, mounts=calls, browser=nothing, session=box, reviver=box, source=nothing, target=nothing,
        runs=ledger, leases=ledger, outcomes=ledger, asides=ledger, fidelity=ledger, answers=ledger,
        originals=ledger, restorer=nothing,
        emit=lambda event: None, clock=lambda: START + timedelta(seconds=em.calls), new_id=numbers, em_url="https://em",
        settings=EngineSettings(Limits(4), lambda name: None),
    )  # fmt: skip


def process(em: ScriptedEm, names: str) -> tuple[Rooms, DirectBooks]:
    count = iter(range(10_000))
    rooms = rooms_of(em, lambda: f"{names}{next(count)}")
    return rooms, DirectBooks(rooms.leases, rooms.session, rooms.em_url, rooms.new_id, rooms.clock)


async def one_hold(leases: Leases, point: RestorePoint, times: int) -> None:
    for _ in range(times):
        try:
            async with leases.hold(MountGroup("g1", point, None, ())):
                await anyio.sleep(1)
        except EmError:
            continue


async def one_life(em: ScriptedEm, times: int, both: bool) -> None:
    """A process that holds mounts one after the other, of one point or of two at once, and leaves."""
    rooms, books = process(em, "a")
    leases = Leases(rooms, books, "r1")
    em.log_on()
    try:
        with anyio.CancelScope() as em.scope:
            async with anyio.create_task_group() as tasks:
                for point in POINTS[: 1 + both]:
                    tasks.start_soon(one_hold, leases, point, times)
        em.scope = None
        with suppress(OrchestratorError):  # said as a notice: the session expires, or is swept
            await leave(rooms, books)
    except BaseExceptionGroup as group:
        if group.split(Killed)[0] is None:
            raise
    except Killed:
        pass


async def story(em: ScriptedEm, times: int, both: bool) -> None:
    em.journal.begin(RunRow("r1", "job", RunState.RUNNING, START, "{}"))
    await one_life(em, times, both)
    if not em.dead:
        unsettled = [row for row in em.journal.lease_rows.values() if row.state in UNSETTLED]
        assert not unsettled, "a process that ended in order gave no answer about a mount"
    em.dead, em.kill_at, em.cancel_at, em.script = False, 0, 0, []
    await anyio.sleep(1000)  # what EM was still at work on is done
    em.demand_journalled()
    em.live = 0
    rooms, books = process(em, "b")
    _, left = await sweep(rooms, books, within=1)
    assert not left
    assert em.living() == []
    assert not [row for row in em.journal.lease_rows.values() if row.state in OPEN_STATES]
    known = any(row.generation in em.alive for row in em.journal.session_rows.values())
    assert not known, "a session that the journal knows was not logged off"


@settings(deadline=None, max_examples=400, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=st.lists(st.integers(0, 10), max_size=30),
    times=st.integers(1, 3),
    both=st.booleans(),
    cancel_at=st.integers(0, 25),
    kill_at=st.integers(0, 25),
)
def test_no_sequence_of_answers_leaves_a_mount_that_the_journal_does_not_hold(
    script: list[int], times: int, both: bool, cancel_at: int, kill_at: int
) -> None:
    em = ScriptedEm(list(script), MemoryJournal(), cancel_at, kill_at)
    loop = JumpingLoop()
    try:
        loop.run_until_complete(story(em, times, both))
    finally:
        loop.close()
