"""Where POSIX and Windows differ when files are opened, read and told apart."""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from orchestrator.core.entries import EntryKind

WINDOWS = os.name == "nt"

# Flags that one of the two systems does not have count as nothing there.
_COMMON = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)
NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: int = getattr(os, "O_DIRECTORY", 0)

# O_NONBLOCK: a file that has become a pipe since it was listed must not hang the copy.
READ_FILE: int = os.O_RDONLY | NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | _COMMON
NEW_FILE: int = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | _COMMON
OLD_FILE: int = os.O_RDWR | NO_FOLLOW | _COMMON
READ_FOLDER: int = os.O_RDONLY | _FOLDER | _COMMON

_REPARSE_POINT = 0x400
_NAME_SURROGATE = 0x20000000
_PATH_CHUNK = 2000


def system_path(root: str, relative: str = "") -> str:
    r"""The path the system is asked for. On Windows beyond 247 characters it takes the `\\?\` form.

    OSError(ENOTSUP) for a UNC root on a system that cannot open one.
    """
    if not WINDOWS:
        if root.startswith("\\\\"):
            raise OSError(
                errno.ENOTSUP, "a UNC path can only be opened on Windows; mount the share and name its folder", root
            )
        return f"{root}/{relative}" if relative else root
    path = os.path.join(root, *relative.split("/")) if relative else root
    if len(path) < 248 or path.startswith("\\\\?\\"):
        return path
    path = os.path.abspath(path)
    return "\\\\?\\UNC\\" + path[2:] if path.startswith("\\\\") else "\\\\?\\" + path


def is_link(status: os.stat_result) -> bool:
    """Whether an entry (looked at without following) stands for another place: symlink, junction, volume mount.

    Reparse points of other kinds, such as deduplicated or archived files, are the files themselves.
    """
    if stat.S_ISLNK(status.st_mode):
        return True
    if not getattr(status, "st_file_attributes", 0) & _REPARSE_POINT:
        return False
    return bool(getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE)


def kind_of(status: os.stat_result) -> EntryKind:
    """What an entry is, from a look that did not follow links."""
    if is_link(status):
        return EntryKind.LINK
    if stat.S_ISDIR(status.st_mode):
        return EntryKind.FOLDER
    return EntryKind.FILE if stat.S_ISREG(status.st_mode) else EntryKind.SPECIAL


def open_path(path: str, flags: int) -> int:
    """A descriptor of `path`. A path longer than the system takes in one piece is walked in several."""
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG or WINDOWS:
            raise
    return _open_in_pieces(path, flags)


def _open_in_pieces(path: str, flags: int) -> int:
    names = path.split("/")
    here = os.open("/" if path.startswith("/") else ".", READ_FOLDER)
    try:
        while names:
            piece = [names.pop(0)]
            while names and sum(map(len, piece)) < _PATH_CHUNK // 4:
                piece.append(names.pop(0))
            below = "/".join(name for name in piece if name) or "."
            there = os.open(below, READ_FOLDER if names else flags, dir_fd=here)
            os.close(here)
            here = there
    except BaseException:
        os.close(here)
        raise
    return here


@contextmanager
def opened_folder(path: str, *, follow: bool) -> Iterator[int | str]:
    """What `os.scandir` is given for a folder, valid inside the block.

    On POSIX a descriptor, so that a folder which becomes a link after it was listed is not entered; on Windows the
    path, because descriptors of folders do not exist there.
    """
    if WINDOWS:
        yield path
        return
    folder = open_path(path, READ_FOLDER if follow else READ_FOLDER | NO_FOLLOW)
    try:
        yield folder
    finally:
        os.close(folder)


def read_into(descriptor: int, buffer: bytearray) -> int:
    """Read once into the start of `buffer`: the number of bytes, 0 at the end of the file."""
    if not WINDOWS:
        return os.readv(descriptor, (buffer,))
    data = os.read(descriptor, len(buffer))
    buffer[: len(data)] = data
    return len(data)


def write_all(descriptor: int, data: memoryview) -> None:
    """Write every byte; a disk that is nearly full takes less than it is given."""
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, data[done:])


def set_mode(descriptor: int, now: int, wanted: int) -> None:
    """Set the permission bits of an open file, when they are not `wanted`. Windows has none that are worth setting."""
    if now & 0o777 == wanted or WINDOWS:
        return
    # File systems without mode bits (FAT, many shares) refuse; the content is no worse for it.
    with suppress(OSError):
        os.fchmod(descriptor, wanted)


def forget_cached(descriptor: int) -> None:
    """Ask the system to drop what it holds of an open file in memory, so that it is read from the disk. What has not
    been flushed stays; file systems that live in memory, and Windows, keep all."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        with suppress(OSError):
            advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def flush_file_system(path: str) -> None:
    """Return when the file system that holds `path` has written everything it was given (syncfs(2) where there is
    one, else all file systems). OSError."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if not WINDOWS else None
    if syncfs is None:
        getattr(os, "sync", lambda: None)()
        return
    descriptor = os.open(path, READ_FOLDER)
    try:
        if syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
