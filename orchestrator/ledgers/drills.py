"""Restore drills in the journal: the times to restore, one row for each drill."""

from orchestrator.core.drops import DrillRow
from orchestrator.ledgers.rows import from_drill, to_drill
from orchestrator.ledgers.store import Store


class Drills:
    """The part of the journal that knows restore drills. Every write is on the disk when it returns."""

    _store: Store

    def write_drill(self, row: DrillRow) -> None:
        """Insert or update a drill."""
        self._store.write("write_drill", from_drill(row))

    def drills(self, job: str | None = None) -> list[DrillRow]:
        """Every drill, or those of one job, newest first."""
        if job is None:
            return [to_drill(row) for row in self._store.rows("drills")]
        return [to_drill(row) for row in self._store.rows("drills_of_job", job=job)]
