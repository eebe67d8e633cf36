"""Renaming without ever taking the place of an existing file, and exchanging two files.

On POSIX rename(2) replaces. So there are three ways, each tried where the one before is not offered: renameat2 with
RENAME_NOREPLACE (Linux; NFS and SMB mounts refuse it), a hard link followed by the removal of the old name (not on FAT
and some SMB mounts), and at last a look before a plain rename, which leaves a moment in which another program could put
a file there.
Source: rename(2), link(2).
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_NOT_OFFERED = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK, errno.ENOTTY}
)

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

Renaming = Callable[[str, str, int | None], None]

Place = tuple[str, int | None]
"""A name, and the descriptor of its folder; or a whole path and None."""


def rename_new(old: str, new: str, folder: int | None) -> None:
    """Rename within a folder, given by descriptor or (None) in the paths. FileExistsError when `new` is taken."""
    for way in _WAYS[:-1]:
        try:
            return way(old, new, folder)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
    return _WAYS[-1](old, new, folder)


def _renameat2(old: str, new: str, folder: int | None) -> None:
    _call((old, folder), (new, folder), _RENAME_NOREPLACE)


def _call(old: Place, new: Place, flags: int) -> None:
    if _system_call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    here, there = (_AT_FDCWD if folder is None else folder for _, folder in (old, new))
    if _system_call(here, old[0].encode(_ENCODING, _ERRORS), there, new[0].encode(_ENCODING, _ERRORS), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new[0])


def exchange(one: Place, other: Place) -> bool:
    """Let two files change places in one step; False where the file system does not offer it, and nothing is done."""
    try:
        _call(one, other, _RENAME_EXCHANGE)
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            return False
        raise
    return True


def link_new(old: Place, new: Place) -> bool:
    """Give a file a second name; False where there are no hard links, or not of this file. FileExistsError when `new`
    is taken."""
    try:
        if os.name == "nt":
            os.link(old[0], new[0])
        else:
            os.link(old[0], new[0], src_dir_fd=old[1], dst_dir_fd=new[1], follow_symlinks=False)
    except OSError as error:
        if error.errno in _NOT_OFFERED:
            return False
        raise
    return True


def replace(old: Place, new: Place) -> None:
    """Rename a file over another in one step. One that is marked read-only, which stops Windows and servers that keep
    the mark, loses the mark for it; it keeps it when the rename is refused all the same."""
    try:
        return _replace(old, new)
    except PermissionError:
        mode = os.stat(new[0], dir_fd=new[1], follow_symlinks=False).st_mode
        if mode & stat.S_IWRITE or not stat.S_ISREG(mode):
            raise
    _set_mode(new, stat.S_IMODE(mode) | stat.S_IWRITE)
    try:
        _replace(old, new)
    except BaseException:
        _set_mode(new, stat.S_IMODE(mode))
        raise


def _replace(old: Place, new: Place) -> None:
    os.replace(old[0], new[0], src_dir_fd=old[1], dst_dir_fd=new[1])


def _set_mode(place: Place, mode: int) -> None:
    os.chmod(place[0], mode, dir_fd=place[1])


def move_new(old: Place, new: Place) -> None:
    """Rename a file, perhaps into another folder. FileExistsError when `new` is taken."""
    if os.name == "nt":
        return os.rename(old[0], new[0])
    try:
        return _call(old, new, _RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    if link_new(old, new):
        return os.unlink(old[0], dir_fd=old[1])
    try:
        os.stat(new[0], dir_fd=new[1], follow_symlinks=False)
    except FileNotFoundError:
        return os.rename(old[0], new[0], src_dir_fd=old[1], dst_dir_fd=new[1])
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new[0])


def _link_and_unlink(old: str, new: str, folder: int | None) -> None:
    os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.unlink(old, dir_fd=folder)


def _look_and_rename(old: str, new: str, folder: int | None) -> None:
    try:
        os.stat(new, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


def _find_system_call() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """renameat2 of the C library (glibc 2.28, musl 1.2.4); None where there is none."""
    if os.name == "nt":
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    call: Callable[[int, bytes, int, bytes, int], int] = function
    return call


_system_call = _find_system_call()
_WAYS: tuple[Renaming, ...] = (_renameat2, _link_and_unlink, _look_and_rename)
