"""What Enterprise Manager was asked for by all who share a journal, as one of many processes may look at it.

Whose something is, is asked after it was listed: what begins between the two questions is then seen to be another's.
"""

from collections.abc import Callable, Sequence

from orchestrator.core.ledger import LeaseRow, SessionRow
from orchestrator.core.originals import OriginalRow
from orchestrator.engine.ports import LeaseLedger
from orchestrator.engine.ports_originals import OriginalLedger

Mine = Callable[[], Callable[[str], bool]]
"""Says now of which sessions, by their ids, a process is to look after what was made under them."""


class ChosenLeases:
    """The ledger, with open mounts and sessions of those sessions alone of which `mine`, asked anew each time, says
    that they are this process's to look after. What lives is nobody else's to sweep. Blocks."""

    def __init__(self, ledger: LeaseLedger, mine: Mine) -> None:
        self._ledger = ledger
        self._mine = mine

    def write_lease(self, row: LeaseRow) -> None:
        self._ledger.write_lease(row)

    def leases(self, run: str) -> list[LeaseRow]:
        return self._ledger.leases(run)

    def open_leases(self) -> list[LeaseRow]:
        rows, mine = self._ledger.open_leases(), self._mine()
        return [row for row in rows if mine(row.session)]

    def write_session(self, row: SessionRow) -> None:
        self._ledger.write_session(row)

    def sessions(self) -> list[SessionRow]:
        rows, mine = self._ledger.sessions(), self._mine()
        return [row for row in rows if mine(row.id)]

    def erase_session(self, session: str) -> None:
        self._ledger.erase_session(session)


class ChosenOriginals:
    """The ledger of restores into guests, with those open ones alone that were asked for under such sessions: what
    another process follows is nobody else's to settle. Blocks."""

    def __init__(self, ledger: OriginalLedger, mine: Mine) -> None:
        self._ledger = ledger
        self._mine = mine

    def write_original(self, row: OriginalRow) -> None:
        self._ledger.write_original(row)

    def originals(self, run: str) -> Sequence[OriginalRow]:
        return self._ledger.originals(run)

    def originals_of_vm(self, vm: str) -> Sequence[OriginalRow]:
        return self._ledger.originals_of_vm(vm)

    def open_originals(self) -> list[OriginalRow]:
        rows, mine = self._ledger.open_originals(), self._mine()
        return [row for row in rows if mine(row.session)]
