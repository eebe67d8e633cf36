"""Dropped jobs, schedules and the pause in the journal: what a watcher must know after a restart."""

from orchestrator.core.drops import DropRow, ScheduleRow
from orchestrator.ledgers.rows import from_drop, from_schedule, to_drop, to_schedule
from orchestrator.ledgers.store import Store


class Drops:
    """The part of the journal that knows claims of dropped files. Every write is on the disk when it returns."""

    _store: Store

    def write_drop(self, row: DropRow) -> None:
        """Insert or update a claim."""
        self._store.write("write_drop", from_drop(row))

    def drop(self, id: str) -> DropRow | None:
        """One claim; None when there is none."""
        return next(map(to_drop, self._store.rows("drop", id=id)), None)

    def unfinished_drops(self) -> list[DropRow]:
        """Every claim that has not ended, oldest first."""
        return [to_drop(row) for row in self._store.rows("unfinished_drops")]

    def recent_drops(self, limit: int) -> list[DropRow]:
        """The newest claims, newest first; `limit` is not negative."""
        return [to_drop(row) for row in self._store.rows("recent_drops", limit=limit)]


class Schedules:
    """The part of the journal that knows schedules and the pause. Every write is on the disk when it returns."""

    _store: Store

    def schedules(self) -> list[ScheduleRow]:
        """Every schedule, by job."""
        return [to_schedule(row) for row in self._store.rows("schedules")]

    def write_schedule(self, row: ScheduleRow) -> None:
        """Insert or update a schedule."""
        self._store.write("write_schedule", from_schedule(row))

    def forget_schedule(self, job: str) -> None:
        """Forget a schedule; nothing happens when there is none."""
        self._store.write("forget_schedule", {"job": job})

    def paused(self, watcher: str = "") -> bool:
        """Whether the queue is paused; it is not until somebody has paused it. `watcher`: which one, where several
        share a journal."""
        return self._store.rows("kept", name=_pause_of(watcher)) == [(1,)]

    def write_paused(self, paused: bool, watcher: str = "") -> None:
        """Keep whether the queue is paused."""
        self._store.write("keep", {"name": _pause_of(watcher), "value": int(paused)})


def _pause_of(watcher: str) -> str:
    return f"paused {watcher}" if watcher else "paused"
