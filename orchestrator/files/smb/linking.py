"""Names on a share that are no copies: symbolic links with the text of the backup's, and further names of one file.

A link is made under a partial name, asked for again, and renamed: only what the server then tells counts. Many servers
refuse to make one, or let no account but an administrator's do it.
Source: MS-FSCC 2.1.2.4, 2.3.81 and 2.4.27, MS-SMB2 2.2.39.
"""

import errno
import os
from contextlib import suppress

from orchestrator.core.entries import FoundKind
from orchestrator.core.fidelity import NO_PROPERTIES, Properties
from orchestrator.core.paths import PathRefused, check_windows_name
from orchestrator.core.reparse import parse_point, symlink_point
from orchestrator.files.authors import ALONE, Author
from orchestrator.files.smb.asking import chain, granted
from orchestrator.files.smb.facts import link, rename
from orchestrator.files.smb.holding import HeldFolder, look
from orchestrator.files.smb.packets import (
    FILE_ONLY,
    FOLDER_ONLY,
    FOR_BACKUP,
    ITSELF,
    OPEN,
    REMOVE_ON_CLOSE,
    SHARE_ALL,
    close,
    create,
)
from orchestrator.files.smb.partial import facts_at, not_renamed
from orchestrator.files.smb.properties import link_at
from orchestrator.files.smb.queries import controlled, get_reparse_point, set_reparse_point
from orchestrator.files.smb.share import Live, join
from orchestrator.files.smb.status import NAME_TAKEN, NOT_A_LINK, OK, StatusError

_MAKE, _ALONE = 2, 0
_MAKE_LINK = 0x00110182  # write data, attributes, delete (which renames), synchronize
_LOOK, _REMOVE = 0x00100080, 0x00110080
_FOLDER = 0x10


def begin_link(live: Live, folder: HeldFolder, name: str, has: Properties, author: Author = ALONE) -> str | None:
    """Make the link of `has` under the partial name of `name`; its path below the share. None when no such link can be
    made there: Windows knows no such place, or the server refuses. OSError."""
    text = _text(has)
    if text is None:
        return None
    path = folder.at(author.partial(name))
    kind = FOLDER_ONLY if _leads_to_folder(live, folder, has, text) else FILE_ONLY
    opening = create(path, _MAKE_LINK, kind | ITSELF | FOR_BACKUP, _MAKE, _ALONE)
    requests = opening, set_reparse_point(point := symlink_point(text)), get_reparse_point(), close()
    answers = chain(live, *requests)
    if answers[0].status == NAME_TAKEN:  # a leftover of a run that was killed
        _remove(live, path)
        answers = chain(live, *requests)
    granted(answers[0], path)
    if all(answer.status == OK for answer in answers[1:3]):
        with suppress(OSError, ValueError):
            if parse_point(bytes(controlled(answers[2].message))) == parse_point(point):
                return path
    _remove(live, path)
    return None


def end_link(live: Live, folder: HeldFolder, path: str, name: str, *, replace: bool) -> None:
    """Give a link its name. FileExistsError when that is taken and not to be replaced; then the link is gone."""
    _renamed(live, path, folder.at(name), replace=replace)


def text_at(live: Live, path: str) -> str | None:
    """What the link at a path says; None when there is none that can be read. OSError."""
    try:
        return link_at(live, path, NO_PROPERTIES).link_to
    except StatusError as error:
        if error.status == NOT_A_LINK:
            return None
        raise


def name_again(live: Live, first: str, folder: HeldFolder, name: str, *, replace: bool, author: Author = ALONE) -> None:
    """Give the file at the path `first` the name `name` in `folder` too. OSError, FileExistsError among them."""
    if not replace:
        _named(live, first, folder.at(name))
        return
    if one_file(live, first, folder.at(name)):
        return  # servers rename no name of a file over another one of it
    path = folder.at(author.partial(name))
    try:
        _named(live, first, path)
    except FileExistsError:
        _remove(live, path)
        _named(live, first, path)
    _renamed(live, path, folder.at(name), replace=True)


def one_file(live: Live, one: str, other: str) -> bool:
    """Whether two paths are names of one file; never where a server tells no identities. OSError."""
    found = {told.identity if told else 0 for told in (facts_at(live, one), facts_at(live, other))}
    return len(found) == 1 and 0 not in found


def _named(live: Live, first: str, path: str) -> None:
    answers = chain(live, create(first, _LOOK, FILE_ONLY | ITSELF | FOR_BACKUP), link(path), close())
    for answer in answers[:-1]:
        if answer.status == NAME_TAKEN:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        granted(answer, path)


def _renamed(live: Live, path: str, final: str, *, replace: bool) -> None:
    opened, renamed, _ = chain(
        live, create(path, _REMOVE, ITSELF | FOR_BACKUP), rename(final, replace=replace), close()
    )
    try:
        granted(opened, path)
        if renamed.status != OK:
            raise not_renamed(live, final, renamed.status)
    except OSError:
        with suppress(OSError):
            _remove(live, path)
        raise


def _remove(live: Live, path: str) -> None:
    removing = create(path, _REMOVE, ITSELF | FOR_BACKUP | REMOVE_ON_CLOSE, OPEN, SHARE_ALL)
    granted(chain(live, removing, close())[0], path)


def _text(has: Properties) -> str | None:
    r"""The text of a link as Windows says it: `..\x`, `C:\x`, `\\server\share`. None where only POSIX knows such a
    place."""
    text = has.link_to or ""
    if has.link_is_foreign:
        return text
    if not text or text.startswith("/"):
        return None
    names = text.split("/")
    return None if any(not _fits(name) for name in names) else "\\".join(name for name in names if name)


def _fits(name: str) -> bool:
    if name in ("", ".", ".."):
        return True
    try:
        check_windows_name(name)
    except PathRefused:
        return False
    return True


def _leads_to_folder(live: Live, folder: HeldFolder, has: Properties, text: str) -> bool:
    """Whether a link is one to a folder, which Windows keeps apart from those to files: as the backup says, or else as
    what stands there by now."""
    if has.attributes is not None:
        return bool(has.attributes & _FOLDER)
    names = folder.path.split("\\") if folder.path else []
    for name in text.split("\\"):
        if name == "..":
            if not names:
                return False
            names.pop()
        elif name != ".":
            names.append(name)
    try:
        return look(live, join(*names)).kind is FoundKind.FOLDER
    except StatusError:
        return False
