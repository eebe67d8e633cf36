"""The estate: machines, their restore points, and the folders that stand for disks and mount shares."""

import os
import re
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

from orchestrator.simulator.mount_hosts import Kind, MountHost
from orchestrator.simulator.trees import Item, link_tree, remove_tree, write_tree

GuestOs = Literal["windows", "linux"]
NEWEST = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
_NAMES = uuid.UUID("6d0f8c0a-5b1e-4d7c-9f33-0a4b8e21c7d5")
_OLD_MTIME_NS = 1_580_702_706_123_456_700
_NOT_IN_A_FOLDER_NAME = re.compile(r'[\\/:*?"<>|]')


@dataclass(frozen=True)
class Volume:
    """One volume of a guest: `root` as EM shows it ("C:", "Volume$0:", "/"), `folder` on the share ("Volume2")."""

    root: str
    folder: str


@dataclass(frozen=True)
class Point:
    """A restore point: bare guid, creation time (UTC), volumes in the order in which EM lists the roots."""

    uid: str
    created: datetime
    volumes: list[Volume]


@dataclass(frozen=True)
class Machine:
    """A backed-up machine; points from the oldest to the newest; `kind` names the family of its points. `job` made its
    backup; `twin` tells machines of one name apart."""

    name: str
    os: GuestOs
    backup_server: str
    points: list[Point]
    kind: str = "vm"
    job: str = "Nightly"
    twin: int = 0


@lru_cache(maxsize=1024, typed=True)
def guid(*words: object) -> str:
    """A guid that depends on the words only. Those of servers and jobs are told with every restore point."""
    return str(uuid.uuid5(_NAMES, "\n".join(str(word) for word in words)))


class Estate:
    """Machines below one folder. Everything that touches the disk blocks: call it from a thread.

    `points/<uid>/<volume folder>` holds the pristine trees and never moves. A mount shows a *twin* of such a tree
    (hard links, so never write below a mount) by renaming it into the share, and takes it away the same way:
    a copy that comes too late fails.
    """

    def __init__(self, folder: Path, backup_servers: Iterable[str]) -> None:
        self.folder = folder
        self.shares: dict[str, Path] = {name: folder / "shares" / name for name in backup_servers}
        self.machines: list[Machine] = []
        self.mount_hosts: dict[str, MountHost] = {}
        self.mounted_on: dict[str, str] = {}
        """The mount host that serves a machine, by name; without an entry it is the backup server itself."""
        self.uncollected: set[str] = set()
        """Points that the backup servers have and EM does not know until it collects."""
        self._twins: dict[str, list[Path]] = {}
        self._lock = threading.Lock()

    @classmethod
    def empty(cls, folder: Path, backup_servers: Sequence[str] = ("vbr01",)) -> "Estate":
        """An estate without machines, its share folders made. Blocking."""
        estate = cls(folder, backup_servers)
        estate.make_folders()
        return estate

    def make_folders(self) -> None:
        """Make the folders that are not there yet."""
        for path in (self.folder / "points", self.folder / "twins", *self.shares.values()):
            path.mkdir(parents=True, exist_ok=True)

    def content(self, point: Point, root: str) -> Path:
        """The folder with the pristine files of a volume, whether or not the point is mounted now.

        Raises KeyError if the point has no such root.
        """
        for volume in point.volumes:
            if volume.root == root:
                return self.folder / "points" / point.uid / volume.folder
        raise KeyError(root)

    def guest(self, machine: Machine, root: str) -> Path:
        """The folder that stands for a volume of the machine itself, as it is now: what EM restores to the original
        location lands there. There is none before something has."""
        return self.folder / "guests" / _NOT_IN_A_FOLDER_NAME.sub("_", machine.name) / (root.strip(":/") or "root")

    def add_machine(
        self,
        name: str,
        *,
        backup_server: str = "vbr01",
        os: GuestOs = "windows",
        points: Sequence[Mapping[str, Mapping[str, bytes | None]]] = ({"C:": {}},),
        created: Sequence[datetime] | None = None,
        folders: Mapping[str, str] | None = None,
        kind: str = "vm",
        job: str = "Nightly",
        twin: int = 0,
    ) -> Machine:
        """Add a small machine written by hand, and its trees. Blocking.

        `points`, oldest first: root -> path with `/` -> bytes (or None with a trailing slash: an empty folder).
        `created` defaults to points three days apart, the last on 2026-11-20; `folders` (root -> VolumeN)
        defaults to Volume1, Volume2, ... in the order of the roots. Files get old, fixed, distinct mtimes.
        """
        when = created or [NEWEST - timedelta(days=3 * back) for back in range(len(points) - 1, -1, -1)]
        made: list[Point] = []
        for number, (contents, moment) in enumerate(zip(points, when, strict=True)):
            named = folders or {root: f"Volume{place}" for place, root in enumerate(contents, 1)}
            uid = guid(name, backup_server, len(self.machines), number)
            made.append(Point(uid, moment, [Volume(root, named[root]) for root in contents]))
            (self.folder / "points" / uid).mkdir(parents=True)
            for root, files in contents.items():
                tree = {path: _item(place, data) for place, (path, data) in enumerate(files.items())}
                write_tree(tree, self.folder / "points" / uid / named[root])
        machine = Machine(name, os, backup_server, made, kind, job, twin)
        self.machines.append(machine)
        return machine

    def add_mount_host(self, name: str, kind: Kind = "windows") -> MountHost:
        """A mount host, which serves the machines that `mounted_on` says. Blocking."""
        host = self.mount_hosts[name] = MountHost(self.folder / "hosts" / name, kind)
        host.share.mkdir(parents=True)
        return host

    def host_of(self, machine: Machine) -> MountHost:
        """The mount host that serves a machine."""
        name = self.mounted_on.get(machine.name)
        return MountHost(self.shares[machine.backup_server]) if name is None else self.mount_hosts[name]

    def find(self, uid: str) -> tuple[Machine, Point] | None:
        """The machine and point of a bare guid, in either case."""
        wanted = uid.lower()
        return next(((m, p) for m in self.machines for p in m.points if p.uid == wanted), None)

    def take_twin(self, point: Point) -> Path:
        """A tree of the point that can be moved into a share; made now if none is at rest."""
        with self._lock:
            at_rest = self._twins.get(point.uid, [])
            if at_rest:
                return at_rest.pop()
        twin = self._new_twin(point)
        link_tree(self.folder / "points" / point.uid, twin)
        return twin

    def rest_twin(self, point: Point, twin: Path) -> None:
        """Give back a twin that was never shown."""
        with self._lock:
            self._twins.setdefault(point.uid, []).append(twin)

    def show(self, point: Point, twin: Path, host: MountHost, machine: str, suffix: str | None) -> dict[str, Path]:
        """Move the twin into the share of a mount host: as `<machine>_<suffix>`, as `<machine>` without one if that is
        free, or under ids where the host has those. Where each volume folder lies now."""
        folders = [volume.folder for volume in point.volumes]
        os.utime(twin)  # a fresh mount has a fresh folder; what is inside keeps its times
        if host.by_id:
            return host.show(twin, folders)
        name = _NOT_IN_A_FOLDER_NAME.sub("_", machine)
        shown = host.share / (name if suffix is None else f"{name}_{suffix}")
        if shown.exists():
            shown = shown.with_name(f"{name}_{uuid.uuid4().hex[:8]}")
        os.rename(twin, shown)
        return {folder: shown / folder for folder in folders}

    def hide(self, point: Point, host: MountHost, shown: dict[str, Path]) -> None:
        """Take a mount's folders out of the share, in one step; what is gone already is fine."""
        twin = self._new_twin(point)
        try:
            if host.by_id:
                host.hide(shown, twin)
            else:
                os.rename(next(iter(shown.values())).parent, twin)
        except FileNotFoundError:
            return
        self.rest_twin(point, twin)

    def _new_twin(self, point: Point) -> Path:
        # Never the same name twice: another Estate may stand over the same folder.
        return self.folder / "twins" / f"{point.uid}.{uuid.uuid4().hex}"

    def put_stale_folders(self) -> None:
        """Leave in every share what failed clean-ups leave: an elder `<vm>`, and a look-alike `<vm>0`."""
        for machine in self.machines:
            for name in (machine.name, f"{machine.name}0"):
                folder = self.shares[machine.backup_server] / _NOT_IN_A_FOLDER_NAME.sub("_", name)
                if not folder.exists():
                    left = Item(0, 0, _OLD_MTIME_NS, data=b"left by a failed clean-up\n")
                    write_tree({"left/behind.txt": left}, folder / "Volume1")

    def clear(self) -> None:
        """Empty the shares and forget the twins: for an estate whose last server was killed."""
        for share in (*self.shares.values(), self.folder / "twins"):
            remove_tree(share)
        for host in self.mount_hosts.values():
            host.clear()
        self._twins.clear()
        self.make_folders()


def _item(place: int, data: bytes | None) -> Item | None:
    return None if data is None else Item(0, len(data), _OLD_MTIME_NS + place * 1_000_000_100, data=data)
