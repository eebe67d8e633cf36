"""Holes of sparse files: found at the source, left at the target. Source: lseek(2), SEEK_DATA and SEEK_HOLE."""

import errno
import os
import stat

ZEROS = bytes(1 << 20)
"""What a reader gives a view of for a hole; by this very object the writer knows it."""

SPARSE_FROM = 64 << 10
"""Bytes. Smaller files take less room than they have bytes for other reasons, and their holes save next to none."""

_DATA: int | None = getattr(os, "SEEK_DATA", None)
_HOLE: int | None = getattr(os, "SEEK_HOLE", None)


def may_have_holes(status: os.stat_result) -> bool:
    """Whether a regular file takes less room than it has bytes; st_blocks counts 512 bytes (POSIX)."""
    if status.st_size < SPARSE_FROM or _DATA is None:
        return False
    blocks = getattr(status, "st_blocks", None)
    return blocks is not None and blocks * 512 < status.st_size and stat.S_ISREG(status.st_mode)


def next_data(descriptor: int, offset: int, size: int) -> int:
    """Where data begins at or after `offset`; `size` when there is none. `offset` where the file system cannot tell."""
    return _sought(descriptor, offset, _DATA, size)


def next_hole(descriptor: int, offset: int, size: int) -> int:
    """Where a hole begins at or after `offset`; the end of a file counts as one."""
    found = _sought(descriptor, offset, _HOLE, size)
    return size if found <= offset else found


def _sought(descriptor: int, offset: int, whence: int | None, size: int) -> int:
    if whence is None:
        return offset
    try:
        return min(os.lseek(descriptor, offset, whence), size)
    except OSError as error:
        return size if error.errno == errno.ENXIO else offset


def leave_hole(descriptor: int, length: int) -> None:
    """Go on `length` bytes without writing, at the end of a file that grows by them. OSError."""
    os.ftruncate(descriptor, os.lseek(descriptor, length, os.SEEK_CUR))
