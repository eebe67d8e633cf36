"""Where copies land: below the allowed roots, whole or not at all."""

import dataclasses
import errno
import os
import shutil
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.core.decide import same_file
from orchestrator.core.entries import NOTHING, Entry, EntryKind, Found, FoundKind, Placed
from orchestrator.core.errors import FileError
from orchestrator.core.fidelity import BASIC, Wishes
from orchestrator.core.paths import SourcePath, TargetPath, lies_below
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside, held_path
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.checksums import Algorithm, new_digest, proving
from orchestrator.files.comparing import same_bytes
from orchestrator.files.continuing import BLOCK, FROM_SIZE
from orchestrator.files.copying import taken
from orchestrator.files.fitting import Fitter, staged_as
from orchestrator.files.folder import Folder
from orchestrator.files.folders import checked_name, open_root
from orchestrator.files.holding import Standing, free_name, read_standing, set_aside
from orchestrator.files.manifest import verify_file
from orchestrator.files.probing import folds_case
from orchestrator.files.readers import Opening, OpeningStream, no_stream, open_local
from orchestrator.files.scratch import remove_scratch
from orchestrator.files.sidecar import Sidecar
from orchestrator.files.staging import Settle, Staging
from orchestrator.files.system import flush_file_system, kind_of
from orchestrator.files.translate import Side, Translating, file_error
from orchestrator.files.walk import Beat, unheard
from orchestrator.files.wardrobe import LocalWardrobe, split

LISTED_AT_MOST = 20_000
"""Names of one folder that are held at once, about 4 MiB; a larger folder is looked at name by name."""

FOLDERS_HELD = 16
"""Folders each thread keeps open: a batch is mostly of one folder, and 16 threads stay far below any limit."""


class _Own(threading.local):
    """What each copying thread has for itself. Folders are closed when they leave `folders`."""

    def __init__(self) -> None:
        self.folders: OrderedDict[tuple[str, str], Folder] = OrderedDict()


class LocalTarget(LocalWardrobe):
    """Writes below the folders `allow`, which the config names. Every method may be called in many threads at once.

    What else it is given is how files are staged.
    """

    def __init__(
        self,
        allow: Sequence[str],
        checksum: Algorithm = "blake3",
        *,
        durable: bool = False,
        continue_from: int = FROM_SIZE,
        block: int = BLOCK,
        opening: Opening = open_local,
        streams: OpeningStream = no_stream,
    ) -> None:
        self._allow = tuple(os.path.normpath(root) for root in allow)
        self._staging = Staging(checksum, durable, continue_from, block, opening)
        self._streams = streams
        self._fitter = Fitter(None, streams)
        self._own = _Own()
        self._made: deque[str] = deque()
        self._busy: set[tuple[str, str]] = set()
        self._interrupted: set[tuple[str, str]] = set()
        self._busy_lock = threading.Lock()

    def hashing(
        self, checksum: Algorithm, sidecar: Sidecar | None = None, *, read_back: bool = False, author: Author = ALONE
    ) -> "LocalTarget":
        """This target for one run: its kind of checksum, its `sidecar` for what files here cannot hold, its `author`,
        each copy read back when it is to be, nothing interrupted yet. Still no two copies of one file at once."""
        other = LocalTarget(self._allow)
        other._streams, other._fitter = self._streams, Fitter(sidecar, self._streams)
        other._staging = dataclasses.replace(self._staging, checksum=checksum, read_back=read_back, author=author)
        other._author, other._own, other._busy, other._busy_lock = author, self._own, self._busy, self._busy_lock
        return other

    def take_made(self) -> list[str]:
        """The paths of the folders that were made since the last call."""
        made = []
        with suppress(IndexError):
            while True:
                made.append(self._made.popleft())
        return made

    def entered(self, root: str, relative: str, *, make: bool = False) -> Folder:
        """The folder `relative` below `root`, which has to be there unless `make`. OSError, or FileError when `root` is
        not allowed."""
        return self._folder(root, relative, make=make)

    def close(self) -> None:
        """Let go of every folder that is held open, in all threads; the target stays usable."""
        self._own = _Own()

    def check_root(self, root: str) -> None:
        """FileError when `root` cannot be a destination: outside the allowed folders, a file or link in the way, or
        not writable. Creates nothing."""
        with Translating(Side.TARGET, root):
            allowed, names = self._split_root(root)
            existing = _nearest_existing(allowed)
            if existing == allowed:
                folder = open_root(allowed)
                for name in names:
                    try:
                        folder = folder.enter(name, make=False)
                    except FileNotFoundError:
                        break
                    existing = os.path.join(existing, name)
            if not os.path.isdir(existing):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), existing)
            if not os.access(existing, os.W_OK | os.X_OK):
                raise _denial(existing)

    def look(self, path: TargetPath) -> Found:
        """What stands at `path`; links are not followed, a link is OTHER. FileError when the way there leads through
        a link or a file.

        NOTHING may be what stood there a while ago. Then `place` refuses with EXISTS, and the next look tells.
        """
        with Translating(Side.TARGET, path.relative):
            try:
                if not path.relative:
                    self._folder(path.root, "", make=False)
                    return Found(FoundKind.FOLDER)
                above, name = split(path)
                held = self._own.folders.get((path.root, above))
                if held is not None and held.lacks(name):
                    return NOTHING
                status = self._folder(path.root, above, make=False).status(name)
            except FileNotFoundError:
                return NOTHING
        return _found(status)

    def place(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Callable[[int], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        """Copy one file as the module says. `check` is called with the bytes of each chunk (at most 1 MiB).

        Owner may read and write the copy, everybody may do what the source lets them read and execute; times are the
        entry's; what `wishes` want besides is put on before the rename. FileError, or whatever `check` raises; then
        nothing is left of the copy, but of a large file that was interrupted its whole blocks stay under the partial
        name, and the same run goes on with them. Two copies of one file at the same time: the second is refused with
        EXISTS.
        """
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
        """Copy one file as `place` does, and move the one that stands there to the holding folder of `run`.

        `remember` is called with what is going to be moved when the copy is complete and before anything is moved.
        FileError: LOCKED when somebody changes the file that stands there, NOT_SET_ASIDE when it cannot be held.
        """
        above, name = split(target)
        staging = dataclasses.replace(self._staging, checksum=proving(self._staging.checksum))

        def read(folder: Folder, name: str) -> Standing:
            return read_standing(folder, name, new_digest(staging.checksum), lambda _: check(0))

        with Translating(Side.TARGET, entry.relative):
            folder = self._folder(target.root, above, make=False)
            standing = read(folder, name)

        def settle(partial: str, new: Placed) -> None:
            holding_path, _ = split(held_path(run, target))
            holding = self._folder(target.root, holding_path, make=True)
            held = free_name(
                holding,
                lambda attempt: split(held_path(run, target, attempt))[1],
                standing,
                lambda one: one.checksum == new.checksum and same_file(entry, _found(one.status)),
                read,
            )
            remember(standing.aside(target, TargetPath(target.root, f"{holding_path}/{held}"), new))
            check(0)
            set_aside(folder, partial, name, holding, held, standing)
            if self._staging.durable:
                holding.sync()

        placed = self._placed(staging, source, entry, target, True, check, wishes, settle)
        return placed if staging.checksum == self._staging.checksum else dataclasses.replace(placed, checksum="")

    def _placed(
        self,
        staging: Staging,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Callable[[int], None],
        wishes: Wishes,
        settle: Settle | None = None,
    ) -> Placed:
        try:
            above, name = split(target)
            folder = self._folder(target.root, above, make=True)
        except OSError as error:
            raise file_error(error, Side.TARGET, entry.relative) from error
        key = (target.root, target.relative)
        if not self._claim(key):
            raise file_error(taken(target.relative), Side.TARGET, entry.relative)
        try:
            if entry.size >= self._staging.continue_from and key not in self._interrupted:
                # What another run has left may be of another restore point, with the same size and time.
                with suppress(OSError):
                    folder.remove(self._author.partial(name))
            fitting = self._fitter.of(source, entry, target, wishes, check)
            return staging.staged(source, staged_as(entry, wishes), folder, name, replace, check, settle, fitting)
        except BaseException as error:
            if isinstance(error, FileError) and error.reason is Reason.EXISTS:
                folder.forget_names()
            if entry.size >= self._staging.continue_from:
                self._interrupted.add(key)
            raise
        finally:
            self._busy.discard(key)

    def listing(self, root: str, relative: str) -> dict[str, Found] | None:
        """What stands in the folder `relative` below `root`, by name; links are not followed, a link is OTHER. None
        when it is not there, cannot be listed, or holds more than LISTED_AT_MOST names."""
        try:
            listed = self._folder(root, relative, make=False).listed(LISTED_AT_MOST)
        except (OSError, FileError):
            return None
        return None if listed is None else {name: _found(status) for name, status in listed.items()}

    def same_content(self, source: SourcePath, entry: Entry, target: TargetPath, check: Callable[[int], None]) -> bool:
        """Whether the file at `target` has the very bytes of `entry`. `check` is called with the bytes of each chunk.
        FileError of the side that cannot be read, or whatever `check` raises."""
        with Translating(Side.TARGET, entry.relative):
            above, name = split(target)
            standing = self._folder(target.root, above, make=False).read(name)
        try:
            reading = self._staging.opening(source, entry)
            try:
                return same_bytes(reading, standing, entry, check)
            finally:
                reading.close()
        finally:
            os.close(standing)

    def settle_times(self, target: TargetPath, entry: Entry) -> None:
        """Give the file at `target` the times of `entry`."""
        with Translating(Side.TARGET, entry.relative):
            above, name = split(target)
            folder = self._folder(target.root, above, make=False)
            standing = folder.read(name)
            try:
                folder.set_file_times(name, standing, entry.mtime_ns)
            finally:
                os.close(standing)

    def forget_interrupted(self) -> None:
        """A run is over: remove what it has left of large files, which may be of another restore point than the next
        run's."""
        for root, relative in self._interrupted:
            with suppress(OSError, FileError):
                above, name = split(TargetPath(root, relative))
                self._folder(root, above, make=False).remove(self._author.partial(name))
        self._interrupted.clear()

    def make_folder(self, target: TargetPath) -> None:
        """Make a folder and its parents below the root; one that is there is left as it is."""
        with Translating(Side.TARGET, target.relative):
            self._folder(target.root, target.relative, make=True)

    def finish_folder(self, target: TargetPath, entry: Entry) -> None:
        """Set a folder's times to the entry's."""
        with Translating(Side.TARGET, target.relative):
            self._folder(target.root, target.relative, make=False).set_times(entry.mtime_ns)

    def free_space(self, root: str) -> int:
        """Bytes free for this account where `root` is or will be; FileError when that cannot be told."""
        with Translating(Side.TARGET, root):
            return free_space(root)

    def folds_case(self, root: str) -> bool:
        """Whether the file system of `root` takes names that differ only in letter case for one. Makes and removes an
        empty file where `root` is or will be; False when that cannot be done, as then nothing can be written."""
        return folds_case(_nearest_existing(root))

    def verify_file(self, path: str, algorithm: Algorithm, check: Callable[[int], None]) -> tuple[int, str]:
        """(size in bytes, checksum) of a copy, read anew. FileError."""
        return verify_file(path, algorithm, check)

    def remove_scratch(self, folder: str, beat: Beat = unheard) -> int:
        """Remove a drill's folder with all that is in it; the number of files. `beat` is called for each entry.
        DrillLeft when something stays."""
        return remove_scratch(Path(folder), beat)

    def flush(self) -> None:
        """Return when everything written below the allowed roots so far would survive a power cut."""
        self._fitter.flush()
        with Translating(Side.TARGET, ", ".join(self._allow)):
            for root in self._allow:
                flush_file_system(_nearest_existing(root))

    def _claim(self, key: tuple[str, str]) -> bool:
        """Whether this is the only copy of this process that writes the target `key`."""
        with self._busy_lock:
            free = key not in self._busy
            self._busy.add(key)
        return free

    def _folder(self, root: str, relative: str, *, make: bool) -> Folder:
        """The folder `relative` below `root`, from those this thread holds or entered name by name."""
        held = self._own.folders
        folder = held.get((root, relative))
        if folder is not None and folder.current():
            held.move_to_end((root, relative))
            return folder
        above, _, name = relative.rpartition("/")
        parent = held.get((root, above)) if relative else None
        if parent is not None and parent.current():
            held.move_to_end((root, above))
            folder = parent.enter(checked_name(name), make=make)
            if folder.made:
                self._made.append(f"{root}/{relative}")
        else:
            folder = self._entered(root, relative, make)
        held[root, relative] = folder
        if len(held) > FOLDERS_HELD:
            held.popitem(last=False)
        return folder

    def _entered(self, root: str, relative: str, make: bool) -> Folder:
        allowed, above = self._split_root(root)
        names = [checked_name(name) for name in relative.split("/")] if relative else []
        if make:
            os.makedirs(allowed, exist_ok=True)
        folder, path = open_root(allowed), allowed
        for name in (*above, *names):
            folder, path = folder.enter(name, make=make), f"{path}/{name}"
            if folder.made:
                self._made.append(path)
        return folder

    def _split_root(self, root: str) -> tuple[str, tuple[str, ...]]:
        """(the longest allowed folder that holds `root`, the names from there to `root`)."""
        if lies_below(root, self._allow) and os.path.isabs(root):
            path = os.path.normpath(root)
            for allowed in sorted(self._allow, key=len, reverse=True):
                if lies_below(path, [allowed]):
                    below = os.path.relpath(path, allowed)
                    return allowed, () if below == "." else tuple(below.split(os.sep))
        what = f"it is below none of targets.allow ({', '.join(self._allow)})"
        raise FileError(reason=Reason.OUTSIDE_TARGET, guest_path=root, what=what)


def _found(status: os.stat_result) -> Found:
    kind = kind_of(status)
    if kind is EntryKind.FILE:
        return Found(FoundKind.FILE, status.st_size, status.st_mtime_ns)
    return Found(FoundKind.FOLDER if kind is EntryKind.FOLDER else FoundKind.OTHER)


def free_space(root: str) -> int:
    """Bytes free where `root` is or would be. OSError when that cannot be told."""
    return shutil.disk_usage(_nearest_existing(root)).free


def _denial(folder: str) -> OSError:
    """Why `folder` cannot be written: all there is read-only, as it is for a confined service, or its permissions."""
    read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    number = errno.EROFS if read_only else errno.EACCES
    return OSError(number, os.strerror(number), folder)


def _nearest_existing(path: str) -> str:
    while not os.path.lexists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path
