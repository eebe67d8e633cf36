"""Setting an existing file of a share aside, so that it can be put back and proved.

SMB lets no two files change places in one request. So the new file is complete under its partial name, the old one is
renamed away, and the new one is renamed in: between the two the name is nobody's, for as long as one answer takes. From
its checksum to the second rename the old file is held, so that it is the very file of the checksum that is moved.
"""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass

from orchestrator.core.entries import FoundKind, Placed
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside, held_path
from orchestrator.files.checksums import Digest
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.holding import HeldFolder, look
from orchestrator.files.smb.partial import Partial, facts_at
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.staging import Enter, found_again
from orchestrator.files.smb.standing import Standing


@dataclass(frozen=True)
class SettingAside:
    """What is to make room: the file `name` at `target`, in the folder that `enter` gives. `holding` gives the folder
    of a path below the destination, made when it is missing."""

    target: TargetPath
    name: str
    run: str
    enter: Enter
    holding: Callable[[str], HeldFolder]
    new_digest: Callable[[], Digest]
    check: Callable[[int], None]
    remember: Callable[[Aside], None]

    def __call__(self, partial: Partial, new: Placed, flushed: bool) -> None:
        """Move the file aside, and give `partial`, which is complete, its name. OSError, and what `check` or `remember`
        raises: then the old file has its name, and the partial one is gone."""
        try:
            self._whole(partial, new, flushed)
        except ConnectionLost:
            # Not moved, as far as is known: all is done again, with another proof.
            folder = self.enter(None)
            self._whole(found_again(folder, partial, folder.share.live()), new, flushed)

    def _whole(self, partial: Partial, new: Placed, flushed: bool) -> None:
        try:
            self._settle(partial, new, flushed)
        except ConnectionLost:
            raise
        except BaseException:
            partial.drop()
            raise

    def _settle(self, partial: Partial, new: Placed, flushed: bool) -> None:
        folder, live = partial.folder, partial.live
        with closing(Standing.hold(live, folder.at(self.name))) as standing:
            standing.read(self.new_digest(), lambda _: self.check(0))
            holding, held = self._free(live)
            self.remember(standing.aside(self.target, held, new))
            self.check(0)
            to = holding.at(held.relative.rpartition("/")[2])
            try:
                standing.move(to)
                self._follow(partial, standing, flushed)
            except ConnectionLost:
                self._recover(partial, standing, to, flushed)

    def _free(self, live: Live) -> tuple[HeldFolder, TargetPath]:
        """(the holding folder, the first place in it that is free)."""
        attempt = 0
        while True:
            held = held_path(self.run, self.target, attempt)
            above, _, name = held.relative.rpartition("/")
            holding = self.holding(above)
            if look(live, holding.at(name)).kind is FoundKind.NOTHING:
                return holding, held
            attempt += 1

    def _follow(self, partial: Partial, standing: Standing, flushed: bool) -> None:
        """The name is free now. What stands there in spite of this keeps it."""
        try:
            partial.rename(self.name, replace=False, flushed=flushed)
        except ConnectionLost:
            raise
        except BaseException:
            with suppress(OSError):
                standing.move(partial.folder.at(self.name))
            raise

    def _recover(self, partial: Partial, standing: Standing, to: str, flushed: bool) -> None:
        """Nobody knows what the server has done of the two renames. ConnectionLost when it was nothing."""
        folder = self.enter(None)
        live = folder.share.live()
        moved = facts_at(live, to)
        if moved is None or not moved.is_same_file(standing.facts):
            raise ConnectionLost("the file was not moved yet")
        if facts_at(live, folder.at(partial.name)) is None:
            there = facts_at(live, folder.at(self.name))
            if there is not None and there.is_same_file(partial.facts):
                return
        with closing(Standing.hold(live, to)) as again:
            self._follow(found_again(folder, partial, live), again, flushed)
