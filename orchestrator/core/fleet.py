"""The fleet as values: units, who works on them, and what a submitter wants of them.

A unit is one mount group of one run, with all that a worker on another machine needs to know of it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.core.events import Event
from orchestrator.core.limiting import ByHand, Limit
from orchestrator.core.limits import Limits
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.plan_sent import received, sent
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
    """One process of the fleet. `id` is never used twice. It is dead when it was not renewed for `lease` seconds, or
    when another has its state folder: `home` says who had that folder last, `earlier` who had it before."""

    id: str
    name: str
    kind: MemberKind
    site: str
    mounts: int
    host: str
    version: str
    lease: float
    home: str = ""
    earlier: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast somebody copies, over the last half minute."""

    files_per_second: float = 0.0
    bytes_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class MemberNow:
    """A member as the database sees it: seconds since it was last heard of, units that it has, and how fast it said to
    be then."""

    member: Member
    state: MemberState
    silent: float
    units: int
    pace: Pace = Pace()


@dataclass(frozen=True, slots=True)
class SiteNow:
    """A site: workers that live, the units that they have, and how fast they are together."""

    site: str
    workers: int
    units: int
    pace: Pace


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
        """The plan of its run with this group alone; NotUnderstood for what a newer version has written."""
        return received(self.content)


@dataclass(frozen=True, slots=True)
class Taken:
    """A unit in the hands of a worker. `number` counts how often it was given out; another worker has another.
    `predecessors` are the ids of members that had a mount for it before."""

    unit: Unit
    number: int
    predecessors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What the submitter of a run wants of all who work on it. While `holding` nothing new is given out, and what is in
    hand goes on; `paused` holds that too. `by_hand` are limits that were changed where it was submitted."""

    draining: bool = False
    cancelled: bool = False
    paused: bool = False
    holding: bool = False
    by_hand: ByHand = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a worker is told when it renews its row. `orders` by run, of the runs that are going on; `heir_of` are dead
    members that are its own to clear up after; `at_site` counts the workers of its site. One that is `outdated` cannot
    work with what the journal is being brought to, and is to end."""

    orders: Mapping[str, Order]
    heir_of: tuple[str, ...] = ()
    at_site: int = 1
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Queued:
    """Units that wait, alike in who may take them. `refusals` are the words of those workers that could not do them, by
    their names. `orphaned`: the worker that has them is dead, and any other one could clear up after it."""

    units: int
    sites: tuple[str, ...]
    refusals: Mapping[str, str]
    orphaned: bool = False


@dataclass(frozen=True, slots=True)
class FleetNow:
    """Who is there, and what waits of all runs."""

    members: Sequence[MemberNow]
    queued: Sequence[Queued]


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
    alone = sent(replace(plan, groups=(group,), problems=(), warnings=()))
    return Unit(plan.run, group.id, group.vm, group.point.backup_server, position, sites, seats, alone)


def strictest(orders: Iterable[Order]) -> dict[Limit, int | None]:
    """What was changed by hand, of all runs and of each. Where several say something of all, the least counts."""
    found: dict[Limit, int | None] = {}
    for limit, value in (one for order in orders for one in order.by_hand):
        known = found.get(limit)
        found[limit] = value if known is None or (value is not None and value < known) else known
    return found


def living(members: Iterable[MemberNow]) -> list[Member]:
    """The workers that take units."""
    return [one.member for one in members if one.state is MemberState.SERVING and _works(one)]


def sites_now(members: Iterable[MemberNow]) -> list[SiteNow]:
    """The sites at which workers live, by name."""
    found: dict[str, list[MemberNow]] = {}
    for one in members:
        if one.state in (MemberState.SERVING, MemberState.DRAINING) and _works(one):
            found.setdefault(one.member.site, []).append(one)
    return [
        SiteNow(
            site,
            len(there),
            sum(one.units for one in there),
            Pace(sum(one.pace.files_per_second for one in there), sum(one.pace.bytes_per_second for one in there)),
        )
        for site, there in sorted(found.items())
    ]


def _works(one: MemberNow) -> bool:
    return one.member.kind is MemberKind.WORKER and one.silent <= one.member.lease


def stuck(queued: Iterable[Queued], members: Iterable[MemberNow]) -> dict[str, int]:
    """How many units wait that nobody is going to take, by the reason in plain words."""
    workers, found = living(members), Counter[str]()
    for one in queued:
        if why := unable(one, workers):
            found[why] += one.units
    return dict(found)


def unable(queued: Queued, workers: Iterable[Member]) -> str:
    """Why none of these workers is going to take what waits, in plain words; empty when one will."""
    if queued.orphaned:
        died = "the worker that had it is dead, and no other is there to delete its mount"
        return "" if workers else f"{died}; start one: orchestrator worker"
    able = [worker for worker in workers if not queued.sites or worker.site in queued.sites]
    if not able:
        where, site = (f"of {' or '.join(queued.sites)} ", f" --site {queued.sites[0]}") if queued.sites else ("", "")
        return f"no worker {where}is serving; start one: orchestrator worker{site}"
    if all(worker.name in queued.refusals for worker in able):
        return "; ".join(f"{name} refuses: {why}" for name, why in sorted(queued.refusals.items()))
    return ""
