"""Which mount group may start next. A pure decision: the engine holds the counts and asks."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.core.plan import MountGroup


@dataclass(frozen=True, slots=True)
class Limits:
    """How many mounts may be open at once: in all, and per backup server."""

    mounts: int
    per_server: Mapping[str, int] = field(default_factory=dict)
    default_per_server: int = 4

    def of_server(self, name: str) -> int:
        return self.per_server.get(name, self.default_per_server)


def next_group(
    waiting: Sequence[MountGroup],
    running: Collection[MountGroup],
    limits: Limits,
) -> MountGroup | None:
    """The waiting group with room that the end of the run hangs on most, or None; of equals the first.

    `waiting` is in plan order, long groups first, with those at the end that are tried once more. Each backup server
    needs at least as long as its longest group, and as all its groups over its mounts; the server that needs longest
    is served first, in plan order (longest processing time first: Graham, 1969).

    Two restore points of one machine are never mounted at once on one backup server: their folders on the share
    would carry the same name.
    """
    if len(running) >= limits.mounts:
        return None
    per_server = Counter(group.point.backup_server for group in running)
    machines = {(group.point.backup_server, group.vm.casefold()) for group in running}
    work: dict[str, float] = {}
    first: dict[str, MountGroup] = {}
    for group in waiting:
        server = group.point.backup_server
        if per_server[server] >= limits.of_server(server):
            continue
        work[server] = work.get(server, 0.0) + group.weight
        if server not in first and (server, group.vm.casefold()) not in machines:
            first[server] = group

    def needs(group: MountGroup) -> float:
        server = group.point.backup_server
        return max(group.weight, work[server] / limits.of_server(server))

    return max(first.values(), key=needs, default=None)
