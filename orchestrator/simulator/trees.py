"""Folder trees as values, written to disk, and linked to make twins. Blocking: called from threads only."""

import errno
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER_MTIME_NS = 946_782_245_000_000_000
_NO_LINK_HERE = {errno.EMLINK, errno.ENOTSUP, errno.EPERM, errno.EXDEV}


@dataclass(frozen=True)
class Item:
    """One file to be written: `size` bytes drawn from `seed` (or `data` itself), `mtime_ns` since 1970, mode."""

    seed: int
    size: int
    mtime_ns: int
    mode: int = 0o644
    data: bytes | None = None

    def content(self) -> bytes:
        """The bytes of the file; the same seed and size give the same bytes."""
        if self.data is not None:
            return self.data
        return random.Random(self.seed).randbytes(self.size)  # noqa: S311 - test data


Tree = Mapping[str, Item | None]
"""Path with `/` below a volume root -> the file there, or None for an (empty) folder."""


def write_tree(tree: Tree, folder: Path, *, elder: Tree | None = None, elder_folder: Path | None = None) -> None:
    """Write the tree below `folder`, which must not exist; what equals `elder` is hard-linked from its folder.

    Folders get the mtime of the youngest file directly inside, so that two builds are alike to the nanosecond.
    """
    top = str(folder)
    times: dict[str, int] = {top: _FOLDER_MTIME_NS}
    folder.mkdir(parents=True)
    for path, item in tree.items():
        where = f"{folder}/{path.rstrip('/')}"
        holder = where if item is None else where.rpartition("/")[0]
        if holder not in times:
            os.makedirs(holder, exist_ok=True)
        while holder not in times:
            times[holder] = _FOLDER_MTIME_NS
            holder = holder.rpartition("/")[0]
        holder = where.rpartition("/")[0]
        if item is None:
            continue
        times[holder] = max(times[holder], item.mtime_ns)
        if elder is not None and elder.get(path) == item:
            _link(f"{elder_folder}/{path}", where)
        else:
            _write(where, item)
    for holder in sorted(times, reverse=True):
        os.utime(holder, ns=(times[holder], times[holder]))


def link_tree(source: Path, twin: Path) -> None:
    """Make `twin` a copy of the folder `source` whose files are hard links: the same in all that they are."""
    os.mkdir(twin)
    with os.scandir(source) as entries:
        for entry in entries:
            target = twin / entry.name
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)
                times = entry.stat(follow_symlinks=False)
                os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns), follow_symlinks=False)
            elif entry.is_dir():
                link_tree(Path(entry.path), target)
            else:
                _link(entry.path, str(target))
    shutil.copystat(source, twin)  # mode, times, extended attributes


def remove_tree(folder: Path) -> None:
    """Remove a folder with all it holds; a folder that is not there is fine."""
    shutil.rmtree(folder, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK_HERE:
            raise
        shutil.copy2(source, target)


def _write(where: str, item: Item) -> None:
    handle = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_EXCL, item.mode)
    with open(handle, "wb", buffering=0) as file:
        file.write(item.content())
    os.utime(where, ns=(item.mtime_ns, item.mtime_ns))
