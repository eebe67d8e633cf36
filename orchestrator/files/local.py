"""The mount share as a folder that this system can open: local, mounted, or (on Windows) a UNC path."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from orchestrator.core.catalog import Listed, Listing, ShareFolder, ShareListing
from orchestrator.core.coming import AT_HAND, Coming
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath
from orchestrator.files.properties import properties_at
from orchestrator.files.readers import Reader, no_stream, open_local
from orchestrator.files.readings import MISSING, newest_ns, stands_for_folder, to_entry, unreadable
from orchestrator.files.system import kind_of, opened_folder, system_path
from orchestrator.files.translate import Side, Translating
from orchestrator.files.walk import Beat, heard, unheard, walk


class LocalSource:
    """Reads a mount share. Nothing below it is ever written. Each `beat` is called as often as the share answers."""

    def folders(self, share: str, beat: Beat = unheard) -> ShareListing:
        """The folders directly below a share, by name, each with the newest of its times.

        OSError when the share cannot be listed.
        """
        path = system_path(share)
        with opened_folder(path, follow=True) as opened:
            children = _children(path, opened, beat)
            status = os.stat(opened)  # of what was listed, whatever has become of its path meanwhile
        found = [
            ShareFolder(name, newest_ns(status))
            for name, (path, status) in sorted(children.items())
            if stands_for_folder(path, status)
        ]
        return ShareListing(tuple(found), (status.st_dev, status.st_ino), os.path.ismount(path))

    def listing(self, folder: SourcePath, beat: Beat = unheard) -> Listing:
        """The direct children of a folder; sizes in bytes, times in whole seconds UTC, rounded down.

        OSError when it cannot be listed. A child that vanishes meanwhile is left out.
        """
        path = system_path(folder.root, folder.relative)
        with opened_folder(path, follow=True) as opened:
            children = _children(path, opened, beat)
        return {
            name: Listed(True, None, status.st_mtime_ns // 1_000_000_000)
            if stands_for_folder(path, status)
            else Listed(False, status.st_size, status.st_mtime_ns // 1_000_000_000)
            for name, (path, status) in children.items()
        }

    def look(self, path: SourcePath, beat: Beat = unheard) -> Entry | None:
        """The entry at `path`, None if there is none; its `relative` has the names as they are on the share.

        A name that is not there exactly is found without regard to letter case and accent composition, unless two
        names answer to it. The root is never left: a path through a link ends at the link, which is then what is
        returned, and `..` finds nothing. What cannot be looked at is an `UNREADABLE` entry.
        """
        done: list[str] = []
        try:
            status = os.stat(system_path(path.root))
            for wanted in (name for name in path.relative.split("/") if name):
                if kind_of(status) is EntryKind.LINK and done:
                    break
                name = _name_on_share(system_path(path.root, "/".join(done)), wanted, beat)
                if name is None:
                    return None
                done.append(name)
                status = os.lstat(system_path(path.root, "/".join(done)))
        except OSError as error:
            return None if error.errno in MISSING else unreadable(path.relative, error)
        return to_entry("/".join(done), status)

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat = unheard) -> Iterator[list[Entry]]:
        """Everything below `start`, in batches; the rules are those of `orchestrator.files.walk`."""
        return walk(start, enters, beat)

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming:
        """Nothing is read ahead: the system does that."""
        return AT_HAND

    def close(self) -> None:
        """Nothing is held open."""

    def open(self, path: SourcePath, entry: Entry) -> Reader:
        """A file to be read; FileError when it cannot be."""
        return open_local(path, entry)

    def open_stream(self, path: SourcePath, entry: Entry, name: str) -> Reader:
        """Folders that the system opens show no streams: FileError."""
        return no_stream(path, entry, name)

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        """What a folder or a link is beside its name; FileError when it cannot be told."""
        with Translating(Side.SOURCE, entry.relative):
            return properties_at(path)


def _children(folder: str, opened: int | str, beat: Beat) -> dict[str, tuple[str, os.stat_result]]:
    """(path, status) of each child; links are not followed."""
    found = {}
    with os.scandir(opened) as children:
        for child in heard(children, beat):
            try:
                found[child.name] = (f"{folder}{os.sep}{child.name}", child.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue
    return found


def _name_on_share(folder: str, wanted: str, beat: Beat) -> str | None:
    """The name in `folder` that answers to `wanted`: the exact one, else the only one that differs in case."""
    if wanted in (".", "..") or "\x00" in wanted or "/" in wanted:
        return None
    if _exactly(folder, wanted):
        return wanted
    key = name_key(wanted)
    with opened_folder(folder, follow=True) as opened, os.scandir(opened) as children:
        names = [child.name for child in heard(children, beat) if name_key(child.name) == key]
    if wanted in names:
        return wanted
    return names[0] if len(names) == 1 else None


def _exactly(folder: str, wanted: str) -> bool:
    """Whether `wanted` is there under this very spelling, told without listing the folder.

    A share that ignores letter case answers to the other spelling too; then only a listing knows the real one.
    """
    try:
        status = os.lstat(f"{folder}{os.sep}{wanted}")
    except FileNotFoundError:
        return False
    try:
        other = os.lstat(f"{folder}{os.sep}{wanted.swapcase()}")
    except OSError:
        return True
    return wanted == wanted.swapcase() or not os.path.samestat(status, other)


def name_key(name: str) -> str:
    """The key under which two spellings of one name are alike: letter case and composition of accents do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
