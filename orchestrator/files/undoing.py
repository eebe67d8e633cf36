"""Taking back what a run has done to the destinations, file by file, and only what can be proved.

Each step leaves the disk in a state that the next attempt understands, so an undo that was killed is begun again.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import FileError
from orchestrator.core.paths import HOLDING, TargetPath, full_target
from orchestrator.core.replaced import Aside, Fate, Undone
from orchestrator.files.checksums import Algorithm, new_digest, proving
from orchestrator.files.folder import Folder
from orchestrator.files.folders import checked_name
from orchestrator.files.holding import Standing, read_standing
from orchestrator.files.rename import exchange, move_new, replace
from orchestrator.files.target import LocalTarget
from orchestrator.files.translate import Side, Translating

CHANGED_SINCE = "somebody has changed it since it was restored"
NOT_THE_SAME = "it is no longer the file that was set aside"
NO_CHECKSUM = "the run took no checksums, so nothing proves that it is what it wrote"

Check = Callable[[int], None]


class LocalUndo:
    """Undoes below the folders that `target` may write to. With `dry` nothing is changed, and what would be done is
    told. Methods block, may be called in many threads, and raise only what `check` raises."""

    def __init__(self, target: LocalTarget, checksum: Algorithm, *, dry: bool) -> None:
        self._target = target
        self._new_digest = new_digest(proving(checksum))
        self._dry = dry

    def give_back(self, aside: Aside, check: Check) -> Undone:
        """Put a file that was set aside back in its place, proved by its checksum, when what stands there is what the
        run put there, or nothing."""
        name = full_target(aside.target)
        try:
            with Translating(Side.TARGET, name):
                why = self._given_back(aside, check)
        except FileError as error:
            return left(name, said(error))
        return left(name, why) if why else Undone(name, Fate.RETURNED, aside.size)

    def take_away(self, outcome: Outcome, place: TargetPath, check: Check) -> Undone:
        """Remove a file that was restored to `place`, where nothing had been, when it is still what the run wrote."""
        name = outcome.target_path
        try:
            with Translating(Side.TARGET, name):
                return self._taken_away(outcome, *self._at(place), check)
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return Undone(name, Fate.GONE)
            return left(name, said(error))

    def remove_folder(self, path: str) -> bool:
        """Remove a folder that the run has made, if it is empty; whether it is gone by this."""
        above, name = os.path.split(path)
        try:
            folder = self._target.entered(above, "")
            if self._dry:
                return False
            os.rmdir(folder.at(name)[0], dir_fd=folder.at(name)[1])
        except (OSError, FileError):
            return False
        return True

    def discard(self, aside: Aside) -> Undone:
        """Remove a file that was set aside for good, when it is still the one that was."""
        name = full_target(aside.held)
        try:
            with Translating(Side.TARGET, name):
                folder, last = self._at(aside.held)
                status = folder.status(last)
                if (status.st_size, status.st_mtime_ns) != (aside.size, aside.mtime_ns):
                    return left(name, NOT_THE_SAME)
                if not self._dry:
                    folder.remove(last)
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return Undone(name, Fate.GONE)
            return left(name, said(error))
        return Undone(name, Fate.REMOVED, aside.size)

    def forget_holding(self, root: str) -> None:
        """Remove the holding folder of a destination if it is empty."""
        if not self._dry:
            with suppress(OSError, FileError):
                name, folder = self._target.entered(root, "").at(HOLDING)
                os.rmdir(name, dir_fd=folder)

    def _given_back(self, aside: Aside, check: Check) -> str:
        """Empty, or why the file stays where it is."""
        kept = full_target(aside.held)
        gone = f"what was set aside is not at {kept} any more"
        try:
            holding, held = self._at(aside.held)
            old = read_standing(holding, held, self._new_digest, check)
        except FileNotFoundError:
            # It never was moved, or an undo that was killed had put it back already.
            there = self._standing(aside.target, check)
            return "" if there is not None and _is_old(there, aside) else gone
        now = self._standing(aside.target, check)
        if now is not None and _is_back(now, old, aside):  # a death between two steps, of the run or of an undo
            self._remove(holding, held)
            return ""
        if not _is_old(old, aside):
            return f"what was set aside has been changed; it stays at {kept}"
        if now is not None and not _is_new(now, aside):
            return f"{CHANGED_SINCE}; what was set aside stays at {kept}"
        if self._dry:
            return ""
        folder, name = self._at(aside.target, make=True)
        if now is None:
            move_new(holding.at(held), folder.at(name))
            return ""
        return _changed_places(folder, name, holding, held, now, old)

    def _taken_away(self, outcome: Outcome, folder: Folder, name: str, check: Check) -> Undone:
        status = folder.status(name)
        if not outcome.checksum:
            return left(outcome.target_path, NO_CHECKSUM)
        if status.st_size == outcome.size:
            now = read_standing(folder, name, self._new_digest, check)
            if now.checksum == outcome.checksum and now.is_at(folder, name):
                self._remove(folder, name)
                return Undone(outcome.target_path, Fate.REMOVED, outcome.size)
        return left(outcome.target_path, CHANGED_SINCE)

    def _standing(self, path: TargetPath, check: Check) -> Standing | None:
        try:
            return read_standing(*self._at(path), self._new_digest, check)
        except FileNotFoundError:
            return None

    def _remove(self, folder: Folder, name: str) -> None:
        if not self._dry:
            folder.remove(name)

    def _at(self, path: TargetPath, *, make: bool = False) -> tuple[Folder, str]:
        above, _, name = path.relative.rpartition("/")
        return self._target.entered(path.root, above, make=make), checked_name(name)


def _changed_places(folder: Folder, name: str, holding: Folder, held: str, now: Standing, old: Standing) -> str:
    """Let the old file take the place of the restored one, and remove that. Empty, or why not."""
    if not exchange(holding.at(held), folder.at(name)):
        if not now.is_at(folder, name):
            return CHANGED_SINCE
        replace(holding.at(held), folder.at(name))
    elif now.is_at(holding, held):
        holding.remove(held)
    else:
        exchange(holding.at(held), folder.at(name))
        return CHANGED_SINCE
    if not old.is_at(folder, name):
        raise OSError(errno.EIO, "it was put back, and another file stands there now", name)
    return ""


def _is_back(now: Standing, held: Standing, aside: Aside) -> bool:
    """Whether the old file has its place, and what is held is its other name or the restored file."""
    return os.path.samestat(now.status, held.status) or (_is_old(now, aside) and _is_new(held, aside))


def _is_old(standing: Standing, aside: Aside) -> bool:
    found = standing.size, standing.status.st_mtime_ns, standing.checksum
    return found == (aside.size, aside.mtime_ns, aside.checksum)


def _is_new(standing: Standing, aside: Aside) -> bool:
    return (standing.size, standing.checksum) == (aside.new_size, aside.new_checksum)


def left(name: str, why: str) -> Undone:
    return Undone(name, Fate.LEFT, message=why)


def said(error: FileError) -> str:
    return str(error.facts.get("what", error))
