"""Waiting for something to happen in a folder: told by the system where it tells, and by the clock everywhere.

A file system of another machine (SMB, NFS) tells nothing of what others do there, so nobody may rely on being told.
"""

import time
from collections.abc import Generator
from pathlib import Path

from watchfiles import watch
from watchfiles.main import FileChange

_DEBOUNCE_MS, _STEP_MS, _SLICE_MS = 200, 100, 500

Changes = Generator[set[FileChange], None, None]


class Waker:
    """Waits for a folder. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changes: Changes | None = None

    def wait(self, seconds: float) -> None:
        """Return when something has happened in the folder, or after `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._told(left):
                return

    def _told(self, seconds: float) -> bool:
        """Whether the system told of a change within a slice of time."""
        self._changes = self._changes or self._watch()
        try:
            return bool(next(self._changes, set()))
        except (OSError, RuntimeError):
            # The folder has gone, or the system has no more watches to give: the clock is enough.
            self._changes = None
            time.sleep(seconds)
            return False

    def _watch(self) -> Changes:
        return watch(
            self._folder,
            watch_filter=None,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=_SLICE_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        )
