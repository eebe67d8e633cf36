"""What stands in a tree of files, in a few numbers: enough to tell later whether it has changed, and where.

Each entry counts with a hash of its name, kind, size and time; the hashes of a folder are added up, so that the order
in which a tree is walked does not count, and folders can be added to the one above when there are too many of them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.core.entries import Entry, EntryKind

FOLDERS_AT_MOST = 200
"""Sums that one tree keeps: a million files take no more than a few thousand."""

DEEPEST = 3
"""Levels of folders below the start that have sums of their own, while they are few."""

FOLDERS_SHOWN = 5
"""Changed folders that are named; the rest is counted."""

_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class FolderSum:
    """All that lies in one folder and has no sum of its own: files, their bytes, and the digest in hex. `folder` is
    relative to the start of the tree, `/`-joined, empty for the start itself."""

    folder: str
    files: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole tree by its folders, in order; those deeper than `depth` count in the one above."""

    depth: int
    folders: tuple[FolderSum, ...] = ()

    @property
    def files(self) -> int:
        return sum(one.files for one in self.folders)

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.folders)


EMPTY = Tree(DEEPEST)


@dataclass(slots=True)
class _Sum:
    files: int = 0
    bytes: int = 0
    digest: int = 0

    def add(self, files: int, size: int, digest: int) -> None:
        self.files += files
        self.bytes += size
        self.digest = (self.digest + digest) % _MODULUS


@dataclass(slots=True)
class Census:
    """Counts a tree while it is walked, in bounded memory."""

    _depth: int = DEEPEST
    _sums: dict[str, _Sum] = field(default_factory=dict)

    def add(self, relative: str, entry: Entry) -> None:
        """One entry; `relative` is its path below the start of the tree. The times of folders do not count: they change
        with what is in them, which counts by itself."""
        folder = entry.kind is EntryKind.FOLDER
        size, time = (0, 0) if folder else (entry.size, entry.mtime_ns)
        told = f"{_printable(relative)}\x00{entry.kind.value}\x00{size}\x00{time}"
        digest = int.from_bytes(hashlib.sha256(told.encode()).digest(), "big")
        above = _above(_printable(relative), self._depth)
        self._sums.setdefault(above, _Sum()).add(0 if folder else 1, size, digest)
        while len(self._sums) > FOLDERS_AT_MOST and self._depth:
            self._depth -= 1
            self._sums = _gathered(self._sums.items(), self._depth)

    def tree(self) -> Tree:
        """What was counted so far."""
        return Tree(self._depth, tuple(_frozen(name, one) for name, one in sorted(self._sums.items())))


def _printable(name: str) -> str:
    """A name that every JSON text can hold: bytes that are no Unicode are written out."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _above(relative: str, depth: int) -> str:
    """The folder that an entry counts in."""
    return "/".join(relative.split("/")[:-1][:depth])


def _gathered(sums: Iterable[tuple[str, _Sum]], depth: int) -> dict[str, _Sum]:
    found: dict[str, _Sum] = {}
    for name, one in sums:
        above = "/".join(name.split("/")[:depth]) if depth else ""
        found.setdefault(above, _Sum()).add(one.files, one.bytes, one.digest)
    return found


def _frozen(name: str, one: _Sum) -> FolderSum:
    return FolderSum(name, one.files, one.bytes, f"{one.digest:064x}")


def _at_depth(tree: Tree, depth: int) -> dict[str, _Sum]:
    return _gathered(((one.folder, _Sum(one.files, one.bytes, int(one.digest, 16))) for one in tree.folders), depth)


def difference(then: Tree, now: Tree) -> str:
    """How a tree has changed, in plain words; empty when it has not."""
    depth = min(then.depth, now.depth)
    before, after = _at_depth(then, depth), _at_depth(now, depth)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if not changed:
        return ""
    if (then.files, then.bytes) == (now.files, now.bytes):
        said = f"{_counted(now)} as when it was planned, but not the same (name, kind, size or time)"
    else:
        said = f"{_counted(then)} when it was planned, {_counted(now)} now"
    places = [name for name in changed if name]
    if not places:
        return said
    more = f" and {len(places) - FOLDERS_SHOWN:,} more folders" if len(places) > FOLDERS_SHOWN else ""
    return f"{said}; changed in {', '.join(places[:FOLDERS_SHOWN])}{more}"


def _counted(tree: Tree) -> str:
    return f"{tree.files:,} {'file' if tree.files == 1 else 'files'} of {tree.bytes:,} bytes"
