"""Limits of a fleet over a night in which workers come, go and die: what is open at EM never exceeds one of them."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

import pytest

from orchestrator.core.fleet import Member, Taken, Unit, seats_of
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.limits import Limits, Resource
from orchestrator.core.plan import MountGroup
from orchestrator.core.whereabouts import chain_of
from orchestrator.journal_postgres import Access, open_journal, open_units
from tests.core.values import group
from tests.rooms.test_fleet_units import RUN, House

MANY = 99
MACHINES = 24
STEPS = 120

LIMITS = {
    "all": Limits(3, default_per_server=MANY),
    "server": Limits(MANY, {"vbr01": 2}, 3),
    "host": Limits(MANY, default_per_server=MANY, per_host={"mh0": 2, "mh1": 1, "mh2": 3}),
    "chain": Limits(MANY, default_per_server=MANY, default_per_chain=1),
}


def machine(number: int) -> tuple[MountGroup, frozenset[str]]:
    """A group, and the mount hosts on which its mount may appear: of some it is not known which of two it will be."""
    made = group(f"m{number}", f"vbr0{number % 2 + 1}")
    file = f"Files{number % 4} D2026-02-11T230012_1A2B.vib"
    hosts = {f"mh{number % 3}"} if number % 5 else {"mh0", "mh2"}
    return replace(made, point=replace(made.point, backup_file=file)), frozenset(hosts)


@dataclass
class Hand:
    """A unit in somebody's hands, and its mount, while there is one."""

    member: Member
    taken: Taken
    lease: LeaseRow | None = None


@dataclass
class Night:
    """What happens to a fleet, by chance. `open` is what EM holds; a mount that is left is in nobody's hands."""

    house: House
    limits: Limits
    chance: random.Random
    machines: dict[str, tuple[MountGroup, frozenset[str]]]
    alive: list[Member] = field(default_factory=list)
    hands: dict[str, Hand] = field(default_factory=dict)
    left: dict[str, LeaseRow] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    names: int = 0
    deaths: int = 0
    peaks: Counter[Resource] = field(default_factory=Counter)

    def carry(self) -> Counter[Resource]:
        """How many mounts everything carries that is limited."""
        found: Counter[Resource] = Counter({("all",): len(self.open)})
        for name in self.open:
            one, hosts = self.machines[name]
            server = one.point.backup_server
            chain = chain_of(one.point) if self.limits.of_chain(server) is not None else ""
            found.update(self.limits.held(server, hosts, chain))
        return found

    def most(self, resource: Resource) -> int:
        return self.limits.mounts if resource == ("all",) else self.limits.most(resource)

    def check(self) -> None:
        carried = self.carry()
        too_many = {one: number for one, number in carried.items() if number > self.most(one)}
        assert not too_many, f"{too_many} are open"
        self.peaks |= carried

    # --- what happens ---

    def come(self) -> None:
        if len(self.alive) < 4:
            self.names += 1
            self.alive.append(self.house.worker(f"w{self.names}"))

    def go(self) -> None:
        """Somebody is told to stop, and hands back what it has."""
        if len(self.alive) > 1:
            member = self.alive.pop()
            for name, hand in list(self.hands.items()):
                if hand.member == member:
                    self.release(name)
                    self.house.units.settle(hand.taken, member.id, over=False)
                    del self.hands[name]
            self.house.units.leave(member.id)

    def take(self) -> None:
        if self.alive:
            member = self.chance.choice(self.alive)
            taken = self.house.take(member)
            if taken is not None:
                self.hands[taken.unit.group] = Hand(member, taken)

    def mount(self) -> None:
        if name := self.any(lambda hand: hand.lease is None):
            hand = self.hands[name]
            self.house.write_as(hand.member, hand.taken)
            hand.lease = self.house.mount(name, hand.member, LeaseState.INTENDED)
            self.open.add(name)
            self.write(hand.lease, LeaseState.HELD)

    def lose(self) -> None:
        """A session ends, and its mount with it; the same worker mounts the machine again."""
        if name := self.any(lambda hand: hand.lease is not None):
            self.release(name, LeaseState.LOST)

    def finish(self) -> None:
        if name := self.any(lambda hand: hand.lease is not None):
            hand = self.hands.pop(name)
            assert hand.lease is not None
            self.house.write_as(hand.member, hand.taken)
            if self.chance.random() < 0.2:
                self.write(hand.lease, LeaseState.LEFT)
                self.left[name] = hand.lease
            else:
                self.write(hand.lease, LeaseState.RELEASED)
                self.open.discard(name)
            self.house.journal.write_group(GroupRow(RUN, name, name, GroupState.DONE))
            self.house.units.settle(hand.taken, hand.member.id, over=True)

    def sweep(self) -> None:
        for name, lease in self.left.items():
            self.house.journal.guard = None
            self.write(lease, LeaseState.RELEASED)
            self.open.discard(name)
        self.left.clear()

    def die(self) -> None:
        """Somebody is killed; another notices, and units are taken before the mounts of the dead are deleted."""
        if len(self.alive) < 2:
            return
        self.deaths += 1
        dead, heir = self.alive.pop(0), self.alive[0]
        self.house.silent(dead)
        heard = self.house.units.renew(heir.id)
        assert heard is not None
        assert heard.heir_of == (dead.id,)
        self.take()
        self.mount()
        self.check()
        self.house.write_as(heir)
        for name, hand in list(self.hands.items()):
            if hand.member == dead:
                if hand.lease is not None:
                    self.write(hand.lease, LeaseState.RELEASED)
                    self.open.discard(name)
                del self.hands[name]
        self.house.units.bury(dead.id, heir.id)

    # --- how it is done ---

    def any(self, which: Callable[[Hand], bool]) -> str:
        names = [name for name, hand in self.hands.items() if hand.member in self.alive and which(hand)]
        return self.chance.choice(names) if names else ""

    def write(self, lease: LeaseRow, state: LeaseState) -> None:
        self.house.journal.write_lease(replace(lease, state=state))

    def release(self, name: str, state: LeaseState = LeaseState.RELEASED) -> None:
        hand = self.hands[name]
        if hand.lease is not None:
            self.house.write_as(hand.member, hand.taken)
            self.write(hand.lease, state)
            self.open.discard(name)
            hand.lease = None


@pytest.fixture
def house(database: str) -> Iterator[House]:
    with ExitStack() as stack:
        journal = stack.enter_context(closing(open_journal(Access(database))))
        yield House(journal, stack.enter_context(closing(open_units(Access(database)))), {})


@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_is_reached_and_never_exceeded_while_workers_come_go_and_die(house: House, kind: str) -> None:
    limits = LIMITS[kind]
    machines = {made.id: (made, hosts) for made, hosts in map(machine, range(MACHINES))}
    units = [
        Unit(RUN, name, made.vm, made.point.backup_server, number, (), seats_of(made, limits, hosts, ()), "{}")
        for number, (name, (made, hosts)) in enumerate(machines.items())
    ]
    house.submit(*units)
    night = Night(house, limits, random.Random(4711), machines)
    happens = [night.come, night.take, night.take, night.mount, night.mount, night.finish]
    seldom = [night.go, night.lose, night.sweep, night.die]
    for _ in range(STEPS):
        night.chance.choice(happens if night.chance.random() < 0.85 else seldom)()
        night.check()
    assert night.deaths
    night.sweep()
    night.come()
    while house.units.follow(RUN).unfinished:  # nothing keeps a seat that it does not use
        for happening in (night.take, night.mount, night.finish, night.sweep):
            happening()
            night.check()
    limited = {one: number for one, number in night.peaks.items() if one[0] == kind}
    assert limited
    assert any(number == night.most(one) for one, number in limited.items()), "the limit was never reached"
