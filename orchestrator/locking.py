"""A lock on an open file that dies with its process: what the journal and the audit trail need alike.

Source: flock(2); `_locking` of the C runtime of Windows, which locks bytes and keeps others from reading them.
"""

import os

if os.name == "nt":  # pragma: no cover
    import msvcrt

    def try_lock(descriptor: int, byte: int = 0) -> bool:
        """Whether the file is ours alone from now on, until it is closed; never waits. On Windows one `byte` of it is
        locked, which may lie beyond its end. OSError when the file system knows no locks."""
        os.lseek(descriptor, byte, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
else:
    import fcntl

    def try_lock(descriptor: int, byte: int = 0) -> bool:
        """Whether the file is ours alone from now on, until it is closed; never waits. On Windows one `byte` of it is
        locked, which may lie beyond its end. OSError when the file system knows no locks."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
