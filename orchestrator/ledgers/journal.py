"""The journal: runs, leases, outcomes, dropped jobs and drills over one store."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from orchestrator.ledgers.answers import Answers
from orchestrator.ledgers.asides import Asides, Undos
from orchestrator.ledgers.drills import Drills
from orchestrator.ledgers.drops import Drops, Schedules
from orchestrator.ledgers.leases import Leases
from orchestrator.ledgers.originals import Originals
from orchestrator.ledgers.outcomes import Outcomes
from orchestrator.ledgers.pruning import Pruning
from orchestrator.ledgers.runs import Runs
from orchestrator.ledgers.store import Store


class Journal(Runs, Leases, Answers, Outcomes, Originals, Asides, Undos, Drops, Schedules, Drills, Pruning):
    """Made by the room that has the database; a context manager. Any thread may call, but never two at once."""

    def __init__(self, store: Store, release: Callable[[], None] | None = None) -> None:
        """`release` lets go of what was locked for the store; called once."""
        self._store = store
        self._release = release

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self._store.place

    def close(self) -> None:
        """Close the store and let go of it. Harmless when that is done."""
        try:
            self._store.close()
        finally:
            release, self._release = self._release, None
            if release is not None:
                release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
