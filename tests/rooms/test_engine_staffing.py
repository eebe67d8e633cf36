"""Whether the fleet has workers for what waits: told in words when that changes, and an end when nobody comes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from orchestrator.core.events import Event, GroupsStuck, SitePace
from orchestrator.core.fleet import Member, MemberKind, MemberNow, MemberState, Pace, Queued
from orchestrator.core.plan import MountGroup
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.ports_dispatch import Membership, Submissions, Turn
from orchestrator.engine.staffing import ANSWERED_WITHIN, ASK_AGAIN_EVERY, Staffing
from tests.views.samples import sample_plan

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
NOBODY = "no worker of berlin is serving; start one: orchestrator worker --site berlin"
REFUSED = "w1 refuses: no share"
STILL = Pace()


class Asked:
    """Books without a journal."""

    async def ask(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)


@dataclass
class Fleet:
    """What the shared journal says, changed by hand."""

    there: list[MemberNow] = field(default_factory=list)
    queued: list[Queued] = field(default_factory=list)
    given_up: dict[str, Queued] = field(default_factory=dict)
    asked: list[tuple[float | None, bool]] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    ended: list[tuple[str, Turn]] = field(default_factory=list)

    def members(self) -> list[MemberNow]:
        return self.there

    def unserved(self, run: str, patience: float | None, ask_again: bool) -> Mapping[str, Queued]:
        self.asked.append((patience, ask_again))
        given_up, self.given_up = self.given_up, {}
        return given_up

    async def work(self, group: MountGroup, turn: Turn) -> MountGroup | None:
        self.ended.append((group.id, turn))
        return None

    def serve(self, *names: str, pace: Pace = STILL) -> None:
        """These workers of Berlin live, and nobody else."""
        members = (Member(name, name, MemberKind.WORKER, "berlin", 4, "h", "1", 9.0) for name in names)
        self.there = [MemberNow(one, MemberState.SERVING, 0.0, 1, pace) for one in members]

    def new(self) -> list[Event]:
        """What was told since the last look."""
        told, self.told[:] = list(self.told), []
        return told


@contextmanager
def staffing() -> Iterator[tuple[Fleet, Any, RunControl]]:
    fleet, plan = Fleet(), replace(sample_plan(), run="r")
    control = RunControl(plan)
    submissions, membership, books = cast(Submissions, fleet), cast(Membership, fleet), cast(Books, Asked())
    one = Staffing(submissions, membership, books, control, fleet.told.append, lambda: AT, 60)

    async def look(waits: bool = False) -> list[Event]:
        await one.look(fleet.queued, {group.id: group for group in plan.groups}, fleet.work, waits)
        return fleet.new()

    yield fleet, look, control


async def test_what_nobody_can_take_is_told_once_and_again_when_that_has_changed() -> None:
    with staffing() as (fleet, look, _):
        fleet.queued = [Queued(3, ("berlin",), {})]
        assert await look() == [GroupsStuck(AT, "r", 3, (NOBODY,))]
        assert await look() == []
        fleet.serve("w1")
        assert await look() == [SitePace(AT, "berlin", 1, 1, 0.0, 0.0), GroupsStuck(AT, "r", 0)]
        fleet.queued = [Queued(1, ("berlin",), {}), Queued(2, ("berlin",), {"w1": "no share"})]
        assert await look() == [GroupsStuck(AT, "r", 2, (REFUSED,))]
        fleet.serve("w1", "w2", pace=Pace(2.0, 3e6))
        assert await look() == [SitePace(AT, "berlin", 2, 2, 4.0, 6e6), GroupsStuck(AT, "r", 0)]
        fleet.serve()
        fleet.queued = []
        assert await look() == [SitePace(AT, "berlin", 0, 0, 0.0, 0.0)], "nobody is left there"


async def test_what_nobody_came_for_ends_here_and_says_why() -> None:
    with staffing() as (fleet, look, control):
        [name] = [group.id for group in control.plan.groups][:1]
        fleet.queued = [Queued(3, ("berlin",), {})]
        fleet.given_up = {name: Queued(1, ("berlin",), {})}
        await look()
        assert fleet.ended == [(name, Turn.UNSERVED)]
        assert control.unserved[name] == f"no worker could take it within 60 s (fleet.worker_timeout): {NOBODY}"
        await look(waits=True)
        fleet.serve("w1")
        await look()
        await look()
        assert fleet.asked == [(60, False), (None, False), (60, False)], "while it is paused, nobody is expected"


async def test_those_who_have_refused_may_try_again_now_and_then_and_meanwhile_it_is_as_stuck_as_before() -> None:
    with staffing() as (fleet, look, _):
        fleet.serve("w1")
        refused, free = [Queued(2, (), {"w1": "no share"})], [Queued(2, (), {})]
        fleet.queued = refused
        for _ in range(ASK_AGAIN_EVERY):
            await look()
        assert [again for _, again in fleet.asked] == [False] * (ASK_AGAIN_EVERY - 1) + [True]
        fleet.queued = free
        for _ in range(ANSWERED_WITHIN):
            assert await look() == []
        fleet.queued = refused
        assert await look() == [], "it is still the same"
        fleet.queued = free
        assert await look() == [GroupsStuck(AT, "r", 0)]
