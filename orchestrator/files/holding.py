"""Setting an existing file aside, so that it can be put back and proved.

The file keeps its inode, and with it its times, mode and owner. The new one, which is complete, takes the place in the
holding folder that the old one is to have; then the two change places in one step. At every moment the target's name is
that of one whole file. Where the system cannot exchange, the old file gets a second name in the holding folder, and the
new one replaces its first. Where there are no hard links either (FAT, some shares), the old one is moved and the new
one follows at once; between the two a reader finds no file.
Source: link(2), renameat2(2).
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from orchestrator.core.entries import Placed
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside
from orchestrator.files.checksums import Digest
from orchestrator.files.copying import own_buffer
from orchestrator.files.folder import Folder
from orchestrator.files.rename import exchange, link_new, move_new
from orchestrator.files.system import read_into

Reading = Callable[[Folder, str], "Standing"]
"""Takes the checksum of a file in a folder."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A file that stands there, as it was when its checksum was taken."""

    status: os.stat_result
    checksum: str

    @property
    def size(self) -> int:
        return self.status.st_size

    def aside(self, target: TargetPath, held: TargetPath, new: Placed) -> Aside:
        """What the journal is told before this file makes room for `new`."""
        return Aside(target, held, self.size, self.status.st_mtime_ns, self.checksum, new.size, new.checksum)

    def is_at(self, folder: Folder, name: str) -> bool:
        """Whether `name` is this file, and nobody has written to it since."""
        try:
            return _alike(folder.status(name), self.status)
        except FileNotFoundError:
            return False


def read_standing(
    folder: Folder, name: str, new_digest: Callable[[], Digest], check: Callable[[int], None]
) -> Standing:
    """Take the checksum of a file. `check` is called with the bytes of each chunk. OSError when it cannot be read, is
    no file (EISDIR, or ELOOP for a link), or is written to meanwhile (EBUSY)."""
    descriptor = folder.read(name)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise IsADirectoryError(errno.EISDIR, "not a file", name)
        digest, buffer = new_digest(), own_buffer()
        view = memoryview(buffer)
        while count := read_into(descriptor, buffer):
            digest.update(view[:count])
            check(count)
        if not _alike(os.fstat(descriptor), before):
            raise _busy(name)
        return Standing(before, digest.hexdigest())
    finally:
        os.close(descriptor)


def free_name(
    holding: Folder, names: Callable[[int], str], standing: Standing, is_new: Callable[[Standing], bool], read: Reading
) -> str:
    """The first of `names` that is free in the holding folder, or is of an earlier attempt that died: there it is
    another name of the standing file, or the new file itself, with the time of the backup's, which is removed."""
    attempt = 0
    while True:
        name = names(attempt)
        status = _status(holding, name)
        if status is None or os.path.samestat(status, standing.status):
            return name
        if is_new(read(holding, name)):
            holding.remove(name)
            return name
        attempt += 1


def set_aside(folder: Folder, partial: str, name: str, holding: Folder, held: str, standing: Standing) -> None:
    """Give `partial`, which is complete, the name of the file `standing`, and that one the name `held`.

    OSError: EBUSY when somebody has changed or replaced the file since its checksum was taken, EXDEV when the holding
    folder is on another file system. Then everything is as it was, but that `partial` may be gone, and a file that was
    saved twice meanwhile may have its newer content in the holding folder.
    """
    if not standing.is_at(folder, name):
        raise _busy(name)
    there = _status(holding, held)
    if there is not None and os.path.samestat(there, standing.status):  # an earlier attempt has held the old one
        folder.rename(partial, name, replace=True)
        return
    move_new(folder.at(partial), holding.at(held))
    try:
        new = holding.status(held)
        exchanged = exchange(holding.at(held), folder.at(name))
    except BaseException:
        holding.remove(held)
        raise
    if not exchanged:
        move_new(holding.at(held), folder.at(partial))
        _set_aside_by_link(folder, partial, name, holding, held, standing)
    elif not standing.is_at(holding, held):
        # What comes back may be what another program has put there since: then it stays.
        if exchange(holding.at(held), folder.at(name)) and os.path.samestat(holding.status(held), new):
            holding.remove(held)
        raise _busy(name)


def _set_aside_by_link(folder: Folder, partial: str, name: str, holding: Folder, held: str, standing: Standing) -> None:
    if not link_new(folder.at(name), holding.at(held)):
        _move_apart(folder, partial, name, holding, held, standing)
        return
    if not (standing.is_at(holding, held) and standing.is_at(folder, name)):
        _forget(holding, held)
        raise _busy(name)
    folder.rename(partial, name, replace=True)


def _move_apart(folder: Folder, partial: str, name: str, holding: Folder, held: str, standing: Standing) -> None:
    move_new(folder.at(name), holding.at(held))
    try:
        if not standing.is_at(holding, held):
            raise _busy(name)
        folder.rename(partial, name, replace=False)
    except BaseException:
        with suppress(OSError):
            move_new(holding.at(held), folder.at(name))
        raise


def _status(folder: Folder, name: str) -> os.stat_result | None:
    try:
        return folder.status(name)
    except FileNotFoundError:
        return None


def _forget(holding: Folder, held: str) -> None:
    """Remove the second name of a file that keeps its first."""
    with suppress(OSError):
        if holding.status(held).st_nlink > 1:
            holding.remove(held)


def _alike(one: os.stat_result, other: os.stat_result) -> bool:
    same = os.path.samestat(one, other)
    return same and one.st_size == other.st_size and one.st_mtime_ns == other.st_mtime_ns


def _busy(name: str) -> OSError:
    return OSError(errno.EBUSY, "another program is changing the file that is to be set aside", name)
