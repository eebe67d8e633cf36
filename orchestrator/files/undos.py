"""Undoing wherever a run has restored to: in folders that the system opens, or at servers by UNC path."""

from orchestrator.core.entries import Outcome
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside, Undone
from orchestrator.files.smb.undoing import SmbUndo
from orchestrator.files.undoing import Check, LocalUndo


class Undos:
    """Fulfils the port Undoing for both; the path decides."""

    def __init__(self, local: LocalUndo, smb: SmbUndo) -> None:
        self._local, self._smb = local, smb

    def give_back(self, aside: Aside, check: Check) -> Undone:
        return self._of(aside.target.root).give_back(aside, check)

    def take_away(self, outcome: Outcome, place: TargetPath, check: Check) -> Undone:
        return self._of(place.root).take_away(outcome, place, check)

    def remove_folder(self, path: str) -> bool:
        return self._of(path).remove_folder(path)

    def discard(self, aside: Aside) -> Undone:
        return self._of(aside.held.root).discard(aside)

    def forget_holding(self, root: str) -> None:
        self._of(root).forget_holding(root)

    def _of(self, path: str) -> LocalUndo | SmbUndo:
        return self._smb if path.startswith("\\\\") else self._local
