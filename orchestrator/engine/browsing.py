"""What is in a restore point: one mount, folders listed through Enterprise Manager, the mount deleted again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from anyio import create_task_group

from orchestrator.core.catalog import Listed
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import MountStalled, PathMissing
from orchestrator.core.paths import GuestPath, SourcePath
from orchestrator.core.plan import MountGroup
from orchestrator.engine.calls import Calls
from orchestrator.engine.gathering import one_error
from orchestrator.engine.heartbeat import beat, session_ends
from orchestrator.engine.leases import Lease, Leases
from orchestrator.engine.lettering import LETTERS_LOST, find_letters, lost_letters
from orchestrator.engine.matching import Located
from orchestrator.engine.ports import Beat, Source
from orchestrator.engine.requests import requests_of
from orchestrator.engine.roads import volumes_through_em
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sessions import SessionWatch

Wants = Callable[[str], bool]
"""Whether an entry of that path, relative to the requested one, is asked for."""


@dataclass(frozen=True, slots=True)
class Browsed:
    """What was found, with guest paths; `more` says that there is more than was asked for."""

    entries: Sequence[tuple[GuestPath, Entry]]
    more: bool = False


async def browse(
    rooms: Rooms, watch: SessionWatch, leases: Leases, group: MountGroup, wants: Wants | None, limit: int
) -> Browsed:
    """The direct children of the group's one path, or with `wants` all that it wants below; `limit` entries at most.

    PathMissing when there is no such path. The mount is deleted however this ends.
    """
    async with leases.hold(group) as lease:
        with one_error():
            async with create_task_group() as guarded:
                guarded.start_soon(session_ends, watch, lease)
                guarded.start_soon(beat, rooms, lease)
                found = await _listed(rooms, lease, group, wants, limit)
                guarded.cancel_scope.cancel()
        return found
    raise AssertionError("a held lease returns or raises")


async def _listed(rooms: Rooms, lease: Lease, group: MountGroup, wants: Wants | None, limit: int) -> Browsed:
    path, calls = group.selections[0].paths[0], Calls(rooms.settings.stall)
    located = Located("", "", volumes_through_em(lease.held, lease.generation), {})
    names = [volume.root for volume in located.volumes]
    if path.volume == "*" and wants is None:
        return Browsed([(GuestPath(name), Entry("", EntryKind.FOLDER)) for name in names])
    requests, wanted = requests_of(group, names)
    lost = lost_letters(group, names)
    if lost:
        requests = await find_letters(rooms, calls, group, lost, located, names)
        wanted = [root for _, _, root, _ in requests if root]
    if not wanted:
        hint = f". {LETTERS_LOST}, or look into every volume: --find PATTERN '*'" if lost else ""
        raise PathMissing(path=path, vm=group.vm, there=f"it has {', '.join(names) or 'no volume'}{hint}")
    volumes = {volume.root: volume for volume in located.volumes}
    entries: list[tuple[GuestPath, Entry]] = []
    for _, _, root, below in requests:
        start = SourcePath(volumes[root].folder.root, "/".join(below))
        try:
            found = await calls.run(root, partial(_found, rooms.source, start, wants, limit + 1 - len(entries)))
        except TimeoutError as error:
            raise MountStalled(vm=group.vm, cause=f"{root}: {error.strerror}") from error
        if found is None:
            raise PathMissing(path=path, vm=group.vm, there="check the spelling, or choose another restore point")
        entries += [(volumes[root].guest(entry.relative), entry) for entry in found]
    return Browsed(entries[:limit], len(entries) > limit)


def _found(source: Source, start: SourcePath, wants: Wants | None, most: int, heard: Beat) -> list[Entry] | None:
    """The children of the folder at `start`, or what is wanted of all below it, `most` at most; a file alone. None when
    there is nothing."""
    at = source.look(start, heard)
    if at is None or at.kind is not EntryKind.FOLDER:
        return None if at is None else [at]
    above, strip = SourcePath(start.root, at.relative), len(at.relative) + 1 if at.relative else 0
    if wants is None:
        inside = source.listing(above, heard)
        return [_child(at.relative, name, listed) for name, listed in sorted(inside.items())][:most]
    found: list[Entry] = []
    for batch in source.scan(above, lambda _: True, heard):
        found += [one for one in batch if one.kind is EntryKind.UNREADABLE or wants(one.relative[strip:])]
        if len(found) >= most:
            break
    return found[:most]


def _child(folder: str, name: str, listed: Listed) -> Entry:
    kind = EntryKind.FOLDER if listed.folder else EntryKind.FILE
    modified = (listed.modified or 0) * 1_000_000_000
    return Entry(f"{folder}/{name}".lstrip("/"), kind, listed.size or 0, modified)
