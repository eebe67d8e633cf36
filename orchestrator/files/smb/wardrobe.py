"""What a destination at a server does with files besides their bytes: the part Wardrobe of the port."""

import errno
import os
from dataclasses import replace
from functools import partial

from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind, Placed
from orchestrator.core.fidelity import Fidelity, Properties, Property, Stream, Wishes
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.sidecar import Left
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.fitting import unchecked
from orchestrator.files.putting_back import PUT_BACK, refuse_changed
from orchestrator.files.readers import Reader, StreamReader
from orchestrator.files.smb.fitting import SmbFitter, foreign
from orchestrator.files.smb.holding import HeldFolder
from orchestrator.files.smb.linking import begin_link, end_link, name_again, one_file, text_at
from orchestrator.files.smb.partial import remove_at
from orchestrator.files.smb.places import SmbPlaces, split
from orchestrator.files.smb.putting import Put, present
from orchestrator.files.smb.share import Live, Share
from orchestrator.files.translate import Side, Translating


class SmbWardrobe(SmbPlaces):
    """What `SmbTarget` does with what is at its paths. Every method may be called in many threads at once."""

    _fitter: SmbFitter
    _author: Author = ALONE
    _strays: list[tuple[Share, str]]
    """Partial files of others, with their shares, that could not be removed yet."""

    def dress(self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes) -> Fidelity:
        """Put on a file or folder that is there what `wishes` want of what it `has`; its content stays as it is."""
        put_on = self._dressed(entry, target, has, wishes, self._fitter.streams_of(source, entry))
        return self._fitter.settle(source, entry, target, has, put_on, wishes)

    def link(
        self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, replace: bool, wishes: Wishes
    ) -> Placed:
        """Make a symbolic link with the text of the backup's. Where the server makes none, it is left over."""
        with Translating(Side.TARGET, target.relative):
            above, name = split(target)
            folder = self._folder(target.root, above, make=True)
            self._remove_strays(folder, name)
            try:
                put_on = folder.share.again(lambda live: self._linked(live, folder, name, has, replace, wishes))
            except FileExistsError:
                folder.forget()
                raise
        return Placed(0, "", self._fitter.settle(source, entry, target, has, put_on, wishes))

    def _linked(self, live: Live, folder: HeldFolder, name: str, has: Properties, over: bool, wishes: Wishes) -> Put:
        """(put on, left over) of a link, which is left over itself where it cannot be made."""
        path = begin_link(live, folder, name, has, self._author)
        if path is None:
            return frozenset(), frozenset({Property.LINK, *filter(wishes.wants, present(has) | foreign(has))})
        done, left = self._put_on_link(live, path, has, wishes)
        end_link(live, folder, path, name, replace=over)
        folder.note(name, Found(FoundKind.OTHER))
        return done | {Property.LINK}, left

    def link_text(self, target: TargetPath) -> str | None:
        """What the symbolic link at `target` says; None when there is none."""
        with Translating(Side.TARGET, target.relative):
            above, name = split(target)
            folder = self._folder(target.root, above, make=False)
            return folder.share.again(lambda live: text_at(live, folder.at(name)))

    def name_again(self, first: TargetPath, target: TargetPath, replace: bool) -> None:
        """Give the file at `first` one more name. FileError; what a server says that gives no file two, too."""
        with Translating(Side.TARGET, target.relative):
            (other, found, first_name), (above, name) = self._standing(first), split(target)
            folder = self._folder(target.root, above, make=True)
            if folder.share is not other.share:
                raise OSError(errno.EXDEV, "the two names would be on different shares", name)
            self._remove_strays(folder, name)
            try:
                path, author = other.at(first_name), self._author
                folder.share.again(lambda live: name_again(live, path, folder, name, replace=replace, author=author))
            except FileExistsError:
                folder.forget()
                raise
            folder.note(name, found)

    def _remove_strays(self, folder: HeldFolder, name: str) -> None:
        """Remove what those who had a file before may have left of it. The server may hold one that a machine which is
        gone, or frozen, has open: it is tried once more at the end of the run."""
        for stray in self._author.strays(name):
            try:
                folder.share.again(partial(remove_at, path=folder.at(stray)))
            except FileNotFoundError:
                pass
            except OSError:
                self._strays.append((folder.share, folder.at(stray)))

    def one_file(self, first: TargetPath, target: TargetPath) -> bool:
        """Whether two names are those of one file; never where a server tells no identities."""
        with Translating(Side.TARGET, target.relative):
            (one, _, one_name), (other, _, other_name) = self._standing(first), self._standing(target)
            if one.share is not other.share:
                return False
            return one.share.again(lambda live: one_file(live, one.at(one_name), other.at(other_name)))

    def put_back(
        self, left: Left, target: TargetPath, streams: StreamReader, *, dry: bool = False
    ) -> frozenset[Property]:
        """Put on what waited in a sidecar, as `LocalTarget.put_back`; its streams too."""
        entry = Entry(target.relative, left.kind, left.size, left.mtime_ns)
        if left.kind is EntryKind.LINK:
            return frozenset() if dry else self._link_again(left, target)
        with Translating(Side.TARGET, target.relative):
            found = self._stands_now(target)
        refuse_changed(left.kind, entry, found, target.relative)
        if dry:
            return frozenset()
        return self._dressed(entry, target, left.properties, PUT_BACK, streams)[1]

    def _dressed(
        self, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes, streams: StreamReader
    ) -> tuple[frozenset[Property], frozenset[Property]]:
        with Translating(Side.TARGET, target.relative):
            if entry.kind is EntryKind.FOLDER:
                folder = self._folder(target.root, target.relative, make=False)
                path = folder.path
            else:
                folder, _, name = self._standing(target)
                path = folder.at(name)
            return folder.share.again(lambda live: self._fitter.put(live, path, has, wishes, streams, unchecked))

    def _link_again(self, left: Left, target: TargetPath) -> frozenset[Property]:
        """Make a link that could not be made, or give one that is there what it is besides; what is left over."""
        has = left.properties
        with Translating(Side.TARGET, target.relative):
            above, name = split(target)
            folder = self._folder(target.root, above, make=False)
            if self._stands_now(target).kind is FoundKind.NOTHING:
                return folder.share.again(lambda live: self._linked(live, folder, name, has, False, PUT_BACK))[1]
            text = folder.share.again(lambda live: text_at(live, folder.at(name)))
            if text is None or has.link_to not in (None, text):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            return folder.share.again(lambda live: self._put_on_link(live, folder.at(name), has, PUT_BACK))[1]

    def _put_on_link(self, live: Live, path: str, has: Properties, wishes: Wishes) -> Put:
        return self._fitter.put(live, path, replace(has, streams=()), wishes, _no_streams, unchecked)


def _no_streams(one: Stream) -> Reader:
    """None is asked for."""
    raise AssertionError(one.name)
