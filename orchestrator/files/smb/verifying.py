"""Reading a copy on a share again."""

import errno
import os
from collections.abc import Callable

from orchestrator.core.entries import Entry, EntryKind, FoundKind
from orchestrator.core.fidelity import NO_PROPERTIES
from orchestrator.files.checksums import Algorithm, new_digest
from orchestrator.files.smb.holding import look
from orchestrator.files.smb.pieces import PiecesReader
from orchestrator.files.smb.share import Share
from orchestrator.files.translate import Side, Translating


def verify_file(
    share: Share, name: str, path: str, algorithm: Algorithm, check: Callable[[int], None]
) -> tuple[int, str]:
    """(size in bytes, checksum) of the file `name` of a share, read anew; `path` is its whole path. `check` is called
    with the bytes of each chunk.

    FileError when it cannot be read, is no file any more, or changes its size meanwhile.
    """
    digest, size = new_digest(algorithm)(), 0
    with Translating(Side.SOURCE, path):
        found = share.again(lambda live: look(live, name))
        if found.kind is FoundKind.NOTHING:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if found.kind is not FoundKind.FILE:
            raise IsADirectoryError(errno.EISDIR, "not a file any more", path)
        reader = PiecesReader(share, name, Entry(path, EntryKind.FILE, found.size), lambda: NO_PROPERTIES)
        try:
            while piece := reader.read(bytearray()):
                digest.update(piece)
                size += len(piece)
                check(len(piece))
        finally:
            reader.close()
    return size, digest.hexdigest()
