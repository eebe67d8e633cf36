"""The fleet as values: units, who works on them, and what a submitter wants of them.

A unit is one mount group of one run, with all that a worker on another machine needs to know of it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.core.events import Event
from orchestrator.core.limits import Limits
from orchestrator.core.plan import MountGroup, Plan, plan_from_json, plan_to_json
from orchestrator.core.whereabouts import chain_of


class UnitState(Enum):
    """Where a unit is. What became of its group is with the group."""

    WAITING = "waiting"
    TAKEN = "taken"
    OVER = "over"


class MemberKind(Enum):
    """What a member of the fleet does."""

    WORKER = "worker"
    SUBMITTER = "submitter"


class MemberState(Enum):
    """Where a member is. `DEAD` is one whose mounts another is deleting, `GONE` one that holds nothing any more."""

    SERVING = "serving"
    DRAINING = "draining"
    DEAD = "dead"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Member:
    """One process of the fleet. `id` is never used twice. It is dead when it was not renewed for `lease` seconds."""

    id: str
    name: str
    kind: MemberKind
    site: str
    mounts: int
    host: str
    version: str
    lease: float


@dataclass(frozen=True, slots=True)
class MemberNow:
    """A member as the database sees it: seconds since it was last heard of, and units that it has."""

    member: Member
    state: MemberState
    silent: float
    units: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit to be done. `position` orders the units of a run. `sites` are those whose workers may take it, the first
    before the others; none for every site. `seats` are what its mount takes a part of, and how many each carries."""

    run: str
    group: str
    vm: str
    backup_server: str
    position: int
    sites: tuple[str, ...]
    seats: Mapping[str, int]
    content: str

    @property
    def plan(self) -> Plan:
        """The plan of its run with this group alone."""
        return plan_from_json(self.content)


@dataclass(frozen=True, slots=True)
class Taken:
    """A unit in the hands of a worker. `number` counts how often it was given out; another worker has another."""

    unit: Unit
    number: int


@dataclass(frozen=True, slots=True)
class Order:
    """What the submitter of a run wants of all who work on it."""

    draining: bool = False
    cancelled: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What a worker is told when it renews its row. `orders` by run, of the runs that are going on; `heir_of` are dead
    members that are its own to clear up after; `at_site` counts the workers of its site."""

    orders: Mapping[str, Order]
    heir_of: tuple[str, ...] = ()
    at_site: int = 1


@dataclass(frozen=True, slots=True)
class Queued:
    """Units that wait, alike in who may take them. `refusals` are the words of those workers that could not do them, by
    their names."""

    units: int
    sites: tuple[str, ...]
    refusals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Followed:
    """What is new of a run: what was told since it was last asked, its units that are not over, and those of them that
    wait."""

    events: Sequence[Event]
    unfinished: int
    queued: Sequence[Queued]


def seats_of(group: MountGroup, limits: Limits, hosts: Iterable[str], alone: Collection[str]) -> dict[str, int]:
    """What a mount of `group` takes a part of, and how many each carries: all, its backup server, the mount hosts on
    which it may appear, its chain where that is limited, and its machine, of which two points are never mounted at
    once. Of the shares `alone` new folders tell nothing by their names: one mount at a time."""
    server = group.point.backup_server
    held = limits.held(server, hosts, chain_of(group.point) if limits.of_chain(server) is not None else "")
    seats = {"all": limits.mounts} | {" ".join(one): limits.most(one) for one in held}
    return seats | {f"machine {server} {group.vm.casefold()}": 1} | {f"share {share}": 1 for share in alone}


def unit_of(plan: Plan, group: MountGroup, position: int, sites: tuple[str, ...], seats: Mapping[str, int]) -> Unit:
    """The unit of one group of a plan."""
    alone = plan_to_json(replace(plan, groups=(group,), problems=(), warnings=()))
    return Unit(plan.run, group.id, group.vm, group.point.backup_server, position, sites, seats, alone)


def living(members: Iterable[MemberNow]) -> list[Member]:
    """The workers that take units."""
    serving = (one for one in members if one.state is MemberState.SERVING and one.silent <= one.member.lease)
    return [one.member for one in serving if one.member.kind is MemberKind.WORKER]


def stuck(queued: Iterable[Queued], members: Iterable[MemberNow]) -> list[str]:
    """Why units wait that nobody is going to take, in plain words: one line for each reason."""
    workers = living(members)
    lines: Counter[str] = Counter()
    for one in queued:
        able = [worker for worker in workers if not one.sites or worker.site in one.sites]
        if not able:
            where, site = (f"of {' or '.join(one.sites)} ", f" --site {one.sites[0]}") if one.sites else ("", "")
            lines[f"no worker {where}is serving; start one: orchestrator worker{site}"] += one.units
        elif all(worker.name in one.refusals for worker in able):
            lines["; ".join(f"{name} refuses: {why}" for name, why in sorted(one.refusals.items()))] += one.units
    return [f"{count} machine(s) wait: {line}" for line, count in lines.items()]
