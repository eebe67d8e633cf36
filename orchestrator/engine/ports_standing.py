"""What the engine needs of files that stand where copies belong, in its own words; see `ports`."""

from typing import Protocol

from orchestrator.core.entries import Entry
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.engine.ports import Checkpoint, Target


class Standing(Protocol):
    """What stands at a target path already, looked at closely. Methods block. Refusals are FileError with a reason."""

    def same_content(self, source: SourcePath, entry: Entry, target: TargetPath, check: Checkpoint) -> bool:
        """Whether the file at `target` has the very bytes of the backed-up one. FileError of the side that cannot be
        read, or whatever `check` raises."""
        ...

    def settle_times(self, target: TargetPath, entry: Entry) -> None:
        """Give a file that stands there the times of the backed-up one."""
        ...


class Destination(Target, Standing, Protocol):
    """All that a run needs of where its copies land."""
