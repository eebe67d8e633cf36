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
    GroupPutOff,
    GroupsStuck,
    GroupStarted,
    LimitChanged,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    OtherPointTaken,
    RunEnded,
    RunPaused,
    RunStarted,
    SessionRenewed,
    SitePace,
    Stopping,
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
    ended: bool = False


@dataclass(slots=True)
class Tally:
    """A running fold over events; `add` is the only way in, and costs the same however many groups there are."""

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
    paused: bool = False
    bandwidth: str = ""
    sites: dict[str, SitePace] = field(default_factory=dict)
    stuck: int = 0
    totals: Totals = field(default_factory=Totals)
    files_found: int = 0
    bytes_found: int = 0
    _passed: int = 0
    _in_flight: int = 0
    _samples: deque[tuple[datetime, int, int]] = field(default_factory=deque)
    _settled: dict[str, tuple[Totals, int]] = field(default_factory=dict)
    _ahead: dict[str, int] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case RunStarted(at, run, job, groups, done=done):
                self.run, self.job, self.planned, self.started = run, job, groups, at
                self.ended = done
            case GroupStarted(at, _, group, vm, server):
                self._start(group, GroupTally(vm, server, started=at))
            case MountOpened(group=group):
                self.mounts_open += 1
                self.mounts_opened += 1
                self._in(group, "copying")
            case GroupPutOff(group=group) | OtherPointTaken(group=group):
                self._in(group, "waiting")
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
            case RunPaused(paused=paused):
                self.paused = paused
            case Stopping():
                self.paused = False
            case SitePace(site=site):
                self.sites[site] = event
            case GroupsStuck(groups=groups):
                self.stuck = groups
            case LimitChanged(what="bandwidth", value=value, run="", backup_server=""):
                self.bandwidth = "" if value == "none" else value
            case FilesScanned() | FilesDone() | BytesCopied() | GroupEnded():
                self._add_work(event)
            case _:
                pass

    def _start(self, name: str, group: GroupTally) -> None:
        """What an earlier process, or an earlier turn of this group, has told of stays; what changes is told."""
        before = self.groups.get(name)
        if before is not None:
            self.files_found -= before.files
            self.bytes_found -= before.bytes
            self.ended -= before.ended
            group.totals, group.passed = before.totals, before.passed
        elif name in self._settled:
            group.totals, group.passed = self._settled.pop(name)
        self.groups[name] = group

    def _in(self, group: str, state: str) -> None:
        if group in self.groups:
            self.groups[group].state = state

    def _add_work(self, event: FilesScanned | FilesDone | BytesCopied | GroupEnded) -> None:
        tally = self.groups.get(event.group)
        if tally is None:
            if isinstance(event, FilesDone):
                self._settle(event)
            return
        match event:
            case FilesScanned(files=files, bytes=size, complete=complete):
                tally.files += files
                tally.bytes += size
                tally.scanned = tally.scanned or complete
                self.files_found += files
                self.bytes_found += size
            case BytesCopied(bytes=size):
                # Counted again when the file itself is done, so the part that was ahead is taken off then.
                self._set_ahead(event.group, self._ahead.get(event.group, 0) + size)
                self._sample(event.at)
            case FilesDone(totals=totals, passed=passed):
                tally.totals = tally.totals + totals
                tally.passed += passed
                self.totals = self.totals + totals
                self._passed += passed
                self._set_ahead(event.group, max(0, self._ahead.get(event.group, 0) - passed))
                self._sample(event.at)
            case GroupEnded(state=state):
                self.ended += 1
                tally.state = state
                tally.ended = True
                self._set_ahead(event.group, 0)

    def _settle(self, event: FilesDone) -> None:
        """A resumed run begins with what is done already; that is progress, but it says nothing of the rate."""
        totals, passed = self._settled.get(event.group, (Totals(), 0))
        self._settled[event.group] = totals + event.totals, passed + event.passed
        self.totals = self.totals + event.totals
        self._passed += event.passed

    def _set_ahead(self, group: str, size: int) -> None:
        self._in_flight += size - self._ahead.get(group, 0)
        self._ahead[group] = size

    def _sample(self, at: datetime) -> None:
        self._samples.append((at, self.files_done, self.bytes_done))
        while (at - self._samples[0][0]).total_seconds() > RATE_WINDOW and len(self._samples) > 2:
            self._samples.popleft()

    @property
    def files_done(self) -> int:
        return self.totals.files

    @property
    def bytes_done(self) -> int:
        """Bytes that are through, whatever became of them, with what is copied of files in flight."""
        return self._passed + self._in_flight

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

        What is not listed yet is estimated from the groups that are: every group still to come or to be listed counts
        as the mean of those whose walk is complete; a group that has ended is not waited for, however it ended. None
        before the first walk is complete or while nothing moves.
        """
        if self.paused:
            return None
        complete = [group for group in self.groups.values() if group.scanned]
        files_rate, bytes_rate = self.rate(now)
        if not complete or files_rate <= 0:
            return None
        listed = [group for group in complete if not group.ended]
        unknown = max(0, self.planned - self.ended - len(listed))
        mean_files = sum(group.files for group in complete) / len(complete)
        mean_bytes = sum(group.bytes for group in complete) / len(complete)
        files_left = sum(group.files - group.totals.files for group in listed) + unknown * mean_files
        bytes_left = sum(group.bytes - group.passed for group in listed) + unknown * mean_bytes
        by_bytes = bytes_left / bytes_rate if bytes_rate > 0 else 0.0
        return max(0.0, files_left / files_rate, by_bytes)
