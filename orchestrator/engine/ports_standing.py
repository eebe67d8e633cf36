"""What the engine needs of files that stand where copies belong, in its own words; see `ports`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from orchestrator.core.entries import Entry, Found, Outcome, Placed
from orchestrator.core.fidelity import BASIC, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.replaced import Aside, UndoRow
from orchestrator.engine.ports import Checkpoint, Target
from orchestrator.engine.ports_metadata import Wardrobe


class Standing(Protocol):
    """What stands at a target path already, looked at closely. Methods block. Refusals are FileError with a reason."""

    def listing(self, root: str, relative: str) -> Mapping[str, Found] | None:
        """What stands in the folder `relative` below `root`, by name; None when there is none, when it holds too much,
        or when looking name by name is as good."""
        ...

    def same_content(self, source: SourcePath, entry: Entry, target: TargetPath, check: Checkpoint) -> bool:
        """Whether the file at `target` has the very bytes of the backed-up one. FileError of the side that cannot be
        read, or whatever `check` raises."""
        ...

    def settle_times(self, target: TargetPath, entry: Entry) -> None:
        """Give a file that stands there the times of the backed-up one."""
        ...


class Replacing(Protocol):
    """Replacing what stands at a target path, so that it can be undone. Methods block."""

    def set_aside(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        run: str,
        check: Checkpoint,
        remember: Callable[[Aside], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        """Copy one file as Target.place does, and move the one that stands there to the holding folder of `run`.
        `remember` gets what is going to be moved, before it is. FileError, or whatever `check` or `remember` raises;
        then what stood there stands there."""
        ...

    def take_made(self) -> list[str]:
        """The full paths of the folders that were made since the last call."""
        ...


class Destination(Target, Standing, Replacing, Wardrobe, Protocol):
    """All that a run needs of where its copies land."""


class AsideLedger(Protocol):
    """The journal's memory of what a run has replaced and made. Methods block."""

    def write_asides(self, run: str, asides: Sequence[Aside]) -> None:
        """Insert or update files that are set aside; durable when it returns."""
        ...

    def asides(self, run: str, after: Aside | None, limit: int) -> list[Aside]:
        """The files that a run holds aside, the first `limit` that come after one."""
        ...

    def note_made(self, run: str, paths: Sequence[str]) -> None:
        """Note folders that a run has made."""
        ...

    def made(self, run: str) -> Iterator[str]:
        """The folders that a run has made, what lies in a folder before it."""
        ...


class UndoLedger(Protocol):
    """The journal's memory of what was undone. Methods block."""

    def begin_undo(self, run: str, started: datetime) -> None:
        """An undo begins; durable when it returns."""
        ...

    def end_undo(self, row: UndoRow) -> None:
        """How the newest undo of a run has ended; durable when it returns."""
        ...

    def undos(self, run: str) -> list[UndoRow]:
        """The undos of a run, oldest first."""
        ...

    def to_undo(self, run: str, after: Outcome | None, limit: int) -> list[Outcome]:
        """The restored files of a run that have not been undone, the first `limit` that come after one."""
        ...

    def was_aside(self, run: str, held: TargetPath) -> bool:
        """Whether a run was going to hold a file there."""
        ...

    def mark_undone(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Note restored files as undone."""
        ...
