"""Progress, folded from events: how much is done, how fast, and how long it will still take."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.events import (
    BytesCopied,
    Event,
    FilesDone,
    FilesScanned,
    GroupEnded,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    RunEnded,
    RunStarted,
    SessionRenewed,
)
from orchestrator.core.ledger import Totals

RATE_WINDOW = 30.0
"""Seconds over which the rate is measured: long enough to smooth small files, short enough to show a stall."""


@dataclass(slots=True)
class GroupTally:
    """One mount group. `files` and `bytes` are what the walk has found so far; `passed` is what is through."""

    vm: str
    backup_server: str
    state: str = "mounting"
    files: int = 0
    bytes: int = 0
    scanned: bool = False
    totals: Totals = field(default_factory=Totals)
    passed: int = 0
    started: datetime | None = None


@dataclass(slots=True)
class Tally:
    """A running fold over events; `add` is the only way in."""

    run: str = ""
    job: str = ""
    planned: int = 0
    ended: int = 0
    groups: dict[str, GroupTally] = field(default_factory=dict)
    mounts_open: int = 0
    mounts_opened: int = 0
    mounts_deleted: int = 0
    mounts_left: int = 0
    renewals: int = 0
    started: datetime | None = None
    exit_code: int | None = None
    _samples: deque[tuple[datetime, int, int]] = field(default_factory=deque)
    _ahead: dict[str, int] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case RunStarted(at, run, job, groups):
                self.run, self.job, self.planned, self.started = run, job, groups, at
            case GroupStarted(at, _, group, vm, server):
                self.groups[group] = GroupTally(vm, server, started=at)
            case MountOpened(group=group):
                self.mounts_open += 1
                self.mounts_opened += 1
                self._in(group, "copying")
            case MountDeleted():
                self.mounts_open -= 1
                self.mounts_deleted += 1
            case MountGone(group=group):
                self.mounts_open -= 1
                self._in(group, "mounting")
            case MountLeft():
                self.mounts_left += 1
            case SessionRenewed():
                self.renewals += 1
            case RunEnded(exit_code=code):
                self.exit_code = code
            case FilesScanned() | FilesDone() | BytesCopied() | GroupEnded():
                self._add_work(event)
            case _:
                pass

    def _in(self, group: str, state: str) -> None:
        if group in self.groups:
            self.groups[group].state = state

    def _add_work(self, event: FilesScanned | FilesDone | BytesCopied | GroupEnded) -> None:
        tally = self.groups.get(event.group)
        if tally is None:
            return
        match event:
            case FilesScanned(files=files, bytes=size, complete=complete):
                tally.files += files
                tally.bytes += size
                tally.scanned = tally.scanned or complete
            case BytesCopied(bytes=size):
                # Counted again when the file itself is done, so the part that was ahead is taken off then.
                self._ahead[event.group] = self._ahead.get(event.group, 0) + size
                self._sample(event.at)
            case FilesDone(totals=totals, passed=passed):
                tally.totals = tally.totals + totals
                tally.passed += passed
                self._ahead[event.group] = max(0, self._ahead.get(event.group, 0) - passed)
                self._sample(event.at)
            case GroupEnded(state=state, totals=totals):
                self.ended += 1
                tally.state = state
                self._ahead.pop(event.group, None)

    def _sample(self, at: datetime) -> None:
        self._samples.append((at, self.files_done, self.bytes_done))
        while (at - self._samples[0][0]).total_seconds() > RATE_WINDOW and len(self._samples) > 2:
            self._samples.popleft()

    @property
    def totals(self) -> Totals:
        return sum((group.totals for group in self.groups.values()), Totals())

    @property
    def files_found(self) -> int:
        return sum(group.files for group in self.groups.values())

    @property
    def bytes_found(self) -> int:
        return sum(group.bytes for group in self.groups.values())

    @property
    def files_done(self) -> int:
        return self.totals.files

    @property
    def bytes_done(self) -> int:
        """Bytes that are through, whatever became of them, with what is copied of files in flight."""
        return sum(group.passed for group in self.groups.values()) + sum(self._ahead.values())

    def group_bytes_done(self, group: str) -> int:
        """The same for one group."""
        return self.groups[group].passed + self._ahead.get(group, 0)

    def rate(self, now: datetime) -> tuple[float, float]:
        """Files and bytes per second over the last RATE_WINDOW; zeros until there is something to measure."""
        if not self._samples:
            return 0.0, 0.0
        first = self._samples[0]
        seconds = (now - first[0]).total_seconds()
        if seconds <= 0:
            return 0.0, 0.0
        return (self.files_done - first[1]) / seconds, (self.bytes_done - first[2]) / seconds

    def eta(self, now: datetime) -> float | None:
        """Seconds still to go, or None while that cannot be said honestly.

        What is not listed yet is estimated from the groups that are: every open group counts as the mean of those
        whose walk is complete. None before the first walk is complete or while nothing moves.
        """
        complete = [group for group in self.groups.values() if group.scanned]
        files_rate, bytes_rate = self.rate(now)
        if not complete or files_rate <= 0:
            return None
        unknown = max(0, self.planned - len(complete))
        mean_files = sum(group.files for group in complete) / len(complete)
        mean_bytes = sum(group.bytes for group in complete) / len(complete)
        files_left = sum(group.files - group.totals.files for group in complete) + unknown * mean_files
        bytes_left = sum(group.bytes - group.passed for group in complete) + unknown * mean_bytes
        by_bytes = bytes_left / bytes_rate if bytes_rate > 0 else 0.0
        return max(0.0, files_left / files_rate, by_bytes)
