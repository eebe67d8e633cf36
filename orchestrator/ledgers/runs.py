"""Runs and their groups in the journal."""

from orchestrator.core.errors import RunUnknown
from orchestrator.core.ledger import GroupRow, RunRow
from orchestrator.ledgers.rows import from_group, from_run, load_text, to_group, to_run
from orchestrator.ledgers.store import Store


class Runs:
    """The part of the journal that knows runs and groups. Every write is on the disk when it returns."""

    _store: Store

    def begin(self, run: RunRow) -> None:
        """Write a new run, or mark an old one as running again; then the refused and failed outcomes of its groups
        that are not done are forgotten, because they are tried again."""
        self._store.write_all([("begin_run", from_run(run)), ("forget_problems", {"run": run.id})])

    def end(self, run: RunRow) -> None:
        """Write how a run ended; RunUnknown when it never began."""
        if not self._store.write("end_run", from_run(run)):
            raise RunUnknown(folder=self._store.place, run=run.id)

    def run(self, run: str) -> RunRow:
        """One run; RunUnknown when there is none."""
        found = self._store.rows("run", id=run)
        if not found:
            raise RunUnknown(folder=self._store.place, run=run)
        return to_run(found[0])

    def in_hand(self, run: str) -> int:
        """How many machines of a run other processes have in hand, or are to: none where one process does all."""
        return 0

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        return [to_run(row) for row in self._store.rows("runs")]

    def heads(self) -> list[RunRow]:
        """All runs, newest first, without their plans: those of a thousand large jobs would fill the memory."""
        return [to_run(row) for row in self._store.rows("heads")]

    def write_group(self, row: GroupRow) -> None:
        """Insert or update a group; RunUnknown when its run never began."""
        self._store.write("write_group", from_group(self._store.run_key(row.run), row))

    def groups(self, run: str) -> list[GroupRow]:
        """The groups of a run, by id; none for a run that is unknown."""
        return [to_group(row) for row in self._store.rows("groups", run=run)]

    def vm_seconds(self) -> dict[str, float]:
        """How long each machine's group took, in seconds, in the newest run in which it ended well."""
        return {load_text(vm): seconds for vm, seconds, _ in self._store.rows("vm_seconds")}
