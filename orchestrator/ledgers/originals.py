"""What Enterprise Manager was asked to restore to its original location, in the journal."""

import json

from orchestrator.core.originals import UNSETTLED, OriginalRow
from orchestrator.ledgers.rows_originals import from_original, to_original
from orchestrator.ledgers.store import Store

_OPEN = json.dumps(sorted(state.value for state in UNSETTLED))


class Originals:
    """The part of the journal that knows them, each by run, group and guest path. Every write is on the disk when it
    returns."""

    _store: Store

    def write_original(self, row: OriginalRow) -> None:
        """Insert or update one; RunUnknown when its run never began."""
        self._store.write("write_original", from_original(self._store.run_key(row.run), row))

    def originals(self, run: str) -> list[OriginalRow]:
        """Those of a run, in the order in which EM was asked for them."""
        return [to_original(row) for row in self._store.rows("originals", run=run)]

    def originals_of_vm(self, vm: str) -> list[OriginalRow]:
        """Those of one machine, of any run, oldest first."""
        return [to_original(row) for row in self._store.rows("originals_of_vm", vm=vm)]

    def open_originals(self) -> list[OriginalRow]:
        """Those of any run whose end nobody has seen, oldest first."""
        return [to_original(row) for row in self._store.rows("open_originals", states=_OPEN)]
