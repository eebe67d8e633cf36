r"""The mount share as a UNC path, without the operating system's help."""

import errno
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from orchestrator.core.catalog import Listed as ListedEntry
from orchestrator.core.catalog import Listing, ShareFolder, ShareListing
from orchestrator.core.coming import AT_HAND, Coming
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath
from orchestrator.files.local import name_key
from orchestrator.files.readers import Reader
from orchestrator.files.readings import MISSING, unreadable
from orchestrator.files.smb.asking import granted
from orchestrator.files.smb.connection import ConnectionLost, waited
from orchestrator.files.smb.folders import Listed, heard, listed
from orchestrator.files.smb.listing import Child, is_folder, nanoseconds
from orchestrator.files.smb.packets import close, created, open_any
from orchestrator.files.smb.pieces import PiecesReader
from orchestrator.files.smb.properties import Abilities, abilities_of, link_at, properties_at
from orchestrator.files.smb.reading import WHOLE, Asked, Tell, WholeReader
from orchestrator.files.smb.share import Live, Reaching, Share, Unc, join
from orchestrator.files.smb.shares import Shares
from orchestrator.files.smb.walk import entry_of, walk
from orchestrator.files.translate import Side, Translating
from orchestrator.files.walk import Beat, unheard

_WILD = frozenset('*?<>"|:')
"""Letters that a server takes for more than themselves when it is asked for a name."""
_NEVER = frozenset("\x00/\\")


class SmbSource:
    """Reads shares by UNC path. `reach` says how the share of a server is reached; OSError where nothing is known.

    Fulfils the port Source. Each `beat` is called as often as a share answers. Methods may be called in many threads
    at once. A connection that breaks is made anew once, and what was under way is asked again.
    """

    def __init__(self, reach: Callable[[Unc], Reaching]) -> None:
        self._shares = Shares(reach)
        self._abilities: dict[str, Abilities] = {}
        self._own = _Own()

    def close(self) -> None:
        """Break off every connection; the source stays usable."""
        self._shares.close()

    def folders(self, share: str, beat: Beat = unheard) -> ShareListing:
        """The folders directly below a share, by name, each with the newest of its times. OSError."""
        at, below = self._shares.at(share)
        live, found = at.again(lambda live: (live, [one for buffer in Listed(live, below).buffers() for one in buffer]))
        identity = next((one.identity for one in found if one.name == "."), 0)
        folders = [ShareFolder(one.name, one.newest_ns) for one in heard(found, beat) if one.folder]
        folders.sort(key=lambda folder: folder.name)
        return ShareListing(tuple(folders), (live.server, identity), mounted=True)

    def listing(self, folder: SourcePath, beat: Beat = unheard) -> Listing:
        """The direct children of a folder; sizes in bytes, times in whole seconds UTC, rounded down. OSError."""
        at, name = self._shares.at(folder.root, folder.relative)
        return {
            child.name: ListedEntry(child.folder, None if child.folder else child.size, child.written_ns // 10**9)
            for child in at.again(lambda live: listed(live, name, beat))
        }

    def look(self, path: SourcePath, beat: Beat = unheard) -> Entry | None:
        """The entry at `path`, None if there is none; its `relative` has the names as they are on the share.

        As `LocalSource.look`: the exact name, else the only one that differs in case or accent composition; never
        beyond a link, never out of the root. What cannot be looked at is an `UNREADABLE` entry.
        """
        try:
            at, root = self._shares.at(path.root)
            found = at.again(lambda live: _root(at, live, root))
            done: list[str] = []
            for wanted in (name for name in path.relative.split("/") if name):
                if done and found.kind is EntryKind.LINK:
                    break
                child = at.again(partial(_child, folder=join(root, *done), wanted=wanted, beat=beat))
                if child is None:
                    return None
                done.append(child.name)
                found = entry_of("/".join(done), child)
        except OSError as error:
            return None if error.errno in MISSING else unreadable(path.relative, error)
        return found

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat = unheard) -> Iterator[list[Entry]]:
        """Everything below `start`, in batches; the rules are those of `orchestrator.files.walk`."""
        try:
            at, root = self._shares.at(start.root)
        except OSError as error:
            return iter([[unreadable(start.relative, error)]])
        return walk(at, root, start.relative, enters, beat)

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> Coming:
        """Ask for the small ones of these files below `root` now; `open` in the same thread finds them on their way.

        With `properties`, what the files are beside their bytes comes along, also of those that are opened later in
        this thread. Tells how they come.
        """
        ahead: dict[SourcePath, Asked] = {}
        self._own.ahead, self._own.along = ahead, properties
        try:
            at, below = self._shares.at(root)
            wanted = list(entries)
            if not wanted:
                return AT_HAND
            live = at.live()
            abilities = self._along(root)
            asked = [
                Asked(live, join(below, entry.relative.replace("/", "\\")), entry, abilities)
                for entry in wanted
                if _goes_whole(live, entry)
            ]
            live.connection.ask_all(one.exchange for one in asked)
        except OSError:
            return AT_HAND  # met again when a file is opened, and told of then
        ahead.update((SourcePath(root, one.entry.relative), one) for one in asked)
        return Coming(at.round_trip or None, waited)

    def open(self, path: SourcePath, entry: Entry) -> Reader:
        """A file to be read; FileError when it cannot be."""
        with Translating(Side.SOURCE, entry.relative):
            tell = partial(self._properties, path)
            early = self._own.ahead.pop(path, None)
            if early is not None:
                try:
                    return WholeReader(early, tell)
                except ConnectionLost:
                    pass
            at, name = self._shares.at(path.root, path.relative)
            if early is not None:
                self._ask_again(at.live(), path.root)
            return at.again(lambda live: _opened(at, live, name, entry, tell, self._along(path.root)))

    def open_stream(self, path: SourcePath, entry: Entry, name: str) -> Reader:
        """A named data stream of a file or folder, to be read; FileError when it cannot be."""
        with Translating(Side.SOURCE, entry.relative):
            if not name or _NEVER.intersection(name) or ":" in name:
                raise OSError(errno.EINVAL, f"{name!r} is no name of a stream")
            at, whole = self._shares.at(path.root, path.relative)
            tell = partial(self._properties, path)
            return at.again(lambda live: _stream(at, live, f"{whole}:{name}", entry, tell))

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        """What a folder, a link or a file is beside its bytes; FileError when it cannot be told."""
        with Translating(Side.SOURCE, entry.relative):
            found = self._properties(path)
            if entry.kind is not EntryKind.LINK:
                return found
            at, name = self._shares.at(path.root, path.relative)
            return at.again(lambda live: link_at(live, name, found))

    def _properties(self, path: SourcePath) -> Properties:
        at, name = self._shares.at(path.root, path.relative)
        return at.again(lambda live: properties_at(live, name, self._abilities_of(path.root)))

    def _abilities_of(self, root: str) -> Abilities:
        """What can be asked of the files below a volume folder; found out once."""
        found = self._abilities.get(root)
        if found is None:
            at, below = self._shares.at(root)
            found = self._abilities[root] = at.again(lambda live: abilities_of(live, below))
        return found

    def _along(self, root: str) -> Abilities | None:
        """What this thread wants along with the content of files; None for nothing."""
        return self._abilities_of(root) if self._own.along else None

    def _ask_again(self, live: Live, root: str) -> None:
        """All that was on its way over a connection that broke."""
        abilities = self._along(root)
        ahead = {path: Asked(live, one.name, one.entry, abilities) for path, one in self._own.ahead.items()}
        live.connection.ask_all(one.exchange for one in ahead.values())
        self._own.ahead = ahead


class _Own(threading.local):
    """What each thread has asked for and not yet opened: files of one batch."""

    def __init__(self) -> None:
        self.ahead: dict[SourcePath, Asked] = {}
        self.along = False


def _goes_whole(live: Live, entry: Entry) -> bool:
    return entry.kind is EntryKind.FILE and entry.size <= min(WHOLE, live.largest_read)


def _opened(
    share: Share, live: Live, name: str, entry: Entry, tell: Tell, abilities: Abilities | None = None
) -> Reader:
    if _goes_whole(live, entry):
        asked = Asked(live, name, entry, abilities)
        live.connection.ask_all((asked.exchange,))
        return WholeReader(asked, tell)
    return PiecesReader(share, name, entry, tell, abilities, spread=True)


def _stream(share: Share, live: Live, name: str, entry: Entry, tell: Tell) -> Reader:
    """A stream, whose size only its opening tells."""
    exchange = live.connection.ask([open_any(name), close()])
    live.connection.wait(exchange)
    opened = created(granted(exchange.answer(0), name).message)
    return _opened(share, live, name, replace(entry, kind=EntryKind.FILE, size=opened.size), tell)


def _root(share: Share, live: Live, name: str) -> Entry:
    begun = time.monotonic()
    exchange = live.connection.ask([open_any(name), close()])
    live.connection.wait(exchange)
    share.took(time.monotonic() - begun)
    opened = created(granted(exchange.answer(0), name).message)
    kind = EntryKind.FOLDER if is_folder(opened.attributes) else EntryKind.FILE
    return Entry("", kind, 0, nanoseconds(opened.written))


def _child(live: Live, folder: str, wanted: str, beat: Beat) -> Child | None:
    """The child that answers to `wanted`: the exact one, else the only one that differs in case."""
    if wanted in (".", "..") or _NEVER.intersection(wanted):
        return None
    if not _WILD.intersection(wanted):
        for child in listed(live, folder, beat, wanted):
            if child.name == wanted:
                return child
    key = name_key(wanted)
    found = [child for child in listed(live, folder, beat) if name_key(child.name) == key]
    exact = [child for child in found if child.name == wanted]
    return exact[0] if exact else found[0] if len(found) == 1 else None
