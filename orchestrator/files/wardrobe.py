"""What a destination that the system opens does with files besides their bytes: the part Wardrobe of the port."""

import os
from abc import ABC, abstractmethod

from orchestrator.core.entries import Entry, EntryKind, Found, Placed
from orchestrator.core.fidelity import Fidelity, Properties, Property, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.sidecar import Left
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.dressing import dress
from orchestrator.files.fitting import Fitter
from orchestrator.files.folder import Folder
from orchestrator.files.folders import checked_name
from orchestrator.files.linking import forgetting, make_link, name_again
from orchestrator.files.putting_back import PUT_BACK, link_again, refuse_changed
from orchestrator.files.readers import StreamReader
from orchestrator.files.translate import Side, Translating


class LocalWardrobe(ABC):
    """What `LocalTarget` does with what is at its paths. Every method may be called in many threads at once."""

    _fitter: Fitter
    _author: Author = ALONE

    @abstractmethod
    def look(self, path: TargetPath) -> Found:
        """What stands at `path`."""

    @abstractmethod
    def _folder(self, root: str, relative: str, *, make: bool) -> Folder:
        """The folder `relative` below `root`."""

    def dress(self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes) -> Fidelity:
        """Put on a file or folder that is there what `wishes` want of what it `has`; its content stays as it is."""
        done, left = self._dressed(entry, target, has, wishes, whole=True)
        return self._fitter.settle(source, entry, target, has, done, left, wishes)

    def _dressed(
        self, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes, *, whole: bool
    ) -> tuple[frozenset[Property], frozenset[Property]]:
        with Translating(Side.TARGET, target.relative):
            if entry.kind is EntryKind.FOLDER:
                return dress(
                    self._folder(target.root, target.relative, make=False).itself, has, wishes, ours=False, whole=whole
                )
            above, name = split(target)
            descriptor = self._folder(target.root, above, make=False).read(name)
            try:
                return dress(descriptor, has, wishes, ours=False, whole=whole)
            finally:
                os.close(descriptor)

    def link(
        self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, replace: bool, wishes: Wishes
    ) -> Placed:
        """Make a symbolic link with the text of the backup's, which is not looked at: nothing here follows it."""
        with Translating(Side.TARGET, target.relative):
            above, name = split(target)
            folder = self._folder(target.root, above, make=True)
            with forgetting(folder):
                done, left = make_link(folder, name, has, replace, wishes, self._author)
        return Placed(0, "", self._fitter.settle(source, entry, target, has, done, left, wishes))

    def link_text(self, target: TargetPath) -> str | None:
        """What the symbolic link at `target` says; None when there is none."""
        with Translating(Side.TARGET, target.relative):
            above, name = split(target)
            return self._folder(target.root, above, make=False).link_text(name)

    def name_again(self, first: TargetPath, target: TargetPath, replace: bool) -> None:
        """Give the file at `first` one more name. FileError; OUTSIDE_TARGET when `first` is no plain file."""
        with Translating(Side.TARGET, target.relative):
            above, name = split(target)
            first_above, first_name = split(first)
            other = self._folder(first.root, first_above, make=False)
            folder = self._folder(target.root, above, make=True)
            with forgetting(folder):
                name_again(other, first_name, folder, name, replace, self._author)

    def one_file(self, first: TargetPath, target: TargetPath) -> bool:
        """Whether two names are those of one file."""
        with Translating(Side.TARGET, target.relative):
            one, other = (
                self._folder(path.root, above, make=False).status(name)
                for path in (first, target)
                for above, name in (split(path),)
            )
            return os.path.samestat(one, other)

    def put_back(
        self, left: Left, target: TargetPath, streams: StreamReader, *, dry: bool = False
    ) -> frozenset[Property]:
        """Put on what waited in a sidecar, if what is at `target` still is what was restored; what is left over even
        now. With `dry` it is only looked at, and nothing is said to be left over. FileError: CHANGED for another file,
        VANISHED when nothing is there; a link is made then. `streams` opens those of the sidecar, which no folder here
        could take."""
        entry = Entry(target.relative, left.kind, left.size, left.mtime_ns)
        found = self.look(target)
        with Translating(Side.TARGET, target.relative):
            if left.kind is EntryKind.LINK:
                above, name = split(target)
                folder = self._folder(target.root, above, make=False)
                return frozenset() if dry else link_again(folder, name, found, left.properties)
        refuse_changed(left.kind, entry, found, target.relative)
        return frozenset() if dry else self._dressed(entry, target, left.properties, PUT_BACK, whole=False)[1]


def split(path: TargetPath) -> tuple[str, str]:
    """(the folder below the root, the name in it). `relative` is `/`-joined without empty names."""
    above, _, name = path.relative.rpartition("/")
    return above, checked_name(name)
