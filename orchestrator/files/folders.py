"""Folders of the destination, held in a way that no link can redirect.

`HeldFolder` (POSIX) is an open descriptor. It is reached from the allowed root name by name, each opened with
O_NOFOLLOW relative to the one before, and everything is done relative to it; so a link that somebody puts into the
path afterwards redirects nothing, and there is no moment between check and use. `NamedFolder` (Windows, where
descriptors of folders do not exist) looks at each name before it is entered and again whenever the folder is used;
between that look and the use a link could be slipped in by somebody who may write to the destination.

Everything here raises OSError. A link in the path is ELOOP, a file in the path ENOTDIR.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Container
from itertools import islice
from typing import Self

from orchestrator.core.fidelity import Property
from orchestrator.core.paths import HOLDING
from orchestrator.files.dressing import dress_link
from orchestrator.files.folder import Folder
from orchestrator.files.rename import Place, rename_new
from orchestrator.files.rename import replace as replace_over
from orchestrator.files.system import (
    NEW_FILE,
    NO_FOLLOW,
    OLD_FILE,
    READ_FILE,
    READ_FOLDER,
    WINDOWS,
    is_link,
    system_path,
)

LISTED_AT_MOST = 500
"""Names that are remembered of a folder: more are asked for one by one, which keeps memory flat."""

SURELY_SHORT = 63
"""Characters of a name that fits whatever they are: 255 bytes, 4 to a character. A longer one is looked at."""


class _EveryName:
    """The names of a folder of which none is known to be free."""

    def __contains__(self, name: object) -> bool:
        return True


EVERY_NAME = _EveryName()


class HeldFolder:
    """A folder by its descriptor, which is closed when the object is dropped."""

    __slots__ = ("_descriptor", "_identity", "_names", "_path", "made")

    def __init__(self, path: str, descriptor: int) -> None:
        self.made = False
        self._path = path
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self._identity = status.st_ino, status.st_dev
        self._names: Container[str] | None = None

    def __del__(self) -> None:
        os.close(self._descriptor)

    @classmethod
    def root(cls, path: str) -> Self:
        """An allowed root: the config names it, so a link there is followed."""
        return cls(path, os.open(path, READ_FOLDER))

    def current(self) -> bool:
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return (status.st_ino, status.st_dev) == self._identity

    def enter(self, name: str, *, make: bool) -> "HeldFolder":
        try:
            return self._open(name)
        except FileNotFoundError:
            if not make:
                raise
        made = False
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode_of(name), dir_fd=self._descriptor)
            made = True
        folder = self._open(name)
        folder.made = made
        return folder

    def _open(self, name: str) -> "HeldFolder":
        try:
            descriptor = os.open(name, READ_FOLDER | NO_FOLLOW, dir_fd=self._descriptor)
        except NotADirectoryError:
            # Linux says so of a link too; ELOOP is what tells the two apart for the caller.
            if is_link(self.status(name)):
                raise link_in_path(name) from None
            raise
        return HeldFolder(f"{self._path}/{name}", descriptor)

    def lacks(self, name: str) -> bool:
        if self._names is None:
            self._names = self._listed()
        return len(name) <= SURELY_SHORT and name not in self._names

    def listed(self, at_most: int) -> dict[str, os.stat_result] | None:
        return _listed(self._descriptor, at_most)

    def forget_names(self) -> None:
        self._names = EVERY_NAME

    def _listed(self) -> "Container[str]":
        try:
            with os.scandir(self._descriptor) as children:
                names = {child.name for child in islice(children, LISTED_AT_MOST + 1)}
        except OSError:  # may be written and not listed
            return EVERY_NAME
        return names if len(names) <= LISTED_AT_MOST else EVERY_NAME

    def status(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def create(self, name: str, mode: int) -> int:
        return os.open(name, NEW_FILE, mode, dir_fd=self._descriptor)

    def reopen(self, name: str) -> int:
        return os.open(name, OLD_FILE, dir_fd=self._descriptor)

    def read(self, name: str) -> int:
        return os.open(name, READ_FILE, dir_fd=self._descriptor)

    def at(self, name: str) -> Place:
        return name, self._descriptor

    @property
    def itself(self) -> int:
        return self._descriptor

    def make_link(self, text: str, name: str) -> None:
        os.symlink(text, name, dir_fd=self._descriptor)

    def link_text(self, name: str) -> str | None:
        with contextlib.suppress(OSError):
            return os.readlink(name, dir_fd=self._descriptor)
        return None

    def dress_link(
        self, name: str, owner: tuple[int | None, int | None], times: tuple[int, int]
    ) -> frozenset[Property]:
        return dress_link(name, owner, times, self._descriptor)

    def make_name(self, other: Folder, old: str, name: str) -> None:
        if not isinstance(other, HeldFolder):
            raise link_in_path(old)
        os.link(old, name, src_dir_fd=other._descriptor, dst_dir_fd=self._descriptor, follow_symlinks=False)

    def remove(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def set_file_times(self, name: str, descriptor: int, mtime_ns: int) -> None:
        os.utime(descriptor, ns=(mtime_ns, mtime_ns))

    def rename(self, old: str, new: str, *, replace: bool) -> None:
        if replace:
            replace_over(self.at(old), self.at(new))
        else:
            rename_new(old, new, self._descriptor)

    def set_times(self, mtime_ns: int) -> None:
        os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))

    def sync(self) -> None:
        os.fsync(self._descriptor)


class NamedFolder:
    """A folder by its path, proved again at every use."""

    __slots__ = ("_identity", "_path", "made")

    def __init__(self, path: str) -> None:
        self.made = False
        status = os.lstat(path)
        if is_link(status):
            raise link_in_path(path)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        self._path = path
        self._identity = status

    @classmethod
    def root(cls, path: str) -> Self:
        """An allowed root: the config names it, so a link there is followed."""
        return cls(os.path.realpath(path))

    def current(self) -> bool:
        try:
            status = os.lstat(self._path)
        except OSError:
            return False
        return not is_link(status) and os.path.samestat(status, self._identity)

    def enter(self, name: str, *, make: bool) -> "NamedFolder":
        path, made = self._at(name), False
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, mode_of(name))
                made = True
        folder = NamedFolder(path)
        folder.made = made
        return folder

    def lacks(self, name: str) -> bool:
        return False  # letter case does not count here, and to list is as dear as to look

    def listed(self, at_most: int) -> dict[str, os.stat_result] | None:
        return _listed(os.path.dirname(self._at("x")), at_most)

    def forget_names(self) -> None:
        """Nothing is remembered."""

    def status(self, name: str) -> os.stat_result:
        return os.lstat(self._at(name))

    def create(self, name: str, mode: int) -> int:
        return os.open(self._at(name), NEW_FILE, mode)

    def reopen(self, name: str) -> int:
        return os.open(self._at(name), OLD_FILE)

    def read(self, name: str) -> int:
        return os.open(self._at(name), READ_FILE)

    def at(self, name: str) -> Place:
        return self._at(name), None

    @property
    def itself(self) -> str:
        return self._path

    def make_link(self, text: str, name: str) -> None:
        if WINDOWS:
            raise OSError(errno.ENOTSUP, "links are not made on Windows", name)
        os.symlink(text, self._at(name))

    def link_text(self, name: str) -> str | None:
        with contextlib.suppress(OSError):
            return os.readlink(self._at(name))
        return None

    def dress_link(
        self, name: str, owner: tuple[int | None, int | None], times: tuple[int, int]
    ) -> frozenset[Property]:
        return dress_link(self._at(name), owner, times)

    def make_name(self, other: Folder, old: str, name: str) -> None:
        if not isinstance(other, NamedFolder):
            raise link_in_path(old)
        os.link(other._at(old), self._at(name), follow_symlinks=False)

    def remove(self, name: str) -> None:
        os.unlink(self._at(name))

    def set_file_times(self, name: str, descriptor: int, mtime_ns: int) -> None:
        os.utime(self._at(name), ns=(mtime_ns, mtime_ns))

    def rename(self, old: str, new: str, *, replace: bool) -> None:
        if replace:
            replace_over(self.at(old), self.at(new))
        elif WINDOWS:
            os.rename(self._at(old), self._at(new))
        else:
            rename_new(self._at(old), self._at(new), None)

    def set_times(self, mtime_ns: int) -> None:
        os.utime(self._path, ns=(mtime_ns, mtime_ns))

    def sync(self) -> None:
        """Windows keeps no promise about folders; the file itself has been flushed."""

    def _at(self, name: str) -> str:
        if not self.current():
            raise FileNotFoundError(errno.ENOENT, "the folder was moved or replaced", self._path)
        return system_path(self._path, name)


def _listed(folder: int | str, at_most: int) -> dict[str, os.stat_result] | None:
    found: dict[str, os.stat_result] = {}
    with os.scandir(folder) as children:
        for child in children:
            if len(found) == at_most:
                return None
            with contextlib.suppress(FileNotFoundError):
                found[child.name] = child.stat(follow_symlinks=False)
    return found


def mode_of(name: str) -> int:
    """The mode of a new folder, less the umask. What was set aside is nobody's but the operator's."""
    return 0o700 if name == HOLDING else 0o777


def checked_name(name: str) -> str:
    """`name`, if it is one component that stays in its folder. A `TargetPath` is checked where it is made; this is the
    last lock on the door."""
    if name in ("", ".", "..") or "/" in name or (WINDOWS and ("\\" in name or ":" in name)):
        raise OSError(errno.ELOOP, f"{name!r} is no name within the destination", name)
    if "\x00" in name:
        raise OSError(errno.EINVAL, f"{name!r} holds a NUL character")
    return name


def link_in_path(name: str) -> OSError:
    """The error for a component that is a link."""
    return OSError(errno.ELOOP, "a symbolic link or junction in the destination", name)


def open_root(path: str) -> Folder:
    """An allowed root, in the way this system can hold it."""
    return NamedFolder.root(path) if WINDOWS else HeldFolder.root(path)
