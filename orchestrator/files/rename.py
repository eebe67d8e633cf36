"""Renaming without ever taking the place of an existing file, on POSIX, where rename(2) replaces.

Three ways, each tried where the one before is not offered: renameat2 with RENAME_NOREPLACE (Linux; NFS and SMB mounts
refuse it), a hard link followed by the removal of the old name (not on FAT and some SMB mounts), and at last a look
before a plain rename, which leaves a moment in which another program could put a file there.
Source: rename(2), link(2).
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_NOT_OFFERED = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK, errno.ENOTTY}
)

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

Renaming = Callable[[str, str, int | None], None]


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
    here = _AT_FDCWD if folder is None else folder
    if _system_call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _system_call(here, old.encode(_ENCODING, _ERRORS), here, new.encode(_ENCODING, _ERRORS), _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)


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
