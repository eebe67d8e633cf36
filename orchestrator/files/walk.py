"""The walk below one folder of the share: everything that is there, in batches, without following anything.

Folder by folder with a stack of names, so that neither depth nor length of a path ends it. Within a folder entries
come sorted by name, which makes two walks of one backup alike; a folder of more than SORTED_AT_MOST entries is
passed on as it is read, which keeps memory flat. What cannot be read is an entry that says why.
"""

import os
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.paths import SourcePath
from orchestrator.files.readings import elsewhere, to_entry, unreadable
from orchestrator.files.system import kind_of, opened_folder, system_path

BATCH = 256
SORTED_AT_MOST = 50_000
CIRCLE = "the folder contains itself; not entered again"

_Identity = tuple[int, int]

Beat = Callable[[], None]
"""Called for each entry that the share gives, so that slow can be told from hung."""


def unheard() -> None:
    """A beat that nobody listens to."""


class _Folder(NamedTuple):
    """A folder still to be listed; `depth` counts from the start."""

    relative: str
    depth: int
    identity: _Identity


def walk(start: SourcePath, enters: Callable[[str], bool], beat: Beat = unheard) -> Iterator[list[Entry]]:
    """Everything below `start`, in batches of BATCH, folders before their content.

    `enters` is asked with each folder's path relative to the root of `start`; a folder it declines is left out
    altogether. Links, junctions and folders of another file system are `LINK` entries. The start itself is entered
    whatever it is; when it cannot be, the only entry is an `UNREADABLE` one with its path.
    """
    return batched(_entries(start, enters, beat))


def batched(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Entries in lists of BATCH, the last one shorter."""
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _entries(start: SourcePath, enters: Callable[[str], bool], beat: Beat) -> Iterator[Entry]:
    try:
        status = _status_of(start)
    except OSError as error:
        yield unreadable(start.relative, error)
        return
    stack = [_Folder(start.relative, 0, (status.st_dev, status.st_ino))]
    trail: list[_Identity] = []
    while stack:
        folder = stack.pop()
        beat()
        del trail[folder.depth :]
        trail.append(folder.identity)
        below: list[_Folder] = []
        try:
            yield from _listed(start.root, folder, enters, trail, below, beat)
        except OSError as error:
            yield unreadable(folder.relative, error)
        below.reverse()
        stack += below


def _status_of(start: SourcePath) -> os.stat_result:
    with opened_folder(system_path(start.root, start.relative), follow=True) as folder:
        return os.stat(folder)


def _listed(
    root: str, folder: _Folder, enters: Callable[[str], bool], trail: list[_Identity], below: list[_Folder], beat: Beat
) -> Iterator[Entry]:
    """The entries of one folder; those to be entered go into `below`."""
    prefix = f"{folder.relative}/" if folder.relative else ""
    path = system_path(root, folder.relative)
    with opened_folder(path, follow=folder.depth == 0) as opened, os.scandir(opened) as children:
        for child in _in_order(heard(children, beat)):
            beat()
            relative = prefix + child.name
            try:
                status = child.stat(follow_symlinks=False)
            except OSError as error:
                yield unreadable(relative, error)
                continue
            if kind_of(status) is not EntryKind.FOLDER:
                yield to_entry(relative, status)
            elif enters(relative):
                identity = (status.st_dev, status.st_ino)
                why = _leads_away(identity, trail)
                if why:
                    yield elsewhere(relative, status, why)
                else:
                    below.append(_Folder(relative, folder.depth + 1, identity))
                    yield to_entry(relative, status)


def heard(children: Iterator[os.DirEntry[str]], beat: Beat) -> Iterator[os.DirEntry[str]]:
    """The children of a folder, with a beat for each as the share gives it."""
    for child in children:
        beat()
        yield child


def _in_order(children: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    first = list(islice(children, SORTED_AT_MOST + 1))
    if len(first) <= SORTED_AT_MOST:
        first.sort(key=lambda child: child.name)
    return chain(first, children)


def _leads_away(identity: _Identity, trail: list[_Identity]) -> str:
    """Why a folder is not entered although it is no link; empty when it is. On Windows a folder's listing gives no
    identity (zeros), and everything that leads away is a reparse point."""
    if not identity[1]:
        return ""
    if identity[0] != trail[0][0]:
        return "another file system is mounted here; not entered"
    return CIRCLE if identity in trail else ""
