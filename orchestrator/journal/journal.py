"""The journal: runs, leases, outcomes, dropped jobs and drills over one database."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.journal.answers import Answers
from orchestrator.journal.asides import Asides, Undos
from orchestrator.journal.drills import Drills
from orchestrator.journal.drops import Drops, Schedules
from orchestrator.journal.leases import Leases
from orchestrator.journal.lock import StateLock
from orchestrator.journal.outcomes import Outcomes
from orchestrator.journal.pruning import Pruning
from orchestrator.journal.runs import Runs
from orchestrator.journal.store import Store
from orchestrator.journal.translate import Translating


class Journal(Runs, Leases, Answers, Outcomes, Asides, Undos, Drops, Schedules, Drills, Pruning):
    """Made by `open_journal`; a context manager. Any thread may call, but never two at once."""

    def __init__(self, store: Store, lock: StateLock | None) -> None:
        self._store = store
        self._lock = lock

    def close(self) -> None:
        """Close the database and let the folder go. Harmless when that is done."""
        try:
            self._store.close()
        finally:
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _now() -> datetime:
    return datetime.now(UTC)


def open_journal(folder: Path, *, read_only: bool = False, clock: Callable[[], datetime] = _now) -> Journal:
    """The journal of a state folder, made if it is not there: the folder for the owner alone, the file likewise.

    With `read_only` nothing is made or locked, so it can be read while a run writes it. Otherwise this process alone
    has it until `close`; `clock` dates that for the message to others. StateLocked, StateUnusable, SchemaUnknown.
    """
    if read_only:
        return Journal(Store(folder, read_only=True), None)
    with Translating(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = StateLock(folder, clock)
    try:
        return Journal(Store(folder, read_only=False), lock)
    except BaseException:
        lock.release()
        raise
