"""Forgetting what is old: whole runs, and the claims of jobs that ended."""

import json
from collections.abc import Sequence
from datetime import datetime

from orchestrator.ledgers.store import Store


class Pruning:
    """The part of the journal that forgets. It asks nobody whether it may: see core.retention."""

    _store: Store

    def forget_run(self, run: str) -> None:
        """Delete a run with its groups, leases and outcomes, all or nothing; nothing happens when there is none."""
        parts = (
            "forget_outcomes",
            "forget_folders",
            "forget_originals",
            "forget_asides",
            "forget_made",
            "forget_undos",
            "forget_leases",
            "forget_groups",
            "forget_run",
        )
        self._store.write_all((part, {"run": run}) for part in parts)
        self._store.forget_run_key(run)

    def old_drops(self, before: datetime, gone: Sequence[str]) -> list[str]:
        """The ids of claims that ended before a time and whose run is none, or unknown, or among those `gone`."""
        rows = self._store.rows("old_drops", before=before, gone=json.dumps(list(gone)))
        return [name for (name,) in rows]

    def forget_drops(self, ids: Sequence[str]) -> None:
        """Delete claims, all or none."""
        self._store.write_all(("forget_drop", {"id": one}) for one in ids)

    def compact(self) -> None:
        """Give the room of what was deleted back to the disk. For that time as much room again is needed, in the state
        folder and where the system keeps temporary files; StateUnusable when there is none, and nothing is lost."""
        self._store.compact()

    def shrink(self) -> None:
        """Let go of the memory that only makes the next question faster."""
        self._store.shrink()
