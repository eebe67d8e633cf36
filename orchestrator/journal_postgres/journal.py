"""The journal that the processes of a fleet share."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from orchestrator.core.counting import Before
from orchestrator.core.entries import Outcome
from orchestrator.core.ledger import GroupRow, LeaseRow, SessionRow
from orchestrator.core.originals import OriginalRow
from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.store import Cursor, Store
from orchestrator.ledgers import Journal, from_session


class Guard(Protocol):
    """Asked within the transaction of every write that belongs to a group, before it. What it raises rolls the
    transaction back."""

    def check(self, cursor: Cursor, run: str, groups: Collection[str]) -> None:
        """Whether this process may still write about the groups of a run; an OrchestratorError when it may not."""
        ...

    def lease(self, cursor: Cursor, row: LeaseRow) -> None:
        """A lease is about to be written, after its group was checked."""
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
        """As Journal does, when the guard has nothing against it."""
        with self._guarded(row.run, {row.group}):
            super().write_group(row)

    def write_lease(self, row: LeaseRow) -> None:
        """As Journal does, when the guard has nothing against it."""
        with self._guarded(row.run, {row.group}, row):
            super().write_lease(row)

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

    @contextmanager
    def _guarded(self, run: str, groups: Collection[str], lease: LeaseRow | None = None) -> Iterator[None]:
        guard = self.guard
        if guard is None:
            yield
            return

        def first(cursor: Cursor) -> None:
            guard.check(cursor, run, groups)
            if lease is not None:
                guard.lease(cursor, lease)

        with self.store.before_each(first):
            yield


def open_journal(access: Access, *, read_only: bool = False) -> SharedJournal:
    """The journal of a database, made if it is not there. Any number of processes may have it open.

    With `read_only` nothing is made or changed. JournalUnreachable, JournalUnusable, SchemaUnknown, SchemaOutdated.
    """
    return SharedJournal(Store(access, read_only=read_only))
