"""What a run needs of its destination and of the journal for what files are beside their bytes.

Methods block and are only ever called in threads. No port has more than six methods.
"""

from collections.abc import Mapping
from typing import Protocol

from orchestrator.core.entries import Entry, Placed
from orchestrator.core.fidelity import Card, Fidelity, Properties, Wishes
from orchestrator.core.paths import SourcePath, TargetPath


class Wardrobe(Protocol):
    """Puts on files what they are beside their bytes. Refusals are FileError with a reason."""

    def dress(self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes) -> Fidelity:
        """Put on a file or folder that is there what `wishes` want of what it `has`. Its content stays as it is."""
        ...

    def link(
        self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, replace: bool, wishes: Wishes
    ) -> Placed:
        """Make a symbolic link with the text of the backup's. Nothing is written through it, now or later. Without
        LINK among what was kept, there is none: the file system has no links."""
        ...

    def link_text(self, target: TargetPath) -> str | None:
        """What the symbolic link at `target` says; None when there is none."""
        ...

    def name_again(self, first: TargetPath, target: TargetPath, replace: bool) -> None:
        """Give the file at `first` one more name."""
        ...

    def one_file(self, first: TargetPath, target: TargetPath) -> bool:
        """Whether two names are those of one file."""
        ...


class FidelityLedger(Protocol):
    """What became of properties, in the journal; that of files comes with their outcomes."""

    def record_folders(self, run: str, group: str, stage: int, codes: Mapping[str, int]) -> None:
        """What became of the folders of one stage of a group, in place of what was written of them before: how many
        have each `fidelity_code`."""
        ...

    def fidelity(self, run: str) -> dict[str, Card]:
        """The card of each group, files and folders together."""
        ...
