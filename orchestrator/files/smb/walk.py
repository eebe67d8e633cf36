"""The walk below one folder of a share. The rules are those of `orchestrator.files.walk`; the next folders are asked
for while one is passed on, so that a walk costs hardly more round trips than its depth."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.reasons import Reason
from orchestrator.core.reparse import PointKind, kind_of_tag
from orchestrator.files.readings import unreadable
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.folders import Listed
from orchestrator.files.smb.listing import Child
from orchestrator.files.smb.share import Share, join
from orchestrator.files.walk import CIRCLE, SORTED_AT_MOST, Beat, batched

AHEAD = 32
"""Folders that are asked for before their turn."""
LARGEST_FILE = 1 << 53
"""Bytes. No file system of a machine that can be backed up holds a larger file (NTFS: 8 PiB); a server that tells of
one would have a run wait for room for it."""


class _Folder(NamedTuple):
    """A folder still to be passed on; `depth` counts from the start."""

    relative: str
    depth: int
    identity: int


def walk(share: Share, root: str, start: str, enters: Callable[[str], bool], beat: Beat) -> Iterator[list[Entry]]:
    """Everything below `start`, which lies below the folder `root` of the share. What cannot be read is an entry."""
    return batched(_Walk(share, root, enters, beat).entries(start))


class _Walk:
    def __init__(self, share: Share, root: str, enters: Callable[[str], bool], beat: Beat) -> None:
        self._share, self._root, self._enters, self._beat = share, root, enters, beat
        self._ahead: dict[str, Listed] = {}

    def entries(self, start: str) -> Iterator[Entry]:
        stack = [_Folder(start, 0, 0)]
        trail: list[int] = []
        try:
            while stack:
                self._ask_ahead(stack)
                folder = stack.pop()
                self._beat()
                del trail[folder.depth :]
                trail.append(folder.identity)
                below: list[_Folder] = []
                try:
                    yield from self._folder(folder, trail, below)
                except OSError as error:
                    yield unreadable(folder.relative, error)
                below.reverse()
                stack += below
        finally:
            for one in self._ahead.values():
                one.forget()

    def _folder(self, folder: _Folder, trail: list[int], below: list[_Folder]) -> Iterator[Entry]:
        """The entries of one folder; those to be entered go into `below`."""
        prefix = f"{folder.relative}/" if folder.relative else ""
        for child in self._children(folder, trail):
            if (why := _unusable(child.name)) is not None:
                yield why(prefix)
                continue
            relative = prefix + child.name
            if not child.folder or child.link:
                yield entry_of(relative, child)
            elif self._enters(relative):
                if child.identity and child.identity in trail:
                    yield Entry(
                        relative, EntryKind.LINK, 0, child.written_ns, reason=Reason.LINK_SKIPPED, message=CIRCLE
                    )
                else:
                    below.append(_Folder(relative, folder.depth + 1, child.identity))
                    yield entry_of(relative, child)

    def _children(self, folder: _Folder, trail: list[int]) -> Iterator[Child]:
        """The children, by name; those of a very large folder as they come."""
        kept: list[Child] = []
        passing = False
        for child in self._as_they_come(folder):
            self._beat()
            if child.name == ".":
                trail[folder.depth] = child.identity
            elif child.name == "..":
                continue
            elif passing:
                yield child
            else:
                kept.append(child)
                if len(kept) > SORTED_AT_MOST:
                    passing = True
                    yield from kept
        if not passing:
            kept.sort(key=lambda child: child.name)
            yield from kept

    def _as_they_come(self, folder: _Folder) -> Iterator[Child]:
        """A listing that is broken off before much of it has been passed on is begun once more."""
        name = join(self._root, *folder.relative.split("/"))
        seen: set[str] = set()
        try:
            early = self._ahead.pop(folder.relative, None) or Listed(self._share.live(), name)
            for buffer in early.buffers():
                yield from buffer
                if len(seen) <= SORTED_AT_MOST:
                    seen.update(child.name for child in buffer)
        except ConnectionLost:
            if len(seen) > SORTED_AT_MOST:
                raise
            for buffer in Listed(self._share.live(), name).buffers():
                yield from (child for child in buffer if child.name not in seen)

    def _ask_ahead(self, stack: list[_Folder]) -> None:
        for folder in reversed(stack[-AHEAD:]):
            if len(self._ahead) >= AHEAD:
                return
            if folder.relative not in self._ahead:
                try:
                    live = self._share.live()
                    self._ahead[folder.relative] = Listed(live, join(self._root, *folder.relative.split("/")))
                except OSError:
                    return  # met again when it is the folder's turn, and told of then


def entry_of(relative: str, child: Child) -> Entry:
    """An entry from a listing. Folders and links have size 0."""
    if child.link:
        return Entry(relative, EntryKind.LINK, 0, child.written_ns, message=_kind(child))
    if child.tag and kind_of_tag(child.tag) is PointKind.WSL_SPECIAL:
        return Entry(relative, EntryKind.SPECIAL, 0, child.written_ns, message=_kind(child))
    if child.folder:
        return Entry(relative, EntryKind.FOLDER, 0, child.written_ns, 0o755)
    if child.size > LARGEST_FILE:
        message = f"the server tells of {child.size} bytes, more than any file holds; {Reason.READ_ERROR.action}"
        return Entry(relative, EntryKind.UNREADABLE, reason=Reason.READ_ERROR, message=message)
    return Entry(relative, EntryKind.FILE, child.size, child.written_ns, 0o444 if child.read_only else 0o644)


def _kind(child: Child) -> str:
    """What a reparse point is, said to a person."""
    return f"{kind_of_tag(child.tag).value}, not restored as a file"


def _unusable(name: str) -> Callable[[str], Entry] | None:
    """What makes the entry of a name that no path can hold; None for any other name."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    if not name or set("/\\\0").intersection(name):
        message = f"the server tells of a name that no name can be: {shown!r}"
    elif shown != name:
        message = f"{shown!r} holds half a character, which no name here can hold"
    else:
        return None
    shown = shown.replace("/", "?").replace("\0", "?")
    return lambda prefix: Entry(prefix + shown, EntryKind.UNREADABLE, reason=Reason.NAME_UNUSABLE, message=message)
