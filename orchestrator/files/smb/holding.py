r"""Folders of a destination on a share, held open, and what is known to be in them.

SMB has no way to open a file within a folder that is open: every path is looked up from the share on. So each folder on
the way is opened by itself, as what it is and not as what it may lead to, and looked at; then it is held open without
leave to rename or remove it. As long as it is held, no client can put a link in its place, or in the place of one above
it. Source: MS-SMB2 2.2.13 (FILE_OPEN_REPARSE_POINT, ShareAccess), MS-FSA 2.1.5.1.2.
"""

import errno
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from orchestrator.core.entries import NOTHING, Found, FoundKind
from orchestrator.core.paths import fold
from orchestrator.files.folders import link_in_path
from orchestrator.files.smb.asking import chain, granted
from orchestrator.files.smb.facts import ask_tag, kept_time, leads_away
from orchestrator.files.smb.folders import Listed
from orchestrator.files.smb.listing import Child, is_folder, nanoseconds
from orchestrator.files.smb.packets import FOLDER_ONLY, FOR_BACKUP, ITSELF, close, create, created
from orchestrator.files.smb.share import Live, Share, join
from orchestrator.files.smb.status import StatusError

HELD = 256
"""Folders held open at once."""
KNOWN_FOR = 5.0
"""Seconds for which a listing of a folder is believed. Another program may write there too; the rename that ends every
copy asks the server itself."""
KNOWN_AT_MOST = 50_000
"""Names kept in memory, over all folders."""
LISTED_AT_MOST = 10_000
"""Names of one folder; those of a larger one are asked for one by one."""

_MADE = 2
_OPEN, _OPEN_OR_MAKE = 1, 3
_HOLD, _LOOK = 0x00100081, 0x00100080  # list, attributes, synchronize
_READ_AND_WRITE = 0x3


class HeldFolder:
    """A folder of a share that is open. `path` is its path below the share."""

    __slots__ = ("_known", "_looks", "_until", "handle", "live", "made", "path", "share")

    def __init__(self, share: Share, live: Live, path: str, handle: bytes, *, made: bool) -> None:
        self.share, self.live, self.path, self.handle, self.made = share, live, path, handle, made
        self._looks = 0
        self._known: dict[str, dict[str, Found]] | None = {} if made else None
        self._until = time.monotonic() + KNOWN_FOR

    def current(self) -> bool:
        return self.live.connection.broken is None

    def at(self, name: str) -> str:
        """The path of `name` in this folder, below the share."""
        return join(self.path, name)

    def look(self, name: str) -> Found:
        """What stands at `name`; a link is OTHER. OSError."""
        if self._known is not None and time.monotonic() > self._until:
            self._known = None
        self._looks += 1
        if self._known is None and self._looks == 2:  # whoever asks once may not ask again
            self.share.again(self._list)
        if self._known is not None:
            alike = self._known.get(fold(name))
            if not alike:
                return NOTHING
            if name in alike:
                return alike[name]
        return self.share.again(lambda live: look(live, self.at(name)))

    def note(self, name: str, found: Found) -> None:
        """Something was put there by ourselves."""
        if self._known is not None:
            self._known[fold(name)] = {name: found}

    def forget(self) -> int:
        """Let go of what is known of the content; how many names that were."""
        known, self._known, self._looks = self._known, None, 0
        return len(known or ())

    @property
    def names(self) -> int:
        return len(self._known or ())

    def _list(self, live: Live) -> None:
        """Take in the whole folder, if it is not too large; it is asked for again after a while."""
        self._looks = 0
        known: dict[str, dict[str, Found]] = {}
        for buffer in Listed(live, self.path).buffers():
            for child in buffer:
                known.setdefault(fold(child.name), {})[child.name] = _found(child)
            if len(known) > LISTED_AT_MOST:
                self._looks = 2
                return
        self._known, self._until = known, time.monotonic() + KNOWN_FOR


def _nobody_asks(left: int) -> None:
    """Nobody asks which folders were made."""


class Holding:
    """The folders that are held, over all shares. Methods may be called in many threads at once."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, str], HeldFolder] = OrderedDict()
        self._lock = threading.Lock()

    def folder(
        self,
        share: Share,
        allowed: str,
        names: tuple[str, ...],
        *,
        make: bool,
        made: Callable[[int], None] = _nobody_asks,
    ) -> HeldFolder:
        """The folder `names` below `allowed`, a path below the share that the config names: there a link is followed,
        below it none is. For each that had to be made `made` is called, with how many of `names` come after it.
        OSError: ENOENT when it is not there, ELOOP for a link, ENOTDIR for a file on the way."""
        path = join(allowed, *names)
        found = self._find(share, path)
        if found is not None:
            return found
        above = len(names)
        start = None
        while start is None and above > 0:
            above -= 1
            start = self._find(share, join(allowed, *names[:above]))
        folder = start or self._keep(_root(share, allowed, make))
        for after, name in zip(reversed(range(len(names) - above)), names[above:], strict=True):
            entered = _enter(share, folder.at(name), make=make)
            if entered.made:
                made(after)
            parent, folder = folder, self._keep(entered)
            parent.note(name, Found(FoundKind.FOLDER))
        return folder

    def let_go_of(self, folder: HeldFolder) -> None:
        """Let go of one folder."""
        with self._lock:
            if self._held.get((id(folder.share), folder.path)) is folder:
                del self._held[id(folder.share), folder.path]
        _close([folder])

    def drop(self, share: Share) -> None:
        """Let go of all of a share: one of its folders is not what it was, and so may those above it be."""
        with self._lock:
            keys = [key for key, one in self._held.items() if one.share is share]
            gone = [self._held.pop(key) for key in keys]
        _close(gone)

    def let_go(self) -> None:
        """Let go of all."""
        with self._lock:
            gone = list(self._held.values())
            self._held.clear()
        _close(gone)

    def _find(self, share: Share, path: str) -> HeldFolder | None:
        key = id(share), path
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            if found.current():
                self._held.move_to_end(key)
                return found
            del self._held[key]
        return None

    def _keep(self, folder: HeldFolder) -> HeldFolder:
        gone = []
        with self._lock:
            before = self._held.get((id(folder.share), folder.path))
            if before is not None and before.current():
                gone.append(folder)  # another thread was quicker, and knows more of it
                folder = before
            self._held[id(folder.share), folder.path] = folder
            while len(self._held) > HELD:
                gone.append(self._held.popitem(last=False)[1])
            if sum(one.names for one in self._held.values()) > KNOWN_AT_MOST:
                for one in self._held.values():
                    one.forget()
        _close(gone)
        return folder


def look(live: Live, path: str) -> Found:
    """What stands at a path below a share; a link is OTHER, and not followed. OSError, but for what is not there."""
    first, tag, _ = chain(live, create(path, _LOOK, ITSELF | FOR_BACKUP), ask_tag(), close())
    try:
        opened = created(granted(first, path).message)
    except StatusError as error:
        if error.errno == errno.ENOENT:
            return NOTHING
        raise
    if leads_away(tag, path):
        return Found(FoundKind.OTHER)
    if is_folder(opened.attributes):
        return Found(FoundKind.FOLDER)
    return Found(FoundKind.FILE, opened.size, nanoseconds(opened.written))


def file_found(size: int, mtime_ns: int) -> Found:
    """What a look shows of a file that has just been given these."""
    return Found(FoundKind.FILE, size, kept_time(mtime_ns))


def _found(child: Child) -> Found:
    if child.link:
        return Found(FoundKind.OTHER)
    return Found(FoundKind.FOLDER) if child.folder else Found(FoundKind.FILE, child.size, child.written_ns)


def _root(share: Share, allowed: str, make: bool) -> HeldFolder:
    """The folder that the config allows, made with those above it when it is missing."""
    try:
        return _enter(share, allowed, make=False, itself=False)
    except OSError as error:
        if error.errno != errno.ENOENT or not make or not allowed:
            raise
    names = allowed.split("\\")
    for number in range(1, len(names)):
        _close([_enter(share, join(*names[:number]), make=True, itself=False)])
    return _enter(share, allowed, make=True, itself=False)


def _enter(share: Share, path: str, *, make: bool, itself: bool = True) -> HeldFolder:
    return share.again(lambda live: _opened(share, live, path, make, itself))


def _opened(share: Share, live: Live, path: str, make: bool, itself: bool) -> HeldFolder:
    options = FOLDER_ONLY | FOR_BACKUP | (ITSELF if itself else 0)
    disposition = _OPEN_OR_MAKE if make else _OPEN
    first, tag = chain(live, create(path, _HOLD, options, disposition, _READ_AND_WRITE), ask_tag())
    opened = created(granted(first, path).message)
    folder = HeldFolder(share, live, path, opened.handle, made=opened.action == _MADE)
    try:
        if itself and leads_away(tag, path):
            raise link_in_path(path)
        if not is_folder(opened.attributes):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    except OSError:
        _close([folder])
        raise
    return folder


def _close(folders: list[HeldFolder]) -> None:
    asked = []
    for folder in folders:
        with suppress(OSError):  # the server closes what a broken connection held open
            asked.append((folder.live.connection, folder.live.connection.ask([close(folder.handle)])))
    for connection, exchange in asked:
        connection.wait(exchange)
