"""What the targets of several runs at servers have in common: folders held, files under way;
and what each has for itself: the files that are to be flushed."""

import threading
from collections.abc import Sequence

from orchestrator.core.paths import TargetPath, fold
from orchestrator.files.smb.holding import Holding
from orchestrator.files.smb.share import Share


class Shared:
    """What the targets of several runs have in common."""

    def __init__(self) -> None:
        self.holding = Holding()
        self.splits: dict[str, tuple[str, int]] = {}
        self.busy: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def claim(self, target: TargetPath) -> bool:
        """Whether this is the only copy of this process that writes `target`."""
        key = key_of(target)
        with self._lock:
            free = key not in self.busy
            self.busy.add(key)
        return free


class Unflushed:
    """The files of one run of which no flush has told that they are at the server's disk. What another run flushes
    meanwhile must not be missing here."""

    def __init__(self) -> None:
        self._files: list[tuple[Share, str]] = []
        self._lock = threading.Lock()

    def add(self, files: Sequence[tuple[Share, str]]) -> None:
        """Remember files by share and path."""
        with self._lock:
            self._files.extend(files)

    def take(self, count: int) -> list[tuple[Share, str]]:
        """Some of those that were remembered, which are forgotten."""
        with self._lock:
            taken, self._files = self._files[:count], self._files[count:]
        return taken


def key_of(target: TargetPath) -> tuple[str, str]:
    return fold(target.root), fold(target.relative)
