"""What a run has replaced and made, in the journal, and what was undone of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from orchestrator.core.entries import Outcome
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside, HeldFiles, Stood, UndoRow
from orchestrator.ledgers.rows import Parameters, from_aside, load_text, to_aside, to_outcome, to_undo
from orchestrator.ledgers.store import Store


class Asides:
    """The part of the journal that knows what stood where a run restored. RunUnknown when a run never began."""

    _store: Store

    def write_asides(self, run: str, asides: Sequence[Aside]) -> None:
        """Write files that are going to be moved, or are by now; on the disk when it returns."""
        key = self._store.run_key(run)
        self._store.write_all([("write_aside", from_aside(key, one)) for one in asides])

    def asides(self, run: str, after: Aside | None, limit: int) -> list[Aside]:
        """The files that a run holds aside, the first `limit` that come after one."""
        root, held = (after.held.root, after.held.relative) if after else ("", "")
        rows = self._store.rows("asides", run=run, root=root, held=held, limit=limit)
        return [to_aside(row) for row in rows]

    def held(self, run: str) -> list[HeldFiles]:
        """What a run holds aside, by destination."""
        return [
            HeldFiles(load_text(root), files, size) for root, files, size in self._store.rows("aside_totals", run=run)
        ]

    def holders(self) -> set[str]:
        """The runs that hold files aside."""
        return {run for (run,) in self._store.rows("runs_with_asides")}

    def note_made(self, run: str, paths: Sequence[str]) -> None:
        """Note folders that a run has made. A power cut may take the note away."""
        key = self._store.run_key(run)
        rows: list[Parameters] = [{"run": key, "path": path} for path in paths]
        self._store.batch(lambda batch: batch.write("note_made", rows))

    def made(self, run: str) -> Iterator[str]:
        """The folders that a run has made, what lies in a folder before it, as they are read."""
        for (path,) in self._store.stream("made", run=run):
            yield load_text(path)

    def stood(self, run: str) -> Mapping[Stood, int]:
        """How many restored files of a run had what in their place."""
        return {Stood(stood): count for stood, count in self._store.rows("stood", run=run)}


class Undos:
    """The part of the journal that knows what was undone. RunUnknown when a run never began."""

    _store: Store

    def begin_undo(self, run: str, started: datetime) -> None:
        """An undo begins; on the disk when it returns."""
        self._store.write("begin_undo", {"run": self._store.run_key(run), "started": started})

    def end_undo(self, row: UndoRow) -> None:
        """How the newest undo of a run has ended."""
        if row.ended is None:
            raise ValueError("an undo that has not ended")
        self._store.write(
            "end_undo",
            {
                "run": self._store.run_key(row.run),
                "ended": row.ended,
                "returned": row.returned,
                "removed": row.removed,
                "left": row.left,
            },
        )

    def undos(self, run: str) -> list[UndoRow]:
        """The undos of a run, oldest first."""
        return [to_undo(run, row) for row in self._store.rows("undos", run=run)]

    def to_undo(self, run: str, after: Outcome | None, limit: int) -> list[Outcome]:
        """The restored files of a run that have not been undone, the first `limit` that come after one."""
        group, path = (after.group, after.guest_path) if after else ("", "")
        rows = self._store.rows("to_undo", run=run, group=group, guest_path=path, limit=limit)
        return [to_outcome(row) for row in rows]

    def was_aside(self, run: str, held: TargetPath) -> bool:
        """Whether a run was going to hold a file there, whatever became of that since."""
        rows = self._store.rows("was_aside", run=run, root=held.root, held=held.relative)
        return bool(list(rows))

    def mark_undone(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Note restored files as undone."""
        key = self._store.run_key(run)
        rows: list[Parameters] = [{"run": key, "group": one.group, "guest_path": one.guest_path} for one in outcomes]
        self._store.batch(lambda batch: batch.each("mark_undone", rows))
