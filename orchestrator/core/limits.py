"""Which mount group may start next. A pure decision: the engine holds the counts and asks."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.core.plan import MountGroup
from orchestrator.core.whereabouts import chain_of

Resource = tuple[str, ...]
"""Something that carries only so many mounts at once: ("server", name), ("host", name), ("chain", server, chain)."""

Held = tuple[Resource, ...]

HostsOf = Callable[[MountGroup], frozenset[str]]
"""The mount hosts on which the mount of a group is, or may appear, in small letters."""


def _nowhere(group: MountGroup) -> frozenset[str]:
    """Where nothing is known of mount hosts."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """How many mounts may be open at once: in all, per backup server, per mount host, and per chain of backup files of
    one backup server (None for as many as one likes). A mount host that is not named has no limit of its own. All by
    name in small letters."""

    mounts: int
    per_server: Mapping[str, int] = field(default_factory=dict)
    default_per_server: int = 4
    per_host: Mapping[str, int] = field(default_factory=dict)
    per_chain: Mapping[str, int | None] = field(default_factory=dict)
    default_per_chain: int | None = None

    def of_server(self, name: str) -> int:
        return self.per_server.get(name.casefold(), self.default_per_server)

    def of_chain(self, server: str) -> int | None:
        return self.per_chain.get(server.casefold(), self.default_per_chain)

    def held(self, server: str, hosts: Iterable[str], chain: str) -> Held:
        """What a mount takes a part of, as far as it is limited. It takes its part of every host on which it may be,
        because more than a host can carry must not come together on it by chance."""
        found: list[Resource] = [("server", server)]
        found.extend(("host", host) for host in sorted(hosts) if host in self.per_host)
        if chain:
            found.append(("chain", server, chain))
        return tuple(found)

    def most(self, resource: Resource) -> int:
        """How many mounts a resource carries."""
        kind, name, *_ = resource
        if kind == "host":
            return self.per_host[name]
        return self.of_server(name) if kind == "server" else self.of_chain(name) or 1


def next_group(
    waiting: Sequence[MountGroup],
    running: Collection[MountGroup],
    limits: Limits,
    hosts_of: HostsOf = _nowhere,
    kept: Mapping[Resource, int] | None = None,
) -> MountGroup | None:
    """The waiting group with room that the end of the run hangs on most, or None; of equals the first.

    `waiting` is in plan order, long groups first, with those at the end that are tried once more. Each backup server,
    mount host and limited chain needs at least as long as its longest group, and as all its groups over its mounts;
    what needs longest is served first, in plan order (longest processing time first: Graham, 1969).

    Two restore points of one machine are never mounted at once on one backup server: their folders on the share
    would carry the same name.

    A group whose mount may appear on several hosts waits for a part of each. So that others do not take these in turn
    for ever, the first such group keeps what is free of them; `kept` is what groups of other runs keep.
    """
    if len(running) >= limits.mounts:
        return None
    room = _Room(running, limits, hosts_of)
    room.keep(kept or {})
    weights: dict[Held, float] = {}
    first: dict[Held, MountGroup] = {}
    for group in waiting:
        held = room.held(group)
        weights[held] = weights.get(held, 0.0) + group.weight
        if held in first:
            continue
        if room.full(held):
            room.keep(room.waited_for(group, held))
        elif room.free_of(group):
            first[held] = group
    work: dict[Resource, float] = {}
    for held, weight in weights.items():
        for one in held:
            alike = sum(other[0] == one[0] for other in held)
            work[one] = work.get(one, 0.0) + weight / alike

    def needs(held: Held) -> float:
        return max(first[held].weight, *(work[one] / limits.most(one) for one in held))

    return first[max(first, key=needs)] if first else None


def kept_for(
    waiting: Iterable[MountGroup], running: Collection[MountGroup], limits: Limits, hosts_of: HostsOf
) -> Mapping[Resource, int]:
    """What the groups of a run keep from those of later runs: the free parts that its first group which waits for
    several hosts needs."""
    room = _Room(running, limits, hosts_of)
    return next((kept for group in waiting if (kept := room.waited_for(group, room.held(group)))), {})


class _Room:
    """What is taken of everything that is limited."""

    def __init__(self, running: Iterable[MountGroup], limits: Limits, hosts_of: HostsOf) -> None:
        self._limits = limits
        self._hosts_of = hosts_of
        self._taken: Counter[Resource] = Counter()
        self._machines: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, frozenset[str], str], Held] = {}
        self._full: dict[Held, bool] = {}
        self._keeps = False
        for group in running:
            self._taken.update(self.held(group))
            self._machines.add(_machine(group))

    def held(self, group: MountGroup) -> Held:
        """What a mount of `group` takes a part of."""
        server = group.point.backup_server
        hosts = self._hosts_of(group) if self._limits.per_host else frozenset[str]()
        chain = chain_of(group.point) if self._limits.of_chain(server) is not None else ""
        known = self._known.get((server, hosts, chain))
        if known is None:
            known = self._known[server, hosts, chain] = self._limits.held(server, hosts, chain)
        return known

    def full(self, held: Held) -> bool:
        known = self._full.get(held)
        if known is None:
            known = self._full[held] = any(self._taken[one] >= self._limits.most(one) for one in held)
        return known

    def free_of(self, group: MountGroup) -> bool:
        """Whether no other point of that machine is mounted on its backup server."""
        return _machine(group) not in self._machines

    def waited_for(self, group: MountGroup, held: Held) -> dict[Resource, int]:
        """The hosts that are free while `group` only waits for others; nothing when it waits for anything else."""
        hosts = tuple(one for one in held if one[0] == "host")
        others = tuple(one for one in held if one[0] != "host")
        if self._keeps or len(hosts) < 2 or self.full(others) or not self.full(hosts) or not self.free_of(group):
            return {}
        return {one: 1 for one in hosts if not self.full((one,))}

    def keep(self, resources: Mapping[Resource, int]) -> None:
        if resources:
            self._taken.update(resources)
            self._full.clear()
            self._keeps = True


def _machine(group: MountGroup) -> tuple[str, str]:
    return group.point.backup_server, group.vm.casefold()
