"""Mounts and sessions in the journal: what Enterprise Manager holds for us."""

import json

from orchestrator.core.ledger import LeaseRow, SessionRow
from orchestrator.core.lifecycle import OPEN_STATES
from orchestrator.ledgers.rows import from_lease, from_session, to_lease, to_session
from orchestrator.ledgers.store import Store

_OPEN = json.dumps(sorted(state.value for state in OPEN_STATES))


class Leases:
    """The part of the journal that knows leases and sessions. Every write is on the disk when it returns."""

    _store: Store

    def write_lease(self, row: LeaseRow) -> None:
        """Insert or update a lease; RunUnknown when its run never began."""
        self._store.write("write_lease", from_lease(self._store.run_key(row.run), row))

    def leases(self, run: str) -> list[LeaseRow]:
        """The leases of a run, oldest first."""
        return [to_lease(row) for row in self._store.rows("leases", run=run)]

    def open_leases(self) -> list[LeaseRow]:
        """Every lease of any run that EM may still hold, oldest first."""
        return [to_lease(row) for row in self._store.rows("open_leases", states=_OPEN)]

    def write_session(self, row: SessionRow) -> None:
        """Keep a sealed session."""
        self._store.write("write_session", from_session(row))

    def sessions(self) -> list[SessionRow]:
        """Every sealed session that has not been erased, oldest first."""
        return [to_session(row) for row in self._store.rows("sessions")]

    def erase_session(self, session: str) -> None:
        """Erase a sealed token, so that no byte of it is left in any file; nothing happens when there is none."""
        self._store.erase("erase_session", {"id": session})
