"""What one of several watchers over a shared journal sees of it: its own jobs, schedules and pause."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from orchestrator.core.drops import DropRow, ScheduleRow
from orchestrator.engine.ports_watch import DropLedger, ScheduleLedger


class Pauses(Protocol):
    """Which watchers are paused. Methods block."""

    def paused(self, watcher: str) -> bool: ...

    def write_paused(self, paused: bool, watcher: str) -> None: ...


class ChosenDrops:
    """The ledgers of a watcher as if they were its own. `tag` begins the ids of its claims, and stands before the names
    of its schedules, of which two watchers may have one each. Blocks."""

    def __init__(self, drops: DropLedger, schedules: ScheduleLedger, pauses: Pauses, tag: str) -> None:
        self._drops = drops
        self._schedules = schedules
        self._pauses = pauses
        self._tag = tag

    # --- dropped jobs ---

    def write_drop(self, row: DropRow) -> None:
        self._drops.write_drop(row)

    def drop(self, id: str) -> DropRow | None:
        return self._drops.drop(id)

    def unfinished_drops(self) -> list[DropRow]:
        return self._own(self._drops.unfinished_drops())

    def recent_drops(self, limit: int) -> list[DropRow]:
        return self._own(self._drops.recent_drops(limit))

    def _own(self, rows: Sequence[DropRow]) -> list[DropRow]:
        return [row for row in rows if row.id.startswith(f"{self._tag}-")]

    # --- schedules ---

    def schedules(self) -> list[ScheduleRow]:
        mine = f"{self._tag}/"
        rows = [row for row in self._schedules.schedules() if row.job.startswith(mine)]
        return [replace(row, job=row.job.removeprefix(mine)) for row in rows]

    def write_schedule(self, row: ScheduleRow) -> None:
        self._schedules.write_schedule(replace(row, job=self._named(row.job)))

    def forget_schedule(self, job: str) -> None:
        self._schedules.forget_schedule(self._named(job))

    def _named(self, job: str) -> str:
        return f"{self._tag}/{job}"

    # --- the pause ---

    def paused(self) -> bool:
        return self._pauses.paused(self._tag)

    def write_paused(self, paused: bool) -> None:
        self._pauses.write_paused(paused, self._tag)
