"""Removing a folder of a share with all that is in it."""

import errno
import os
from collections.abc import Sequence

from orchestrator.core.entries import FoundKind
from orchestrator.files.smb.asking import asked, granted, settled
from orchestrator.files.smb.folders import listed
from orchestrator.files.smb.holding import look
from orchestrator.files.smb.listing import Child
from orchestrator.files.smb.packets import FOR_BACKUP, ITSELF, REMOVE_ON_CLOSE, Request, close, create
from orchestrator.files.smb.partial import make_writable
from orchestrator.files.smb.share import Live, Share, join
from orchestrator.files.smb.status import CANNOT_DELETE
from orchestrator.files.walk import Beat

AT_ONCE = 64

_REMOVE = 0x00110080


def remove_tree(share: Share, folder: str, beat: Beat) -> int:
    """Remove `folder`, a path below the share; the number of files, 0 when it is not there. A link below it is removed
    and not followed; one in its own place is an error. OSError when something stays."""
    live = share.live()
    found = look(live, folder)
    if found.kind is FoundKind.NOTHING:
        return 0
    if found.kind is not FoundKind.FOLDER:
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder, or a link", folder)
    return _emptied(live, folder, beat)


def _emptied(live: Live, folder: str, beat: Beat) -> int:
    files, ahead = 0, [(folder, False)]
    while ahead:
        path, emptied = ahead.pop()
        if emptied:
            _remove_folder(live, path)
            continue
        found = listed(live, path, beat)
        others = [child for child in found if not child.folder or child.link]
        for at in range(0, len(others), AT_ONCE):
            _remove(live, path, others[at : at + AT_ONCE])
            beat()
        files += sum(not child.folder for child in others)
        ahead.append((path, True))
        ahead.extend((join(path, child.name), False) for child in found if child.folder and not child.link)
    return files


def _remove_folder(live: Live, folder: str) -> None:
    granted(asked(live, _removing(folder), close()), folder)
    if look(live, folder).kind is not FoundKind.NOTHING:
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), folder)


def _remove(live: Live, folder: str, children: Sequence[Child]) -> None:
    under_way = [
        (join(folder, one.name), live.connection.ask([_removing(join(folder, one.name)), close()])) for one in children
    ]
    for path, exchange in under_way:
        answer = settled(live, exchange)[0]
        if answer.status == CANNOT_DELETE and make_writable(live, path, writable=True):
            answer = asked(live, _removing(path), close())
        granted(answer, path)


def _removing(path: str) -> Request:
    return create(path, _REMOVE, ITSELF | FOR_BACKUP | REMOVE_ON_CLOSE)
