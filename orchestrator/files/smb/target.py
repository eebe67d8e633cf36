r"""Destinations by UNC path: below the allowed folders of a share, whole or not at all. Fulfils the port Target.

The rules are those of `orchestrator.files.target`. What the server makes of a name that Windows cannot hold is not
tried: it is refused.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from orchestrator.core.entries import NOTHING, Entry, EntryKind, Found, FoundKind, Placed
from orchestrator.core.errors import DrillLeft, FileError
from orchestrator.core.fidelity import BASIC, NO_PROPERTIES, Properties, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.checksums import Algorithm, new_digest, proving
from orchestrator.files.continuing import BLOCK, FROM_SIZE
from orchestrator.files.copying import taken
from orchestrator.files.fitting import Fitter
from orchestrator.files.readers import Opening, OpeningStream, no_stream, open_local
from orchestrator.files.sidecar import Sidecar
from orchestrator.files.smb.aside import SettingAside
from orchestrator.files.smb.comparing import same_bytes
from orchestrator.files.smb.connection import ConnectionLost, broken_off
from orchestrator.files.smb.facts import set_times
from orchestrator.files.smb.fitting import SmbFitter
from orchestrator.files.smb.holding import HeldFolder, file_found
from orchestrator.files.smb.packets import FILE_ONLY, FOLDER_ONLY, ITSELF
from orchestrator.files.smb.partial import remove_at
from orchestrator.files.smb.pieces import PiecesReader
from orchestrator.files.smb.places import split
from orchestrator.files.smb.removing import remove_tree
from orchestrator.files.smb.share import Reaching, Share, Unc, join
from orchestrator.files.smb.shared import Shared, Unflushed, key_of
from orchestrator.files.smb.shares import Shares
from orchestrator.files.smb.staging import Settle, SmbStaging
from orchestrator.files.smb.standing import Standing
from orchestrator.files.smb.verifying import verify_file
from orchestrator.files.smb.volume import asked_at, flush_all, folds_case, room_at
from orchestrator.files.smb.wardrobe import SmbWardrobe
from orchestrator.files.translate import Side, Translating, file_error
from orchestrator.files.walk import Beat, unheard

_CHANGE, _ADD = 0x00100180, 0x00100086
FLUSHED_AT_ONCE = 64
"""Files that are under way to the server's disk at once."""


class SmbTarget(SmbWardrobe):
    """Writes below the UNC folders `allow`. Every method may be called in many threads at once.

    `reach` says how the share of a server is reached. The files that were written since the last `flush` are
    remembered when `by_batch`. What else it is given is how files are staged.
    """

    def __init__(
        self,
        allow: Sequence[str],
        reach: Callable[[Unc], Reaching],
        checksum: Algorithm = "blake3",
        *,
        durable: bool = False,
        by_batch: bool = False,
        continue_from: int = FROM_SIZE,
        block: int = BLOCK,
        opening: Opening = open_local,
        streams: OpeningStream = no_stream,
    ) -> None:
        self._allow = tuple(allow)
        self._shares = Shares(reach)
        self._staging = SmbStaging(
            checksum, durable=durable, by_batch=by_batch, continue_from=continue_from, block=block, opening=opening
        )
        self._by_batch = by_batch
        self._streams, self._fitter = streams, SmbFitter(Fitter(None, streams), streams)
        self._common, self._unflushed = Shared(), Unflushed()
        self._interrupted: set[TargetPath] = set()
        self._made = deque[str]()
        self._strays: list[tuple[Share, str]] = []

    def hashing(
        self, checksum: Algorithm, sidecar: Sidecar | None = None, *, read_back: bool = False, author: Author = ALONE
    ) -> "SmbTarget":
        """This target for one run, as `LocalTarget.hashing`."""
        other = object.__new__(SmbTarget)
        other.__dict__.update(self.__dict__)
        other._author = author
        other._staging = dataclasses.replace(self._staging, checksum=checksum, read_back=read_back, author=author)
        other._fitter = SmbFitter(Fitter(sidecar, self._streams), self._streams)
        other._interrupted, other._unflushed, other._made, other._strays = set(), Unflushed(), deque(), []
        return other

    def take_made(self) -> list[str]:
        """The paths of the folders that were made since the last call."""
        made = []
        with suppress(IndexError):
            while True:
                made.append(self._made.popleft())
        return made

    def entered(self, root: str, relative: str, *, make: bool = False) -> HeldFolder:
        """The folder `relative` below `root`, which has to be there unless `make`. OSError, or FileError when `root` is
        not allowed."""
        return self._folder(root, relative, make=make)

    def drop(self, folder: HeldFolder) -> None:
        """Somebody has removed a folder: look up anew all of its share."""
        self._common.holding.drop(folder.share)

    def let_go(self, folder: HeldFolder) -> None:
        """Hold one folder no more, so that it can be removed."""
        self._common.holding.let_go_of(folder)

    def close(self) -> None:
        """Let go of every folder and break off every connection; the target stays usable."""
        self._common.holding.let_go()
        self._shares.close()

    def check_root(self, root: str) -> None:
        """FileError when `root` cannot be a destination: outside the allowed folders, a file or link in the way, not
        writable, or at a server that cannot be reached. Creates nothing."""
        with Translating(Side.TARGET, root):
            share, allowed, names = self._split_root(root)
            existing = self._nearest(share, allowed, names)
            share.again(lambda live: asked_at(live, existing, _ADD, FOLDER_ONLY))

    def look(self, path: TargetPath) -> Found:
        """What stands at `path`; links are not followed, a link is OTHER. FileError when the way there leads through
        a link or a file."""
        with Translating(Side.TARGET, path.relative):
            try:
                if not path.relative:
                    self._folder(path.root, "", make=False)
                    return Found(FoundKind.FOLDER)
                above, name = split(path)
                return self._folder(path.root, above, make=False).look(name)
            except FileNotFoundError:
                return NOTHING

    def place(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Callable[[int], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        """Copy one file as `LocalTarget.place` does. The rights of a copy are those that its folder hands down, or with
        FULL those of the backup."""
        return self._placed(self._staging, source, entry, target, replace, check, wishes)

    def set_aside(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        run: str,
        check: Callable[[int], None],
        remember: Callable[[Aside], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        """Copy one file as `place` does, and move the one that stands there to the holding folder of `run`, as
        `LocalTarget.set_aside`: between the two the name is nobody's for a moment."""
        staging = dataclasses.replace(self._staging, checksum=proving(self._staging.checksum))
        with Translating(Side.TARGET, entry.relative):
            folder, _, name = self._standing(target)
            # A file that others hold is refused before the copy, not after it.
            folder.share.again(lambda live: Standing.hold(live, folder.at(name)).close())
        above = split(target)[0]
        settle = SettingAside(
            target, name, run,
            lambda gone: self._entered_anew(target.root, above, gone),
            lambda relative: self._folder(target.root, relative, make=True),
            new_digest(staging.checksum), check, remember,
        )  # fmt: skip
        placed = self._placed(staging, source, entry, target, True, check, wishes, settle)
        return placed if staging.checksum == self._staging.checksum else dataclasses.replace(placed, checksum="")

    def _placed(
        self,
        staging: SmbStaging,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Callable[[int], None],
        wishes: Wishes,
        settle: Settle | None = None,
    ) -> Placed:
        with Translating(Side.TARGET, entry.relative):
            above, name = split(target)
            self._split_root(target.root)
        if not self._common.claim(target):
            raise file_error(taken(target.relative), Side.TARGET, entry.relative)

        def enter(gone: HeldFolder | None) -> HeldFolder:
            return self._entered_anew(target.root, above, gone)

        try:
            if self._author.strays(name):
                with Translating(Side.TARGET, entry.relative):
                    self._remove_strays(enter(None), name)
            if entry.size >= self._staging.continue_from and target not in self._interrupted:
                # What another run has left may be of another restore point, with the same size and time.
                self._remove_partial(target)
            fitting = self._fitter.of(source, entry, target, wishes, check)
            placed = staging.staged(source, entry, enter, name, replace, check, fitting, settle)
        except BaseException as error:
            if isinstance(error, FileError) and error.reason is Reason.EXISTS:
                self._forget_names(target.root, above)
            if entry.size >= self._staging.continue_from or broken_off(error):
                self._interrupted.add(target)
            raise
        finally:
            self._common.busy.discard(key_of(target))
        with Translating(Side.TARGET, entry.relative):
            folder = enter(None)
            folder.note(name, file_found(entry.size, entry.mtime_ns))
            if self._by_batch and fitting is None:
                self._unflushed.add([(folder.share, folder.at(name))])
        return placed

    def same_content(self, source: SourcePath, entry: Entry, target: TargetPath, check: Callable[[int], None]) -> bool:
        """Whether the file at `target` has the very bytes of `entry`. `check` is called with the bytes of each chunk.
        FileError of the side that cannot be read, or whatever `check` raises."""
        with Translating(Side.TARGET, entry.relative):
            folder, found, name = self._standing(target)
            standing = PiecesReader(folder.share, folder.at(name), Entry(name, EntryKind.FILE, found.size), _no_more)
        try:
            reading = self._staging.opening(source, entry)
            try:
                return same_bytes(reading, standing, entry, check)
            finally:
                reading.close()
        finally:
            standing.close()

    def settle_times(self, target: TargetPath, entry: Entry) -> None:
        """Give the file at `target` the times of `entry`."""
        with Translating(Side.TARGET, entry.relative):
            folder, found, name = self._standing(target)
            times, path = set_times(entry.mtime_ns), folder.at(name)
            folder.share.again(lambda live: asked_at(live, path, _CHANGE, FILE_ONLY | ITSELF, times))
            folder.note(name, file_found(found.size, entry.mtime_ns))

    def forget_interrupted(self) -> None:
        """A run is over: remove what it, or those before it, have left, and let go of the folders that it wrote to."""
        for target in self._interrupted:
            self._remove_partial(target)
        self._interrupted.clear()
        while self._strays:
            share, path = self._strays.pop()
            with suppress(OSError):
                share.again(partial(remove_at, path=path))
        self._common.splits.clear()
        self._common.holding.let_go()

    def make_folder(self, target: TargetPath) -> None:
        """Make a folder and its parents below the root; one that is there is left as it is."""
        with Translating(Side.TARGET, target.relative):
            self._folder(target.root, target.relative, make=True)

    def finish_folder(self, target: TargetPath, entry: Entry) -> None:
        """Set a folder's times to the entry's."""
        with Translating(Side.TARGET, target.relative):
            folder = self._folder(target.root, target.relative, make=False)
            folder.share.again(
                lambda live: asked_at(live, folder.path, _CHANGE, FOLDER_ONLY | ITSELF, set_times(entry.mtime_ns))
            )

    def free_space(self, root: str) -> int:
        """Bytes free for this account where `root` is or will be; FileError when that cannot be told."""
        with Translating(Side.TARGET, root):
            share, allowed, names = self._split_root(root)
            existing = self._nearest(share, allowed, names)
            return share.again(lambda live: room_at(live, existing))

    def folds_case(self, root: str) -> bool:
        """Whether the share takes names that differ only in letter case for one: tried out with a file that the server
        itself removes, because what servers say of it is not true of NTFS. False when that cannot be done."""
        try:
            share, allowed, names = self._split_root(root)
            existing = self._nearest(share, allowed, names)
            return share.again(lambda live: folds_case(live, existing))
        except (OSError, FileError):
            return False

    def flush(self) -> None:
        """Return when everything written so far would survive a power cut of the server."""
        self._fitter.flush()
        while some := self._unflushed.take(FLUSHED_AT_ONCE):
            try:
                try:
                    flush_all(some)
                except ConnectionLost:
                    flush_all(some)
            except BaseException as error:
                self._unflushed.add(some)  # the next flush must not speak for them
                if isinstance(error, OSError):
                    raise file_error(error, Side.TARGET, error.filename or some[0][1]) from error
                raise

    def verify_file(self, path: str, algorithm: Algorithm, check: Callable[[int], None]) -> tuple[int, str]:
        """(size in bytes, checksum) of a file by its UNC path, read anew, as `orchestrator.files.verify_file`."""
        with Translating(Side.SOURCE, path):
            share, name = self._shares.at(path)
        return verify_file(share, name, path, algorithm, check)

    def remove_scratch(self, folder: str, beat: Beat = unheard) -> int:
        """Remove a folder below the allowed ones with all that is in it; the number of files. A link is removed itself.
        `beat` is called for each entry. DrillLeft when something stays."""
        try:
            share, allowed, names = self._split_root(folder)
            self._common.holding.let_go()
            return remove_tree(share, join(allowed, *names), beat)
        except (OSError, FileError) as error:
            cause = error.strerror if isinstance(error, OSError) else None
            raise DrillLeft(folder=folder, cause=cause or error) from error

    def _entered_anew(self, root: str, above: str, gone: HeldFolder | None) -> HeldFolder:
        """A folder of the destination, made when it is missing; looked up again with what is `gone`."""
        if gone is not None:
            self.drop(gone)
        return self._folder(root, above, make=True)

    def _forget_names(self, root: str, above: str) -> None:
        with suppress(OSError, FileError):
            self._folder(root, above, make=False).forget()

    def _remove_partial(self, target: TargetPath) -> None:
        with suppress(OSError, FileError):
            above, name = split(target)
            folder = self._folder(target.root, above, make=False)
            folder.share.again(lambda live: remove_at(live, folder.at(self._author.partial(name))))


def _no_more() -> Properties:
    """Nothing is asked of a copy beside its bytes."""
    return NO_PROPERTIES
