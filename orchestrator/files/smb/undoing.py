"""Taking back at servers what a run has done there, file by file, and only what can be proved.

What is moved or removed is held from its checksum on, so that nobody changes it in between. Each step leaves the share
in a state that the next attempt understands, so an undo that was killed is begun again.
"""

import errno
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from typing import TypeVar

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import FileError
from orchestrator.core.paths import HOLDING, TargetPath, full_target
from orchestrator.core.replaced import Aside, Fate, Undone
from orchestrator.files.authors import partial_name
from orchestrator.files.checksums import Algorithm, new_digest, proving
from orchestrator.files.smb.asking import chain, granted
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.facts import remove
from orchestrator.files.smb.holding import HeldFolder
from orchestrator.files.smb.packets import FOLDER_ONLY, FOR_BACKUP, ITSELF, close, create
from orchestrator.files.smb.places import checked
from orchestrator.files.smb.standing import Standing
from orchestrator.files.smb.target import SmbTarget
from orchestrator.files.translate import Side, Translating
from orchestrator.files.undoing import CHANGED_SINCE, NO_CHECKSUM, NOT_THE_SAME, Check, left, said

_REMOVE_FOLDER = 0x00110080

Result = TypeVar("Result")


class SmbUndo:
    """Undoes below the UNC folders that `target` may write to. With `dry` nothing is changed, and what would be done is
    told. Methods block, may be called in many threads, and raise only what `check` raises."""

    def __init__(self, target: SmbTarget, checksum: Algorithm, *, dry: bool) -> None:
        self._target = target
        self._new_digest = new_digest(proving(checksum))
        self._dry = dry
        self._turns = _Turns()

    def give_back(self, aside: Aside, check: Check) -> Undone:
        """As `LocalUndo.give_back`."""
        name = full_target(aside.target)
        try:
            with Translating(Side.TARGET, name):
                why = self._turns.take(lambda: self._given_back(aside, check))
        except FileError as error:
            return left(name, said(error))
        return left(name, why) if why else Undone(name, Fate.RETURNED, aside.size)

    def take_away(self, outcome: Outcome, place: TargetPath, check: Check) -> Undone:
        """As `LocalUndo.take_away`."""
        name = outcome.target_path
        if not outcome.checksum:
            return left(name, NO_CHECKSUM)
        try:
            with Translating(Side.TARGET, name):
                return self._turns.take(lambda: self._taken_away(outcome, place, check))
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return Undone(name, Fate.GONE)
            return left(name, said(error))

    def remove_folder(self, path: str) -> bool:
        """Remove a folder that the run has made, if it is empty; whether it is gone by this."""
        above, _, name = path.rpartition("\\")
        try:
            if self._dry:
                return False
            # Not through a link; and what is held open itself cannot be removed.
            self._target.let_go(self._target.entered(path, ""))
            _twice(lambda: _remove_folder(self._target.entered(above, ""), checked(name)))
        except (OSError, FileError):
            return False
        return True

    def discard(self, aside: Aside) -> Undone:
        """As `LocalUndo.discard`."""
        name = full_target(aside.held)
        try:
            with Translating(Side.TARGET, name):
                return self._turns.take(lambda: self._discarded(aside, name))
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return Undone(name, Fate.GONE)
            return left(name, said(error))

    def forget_holding(self, root: str) -> None:
        """Remove the holding folder of a destination if it is empty."""
        self.remove_folder(full_target(TargetPath(root, HOLDING)))

    def _given_back(self, aside: Aside, check: Check) -> str:
        """Empty, or why the file stays where it is."""
        kept = full_target(aside.held)
        with ExitStack() as holding:
            now = self._held(aside.target, check, holding)
            old = self._held(aside.held, check, holding)
            new = self._held(_restored(aside.held), check, holding)
            if new is not None and not _is_new(new, aside):
                new = None
            if old is None:
                # It never was moved, or an undo that was killed had put it back already.
                if now is None or not _is_old(now, aside):
                    return f"what was set aside is not at {kept} any more"
            elif not _is_old(old, aside):
                return f"what was set aside has been changed; it stays at {kept}"
            elif now is not None and not _is_new(now, aside):
                return f"{CHANGED_SINCE}; what was set aside stays at {kept}"
            elif not self._dry:
                new = self._put_back(aside, old, now) or new
            if new is not None and not self._dry:
                new.remove()
        return ""

    def _put_back(self, aside: Aside, old: Standing, now: Standing | None) -> Standing | None:
        """Rename the old file to its place; the restored one, which made room for it."""
        folder, name = self._at(aside.target, make=True)
        if now is None:
            try:
                old.move(folder.at(name))
            except FileNotFoundError:  # somebody has removed the folder
                self._target.drop(folder)
                folder, name = self._at(aside.target, make=True)
                old.move(folder.at(name))
            return None
        holding, away = self._at(_restored(aside.held))
        now.move(holding.at(away))
        try:
            old.move(folder.at(name))
        except ConnectionLost:
            raise
        except OSError:
            with suppress(OSError):
                now.move(folder.at(name))
            raise
        return now

    def _taken_away(self, outcome: Outcome, path: TargetPath, check: Check) -> Undone:
        folder, name = self._at(path)
        with closing(Standing.hold(folder.share.live(), folder.at(name))) as standing:
            if standing.size == outcome.size:
                standing.read(self._new_digest(), check)
                if standing.checksum == outcome.checksum:
                    if not self._dry:
                        standing.remove()
                    return Undone(outcome.target_path, Fate.REMOVED, outcome.size)
        return left(outcome.target_path, CHANGED_SINCE)

    def _discarded(self, aside: Aside, name: str) -> Undone:
        folder, last = self._at(aside.held)
        with closing(Standing.hold(folder.share.live(), folder.at(last))) as standing:
            if (standing.size, standing.mtime_ns) != (aside.size, aside.mtime_ns):
                return left(name, NOT_THE_SAME)
            if not self._dry:
                standing.remove()
        return Undone(name, Fate.REMOVED, aside.size)

    def _held(self, path: TargetPath, check: Check, holding: ExitStack) -> Standing | None:
        """A file with its checksum, held until `holding` ends; None when there is none."""
        try:
            folder, name = self._at(path)
            standing = holding.enter_context(closing(Standing.hold(folder.share.live(), folder.at(name))))
        except FileNotFoundError:
            return None
        standing.read(self._new_digest(), check)
        return standing

    def _at(self, path: TargetPath, *, make: bool = False) -> tuple[HeldFolder, str]:
        above, _, name = path.relative.rpartition("/")
        return self._target.entered(path.root, above, make=make), checked(name)


class _Turns:
    """Many threads at once, or one alone: two names of one file cannot be held at the same time, not even by one
    program, and which names are of one file nobody knows before."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._alone = False

    def take(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; done once more while no other thread holds anything, when a file was held."""
        self._enter(alone=False)
        try:
            return _twice(work)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        finally:
            self._leave(alone=False)
        self._enter(alone=True)
        try:
            return _twice(work)
        finally:
            self._leave(alone=True)

    def _enter(self, *, alone: bool) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not (alone and self._together))
            self._alone = alone
            self._together += not alone

    def _leave(self, *, alone: bool) -> None:
        with self._changed:
            self._alone = False
            self._together -= not alone
            self._changed.notify_all()


def _restored(held: TargetPath) -> TargetPath:
    """Where a restored file is while the one that was set aside takes its place back: in the holding folder, under a
    name that no file can have that is held."""
    above, _, name = held.relative.rpartition("/")
    return TargetPath(held.root, f"{above}/{partial_name(name)}")


def _remove_folder(above: HeldFolder, name: str) -> None:
    """Remove a folder that is empty. OSError."""
    path, live = above.at(name), above.share.live()
    opening = create(path, _REMOVE_FOLDER, FOLDER_ONLY | ITSELF | FOR_BACKUP)
    for answer in chain(live, opening, remove(), close()):
        granted(answer, path)


def _twice(work: Callable[[], Result]) -> Result:
    """What `work` returns; begun again on a new connection when the first breaks."""
    try:
        return work()
    except ConnectionLost:
        return work()


def _is_old(standing: Standing, aside: Aside) -> bool:
    return (standing.size, standing.mtime_ns, standing.checksum) == (aside.size, aside.mtime_ns, aside.checksum)


def _is_new(standing: Standing, aside: Aside) -> bool:
    return (standing.size, standing.checksum) == (aside.new_size, aside.new_checksum)
