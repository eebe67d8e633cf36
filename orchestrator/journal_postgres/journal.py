"""The journal that the processes of a fleet share."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from orchestrator.core.counting import Before
from orchestrator.core.entries import Outcome
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, SessionRow
from orchestrator.core.originals import OriginalRow
from orchestrator.core.replaced import Aside
from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.store import Cursor, Store
from orchestrator.ledgers import Journal, from_group, from_lease, from_session


class Guard(Protocol):
    """Asked within the transaction of every write that belongs to a group, before it. What it raises rolls the
    transaction back."""

    def check(self, cursor: Cursor, run: str, groups: Collection[str]) -> None:
        """Whether this process may still write about the groups of a run; an OrchestratorError when it may not."""
        ...

    def lease(self, cursor: Cursor, row: LeaseRow) -> None:
        """Whether it may write that lease."""
        ...


class SharedJournal(Journal):
    """Made by `open_journal`. `member` is the process that writes, as its sessions tell; `guard` may refuse writes."""

    member: str = ""
    guard: Guard | None = None

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.store = store

    def write_session(self, row: SessionRow) -> None:
        """Keep a sealed session of this member."""
        self.store.write("write_session", {**from_session(row), "member": self.member})

    def write_group(self, row: GroupRow) -> None:
        """As Journal does, when the guard has nothing against it. Who submits a run anew puts no group back that a
        worker is at."""
        if self.guard is None and row.state is GroupState.WAITING:
            self.store.write("wait_group", from_group(self.store.run_key(row.run), row))
            return
        with self._guarded(row.run, {row.group}):
            super().write_group(row)

    def write_lease(self, row: LeaseRow) -> None:
        """As Journal does, when the guard has nothing against it. A new one is this member's."""
        with self._first(lambda guard, cursor: guard.lease(cursor, row)):
            self.store.write("write_lease", {**from_lease(self.store.run_key(row.run), row), "member": self.member})

    def in_hand(self, run: str) -> int:
        """How many machines of a run a worker has, or wait for one."""
        return int(self.store.rows("in_hand", run=run)[0][0])

    def write_asides(self, run: str, asides: Sequence[Aside]) -> None:
        """As Journal does, when the guard has nothing against it."""
        with self._guarded(run, ()):
            super().write_asides(run, asides)

    def record(self, run: str, outcomes: Sequence[Outcome]) -> list[Before]:
        """As Journal does, when the guard has nothing against it."""
        with self._guarded(run, {one.group for one in outcomes}):
            return super().record(run, outcomes)

    def record_folders(self, run: str, group: str, stage: int, codes: Mapping[str, int]) -> None:
        """As Journal does, when the guard has nothing against it."""
        with self._guarded(run, {group}):
            super().record_folders(run, group, stage, codes)

    def write_original(self, row: OriginalRow) -> None:
        """As Journal does, when the guard has nothing against it."""
        with self._guarded(row.run, {row.group}):
            super().write_original(row)

    def _guarded(self, run: str, groups: Collection[str]) -> AbstractContextManager[None]:
        return self._first(lambda guard, cursor: guard.check(cursor, run, groups))

    @contextmanager
    def _first(self, look: Callable[[Guard, Cursor], None]) -> Iterator[None]:
        guard = self.guard
        if guard is None:
            yield
            return
        with self.store.before_each(lambda cursor: look(guard, cursor)):
            yield


def open_journal(access: Access, *, read_only: bool = False) -> SharedJournal:
    """The journal of a database, made if it is not there. Any number of processes may have it open.

    With `read_only` nothing is made or changed. JournalUnreachable, JournalUnusable, SchemaUnknown, SchemaOutdated.
    """
    return SharedJournal(Store(access, read_only=read_only))
