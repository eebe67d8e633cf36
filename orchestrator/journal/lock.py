"""One orchestrator per state folder. The lock falls with its process, however that ends."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from orchestrator.core.errors import StateLocked, StateUnusable


class StateLock:
    """Holds `folder`/lock until closed. StateLocked names the owner that the file tells."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._file: IO[str] = (folder / "lock").open("a+", encoding="utf-8")
        except OSError as cause:
            raise StateUnusable(folder=folder, cause=cause.strerror or cause) from cause
        try:
            _take(self._file)
        except OSError as cause:
            owner = self._owner()
            self._file.close()
            raise StateLocked(folder=folder, owner=owner) from cause
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def _owner(self) -> str:
        with suppress(OSError):
            self._file.seek(0)
            if owner := self._file.read(200).strip():
                return owner
        return "another process"

    def close(self) -> None:
        """Let go. The file stays: removing it could take away the lock of whoever comes next."""
        self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[str]) -> None:
        # One byte far behind the text, so that the owner's name stays readable for others.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: IO[str]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
