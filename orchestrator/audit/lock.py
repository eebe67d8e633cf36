"""One writer at a time: a lock on a file beside the trail, that dies with its process."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.locking import try_lock

MODE = 0o640
"""Of the lock and of the trail: the group may read."""

WAIT = 10.0
"""Seconds to wait for another writer; it needs milliseconds, unless it is stopped or its disk hangs."""

WAIT_AGAIN = 0.2
"""Seconds to wait for one that was waited for in vain before."""

LOOK_AGAIN = 0.02


def settle(descriptor: int, file: Path) -> None:
    """Give a new file its mode, whatever the umask says, and to the owner of its folder when root has made it: the
    account that writes on is another."""
    os.chmod(file, MODE)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        folder = file.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)


@contextmanager
def locked(file: Path, wait: float = WAIT, *, reader: bool = False) -> Iterator[None]:
    """The only one that writes, while this is open. TimeoutError (an OSError) when another one does not end. A `reader`
    needs no right to write the file, which must then be there."""
    fresh = not reader and not file.exists()
    flags = os.O_RDONLY if reader else os.O_RDWR | os.O_CREAT
    descriptor = os.open(file, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0), MODE)
    try:
        if fresh:
            settle(descriptor, file)
        until = time.monotonic() + wait
        while not try_lock(descriptor):
            if time.monotonic() > until:
                raise TimeoutError(None, f"another process has been writing to it for {wait:g} s")
            time.sleep(LOOK_AGAIN)
        yield
    finally:
        os.close(descriptor)
