"""The ledger of mounts of a shared journal, as one of many processes may look at it."""

from collections.abc import Callable

from orchestrator.core.ledger import LeaseRow, SessionRow
from orchestrator.engine.ports import LeaseLedger


class ChosenLeases:
    """The ledger, with open mounts and sessions of those sessions alone of which `mine`, asked anew each time, says
    that they are this process's to look after. What lives is nobody else's to sweep. Blocks."""

    def __init__(self, ledger: LeaseLedger, mine: Callable[[], Callable[[str], bool]]) -> None:
        self._ledger = ledger
        self._mine = mine

    def write_lease(self, row: LeaseRow) -> None:
        self._ledger.write_lease(row)

    def leases(self, run: str) -> list[LeaseRow]:
        return self._ledger.leases(run)

    def open_leases(self) -> list[LeaseRow]:
        mine = self._mine()
        return [row for row in self._ledger.open_leases() if mine(row.session)]

    def write_session(self, row: SessionRow) -> None:
        self._ledger.write_session(row)

    def sessions(self) -> list[SessionRow]:
        mine = self._mine()
        return [row for row in self._ledger.sessions() if mine(row.id)]

    def erase_session(self, session: str) -> None:
        self._ledger.erase_session(session)
