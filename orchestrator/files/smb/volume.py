"""What is asked of a share besides its files: the room on it, its letter case, and that it writes to its disk."""

import os
from collections.abc import Sequence
from contextlib import suppress

from orchestrator.core.entries import FoundKind
from orchestrator.files.probing import PARTIAL_SUFFIX
from orchestrator.files.smb.asking import asked, chain, granted, settled
from orchestrator.files.smb.facts import ask_room, room
from orchestrator.files.smb.holding import look
from orchestrator.files.smb.packets import (
    FILE_ONLY,
    FOLDER_ONLY,
    FOR_BACKUP,
    ITSELF,
    REMOVE_ON_CLOSE,
    Request,
    close,
    create,
    created,
    flush,
)
from orchestrator.files.smb.share import Live, Share, join

_LOOK, _WRITE, _PROBE = 0x00100080, 0x00100002, 0x00110080
_MAKE = 2


def asked_at(live: Live, path: str, access: int, options: int, *more: Request) -> None:
    """Open what is at a path, send `more` on, close it. OSError when any of it is refused."""
    for answer in chain(live, create(path, access, options | FOR_BACKUP), *more, close())[:-1]:
        granted(answer, path)


def room_at(live: Live, path: str) -> int:
    """Bytes free for the account at a folder. OSError."""
    first, told, _ = chain(live, create(path, _LOOK, FOLDER_ONLY | FOR_BACKUP), ask_room(), close())
    granted(first, path)
    return room(told, path)


def folds_case(live: Live, folder: str) -> bool:
    """Whether a folder takes names that differ only in letter case for one. OSError when that cannot be tried."""
    name = f".case-{os.urandom(8).hex()}{PARTIAL_SUFFIX}"
    options = FILE_ONLY | ITSELF | REMOVE_ON_CLOSE
    handle = created(granted(asked(live, create(join(folder, name), _PROBE, options, _MAKE)), name).message).handle
    try:
        return look(live, join(folder, name.upper())).kind is not FoundKind.NOTHING
    finally:
        live.connection.ask([close(handle)])


def flush_all(files: Sequence[tuple[Share, str]]) -> None:
    """Have files flushed by name, all under way at once. One that somebody has taken away meanwhile needs it no
    more."""
    under_way = []
    for share, path in files:
        live = share.live()
        exchange = live.connection.ask([create(path, _WRITE, FILE_ONLY | ITSELF | FOR_BACKUP), flush(), close()])
        under_way.append((path, live, exchange))
    for path, live, exchange in under_way:
        with suppress(FileNotFoundError):
            for answer in settled(live, exchange)[:-1]:
                granted(answer, path)
