"""One process per state folder, held by a lock that dies with its process.

The file stays when the lock is gone: removing it would let two processes lock two different files.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from orchestrator.core.errors import StateLocked
from orchestrator.journal.translate import Translating
from orchestrator.locking import try_lock

LOCKED_BYTE = 1 << 30
"""On Windows a locked byte cannot be read by others, so one far behind the text is locked."""


class StateLock:
    """The lock on a state folder, from construction until `release`."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        """StateLocked when another process has it, with who that is; OSError when the file cannot be made."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(folder / "lock", flags, 0o600)
        try:
            if not try_lock(self._descriptor, LOCKED_BYTE):
                raise StateLocked(folder=folder, owner=_read_owner(self._descriptor))
            owner = f"process {os.getpid()} on {socket.gethostname()} since {clock().isoformat(timespec='seconds')}"
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, owner.encode())
        except BaseException:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Let the folder go; once only."""
        os.close(self._descriptor)


@contextmanager
def locked(folder: Path, clock: Callable[[], datetime]) -> Iterator[None]:
    """A state folder for this process alone, made if it is not there, when its journal is elsewhere. StateLocked,
    StateUnusable."""
    with Translating(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = StateLock(folder, clock)
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether some process has a state folder just now."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return not try_lock(descriptor, LOCKED_BYTE)
    finally:
        os.close(descriptor)


def _read_owner(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 200).decode("utf-8", "replace").strip() or "an unknown process"
