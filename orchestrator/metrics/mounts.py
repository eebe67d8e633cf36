"""Mounts: how many are held, how long they take, and what became of them."""

from collections.abc import Collection, Iterable

from orchestrator.core.events import (
    Event,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    RunEnded,
    SweepEnded,
)
from orchestrator.core.ledger import LeaseRow
from orchestrator.metrics.series import Maker

MAKING = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800)
KEEPING = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400)
UNKNOWN = "unknown"
"""The backup server of a mount that another process had made."""

_Mount = tuple[str, str]
"""(run, path at EM)."""


class Mounts:
    """A fold over the events of mounts. A mount of a dead process is never open here; it is left until it is swept.

    What this process has opened it has deleted, lost or left behind, each mount one of them: one that is lost with its
    session counts as lost whatever is proved of it later, and only `mounts_left` tells that it may still be there."""

    def __init__(self, passing: Maker, lasting: Maker) -> None:
        server = "backup_server"
        self._open = passing.gauge("mounts_open", "Mounts that this process holds now.", server)
        self._opened = passing.counter("mounts_opened_total", "Mounts made.", server)
        self._deleted = passing.counter("mounts_deleted_total", "Mounts deleted, swept ones too.", server)
        self._lost = passing.counter("mounts_lost_total", "Mounts lost because their session ended.", server)
        self._behind = passing.counter(
            "mounts_left_behind_total", "Mounts that were not lost and could not be deleted.", server
        )
        self._swept = passing.counter("mounts_swept_total", "Mounts of dead runs that a sweep has cleared.")
        self._making = passing.histogram(
            "mount_duration_seconds", "Time from asking for a mount until it is ready.", server, buckets=MAKING
        )
        self._keeping = passing.histogram(
            "mount_open_duration_seconds", "Time from asking for a mount until it is deleted.", server, buckets=KEEPING
        )
        self._left = lasting.gauge("mounts_left", "Mounts that may still be open although nobody holds them.")
        self._held: dict[_Mount, str] = {}
        self._gone: set[_Mount] = set()
        self._doubtful: set[_Mount] = set()
        self._abandoned: set[_Mount] = set()

    def recall(self, leases: Iterable[LeaseRow]) -> None:
        """`leases` are the open ones of earlier processes."""
        self._abandoned.update((row.run, row.mount_href or row.task_href or row.point.mounts_href) for row in leases)
        self._left.set(len(self._abandoned))

    def add(self, event: Event) -> None:
        match event:
            case GroupStarted(backup_server=server):
                self._begin_with_zero(server)
            case MountOpened(run=run, backup_server=server, href=href, seconds=seconds):
                self._opened.labels(server).inc()
                if seconds > 0:  # one that was only found while it was deleted took nobody knows how long
                    self._making.labels(server).observe(seconds)
                self._hold((run, href), server)
            case MountDeleted(run=run, backup_server=server, href=href, open_seconds=seconds):
                self._deleted.labels(server).inc()
                self._keeping.labels(server).observe(seconds)
                if not self._let_go((run, href)):
                    self._abandon((run, href), False)
            case MountGone(run=run, href=href):
                self._lost.labels(self._let_go((run, href)) or UNKNOWN).inc()
                self._gone.add((run, href))
            case MountLeft(run=run, backup_server=server, href=href):
                self._leave((run, href), server)
                self._abandon((run, href), True)
            case SweepEnded(cleared=cleared, left=left):
                self._swept.inc(len(cleared))
                self._believe(left)
            case RunEnded(run=run):
                for mount in [one for one in self._held if one[0] == run]:
                    if mount in self._doubtful:
                        self._behind.labels(self._held[mount]).inc()
                    self._let_go(mount)
                self._gone = {one for one in self._gone if one[0] != run}
                self._doubtful = {one for one in self._doubtful if one[0] != run}
            case _:
                pass

    def _begin_with_zero(self, server: str) -> None:
        """A counter that begins with its first count shows no increase."""
        for metric in (self._open, self._opened, self._deleted, self._lost, self._behind):
            metric.labels(server)

    def _leave(self, mount: _Mount, server: str) -> None:
        """A mount may be left. Enterprise Manager counts mounts anew in each session, so its path may be that of one
        that was lost, which has been counted, and of one that is held; the end of the run tells which it was."""
        if mount in self._gone and mount in self._held:
            self._doubtful.add(mount)
            return
        self._let_go(mount)
        if mount not in self._gone:
            self._behind.labels(server).inc()

    def _hold(self, mount: _Mount, server: str) -> None:
        if mount not in self._held:
            self._held[mount] = server
            self._open.labels(server).inc()

    def _let_go(self, mount: _Mount) -> str:
        """The backup server of a mount that was held here; empty when it was not."""
        server = self._held.pop(mount, "")
        if server:
            self._open.labels(server).dec()
        return server

    def _believe(self, left: Collection[str]) -> None:
        """A sweep has looked at every mount that may be open, and this is what it found."""
        self._abandoned = {mount for mount in self._abandoned if mount[1] in left}
        known = {href for _, href in self._abandoned}
        self._abandoned.update(("", href) for href in left if href not in known)
        self._left.set(len(self._abandoned))

    def _abandon(self, mount: _Mount, left: bool) -> None:
        (self._abandoned.add if left else self._abandoned.discard)(mount)
        self._left.set(len(self._abandoned))
