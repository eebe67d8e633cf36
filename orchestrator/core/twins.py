"""Two machines of one name: told apart, and named so that a job can say which one is meant."""

from collections.abc import Sequence

from orchestrator.core.catalog import RestorePoint

Twins = Sequence[Sequence[RestorePoint]]
"""The points of each machine."""


def machines_in(points: Sequence[RestorePoint]) -> list[list[RestorePoint]]:
    """The points of one name, machine by machine: those of each backup server, and of each reference that EM gives.

    A machine that was registered anew (another host, a restore) has another reference from then on. It is taken for
    the same one when it has been backed up at least twice since the last backup under the old reference.
    """
    servers: dict[str, dict[str, list[RestorePoint]]] = {}
    for point in points:
        servers.setdefault(point.backup_server, {}).setdefault(point.hierarchy, []).append(point)
    return [machine for _, found in sorted(servers.items()) for machine in _joined(found)]


def _joined(found: dict[str, list[RestorePoint]]) -> list[list[RestorePoint]]:
    unnamed = found.pop("", []) if len(found) > 1 else []
    machines: list[list[RestorePoint]] = []
    for points in sorted(found.values(), key=lambda points: min(point.created for point in points)):
        begun = min(point.created for point in points)
        if machines and len(points) > 1 and max(point.created for point in machines[-1]) < begun:
            machines[-1] += points
        else:
            machines.append(list(points))
    machines[-1] += unnamed
    return machines


def which_one(vm: str, twins: Twins) -> str:
    """What to write for each of several machines of one name."""
    servers = [points[0].backup_server for points in twins]
    if len(set(servers)) == len(servers):
        what = f"{vm!r} is on several backup servers ({', '.join(servers)}); set backup_server to the one you mean"
        keys = [f'backup_server = "{server}"' for server in servers]
    else:
        what = f"{vm!r} is the name of {len(twins)} machines; say which one you mean"
        keys = [_key_of(points) for points in twins]
    return f"{what}: " + ", or ".join(f"{key} {_told(points)}" for key, points in zip(keys, twins, strict=True))


def _key_of(points: Sequence[RestorePoint]) -> str:
    """EM tells no reference of replicas and agents: there the backup server says which one is meant."""
    server, hierarchy = points[0].backup_server, points[-1].hierarchy or points[0].hierarchy
    return f'hierarchy = "{hierarchy}" on {server}' if hierarchy else f'backup_server = "{server}"'


def _told(points: Sequence[RestorePoint]) -> str:
    newest = max(point.created for point in points)
    number = "1 restore point" if len(points) == 1 else f"{len(points)} restore points"
    return f"({number}, newest {newest.isoformat(timespec='seconds')})"
