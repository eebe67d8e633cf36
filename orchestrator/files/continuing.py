"""Large files that were interrupted: what is proved of them is kept under the partial name and gone on with.

What marks a partial file as one to go on with is its modification time: that of the backed-up file, which a file
that is being written never has. It holds whole blocks only. Before it is gone on with, all of it is read again for
the checksum, and its last block is compared with the share, so that a file of another restore point is not mixed in.
"""

import os
from collections.abc import Callable
from contextlib import suppress

from orchestrator.core.entries import Entry
from orchestrator.core.errors import FileError
from orchestrator.core.reasons import Reason
from orchestrator.files.checksums import Digest
from orchestrator.files.copying import own_buffer
from orchestrator.files.folder import Folder
from orchestrator.files.readers import Reader
from orchestrator.files.system import read_into

BLOCK = 8 << 20
"""Bytes. What is beyond the last whole block is copied again."""

FROM_SIZE = 64 << 20
"""Smaller files are quicker copied anew than proved."""

PASSING = frozenset({Reason.READ_ERROR, Reason.VANISHED, Reason.STALLED})
"""Failures of the share that say nothing against what has been read before."""


def worth_keeping(error: BaseException) -> bool:
    """Whether what was copied before `error` is as good as before: a cancel, or a share that went away."""
    return not isinstance(error, FileError) or error.reason in PASSING


def leave_behind(folder: Folder, partial: str, entry: Entry, block: int) -> bool:
    """Cut a partial file to whole blocks and mark it; False when there is nothing worth keeping. OSError."""
    descriptor = folder.reopen(partial)
    try:
        whole = os.fstat(descriptor).st_size // block * block
        if not 0 < whole < entry.size:
            return False
        os.ftruncate(descriptor, whole)
        folder.set_file_times(partial, descriptor, entry.mtime_ns)
        return True
    finally:
        os.close(descriptor)


def take_up(
    folder: Folder,
    partial: str,
    entry: Entry,
    reading: Reader,
    new_digest: Callable[[], Digest],
    block: int,
    check: Callable[[int], None],
) -> tuple[int, Digest, int] | None:
    """(descriptor at its end, digest so far, bytes it holds) of a partial file to go on with; None when there is
    none, or it is not what the share has. `reading` is left at the same place. `check` counts what is taken over."""
    with suppress(OSError):
        status = folder.status(partial)
        size = status.st_size
        if status.st_mtime_ns != entry.mtime_ns or not 0 < size < entry.size or size % block:
            return None
        descriptor = folder.reopen(partial)
        digest = new_digest()
        try:
            if _same_block(descriptor, reading, size - block, block) and _read_again(descriptor, digest, size, check):
                reading.seek(size)
                return descriptor, digest, size
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    with suppress(OSError):
        reading.seek(0)
    return None


def _same_block(ours: int, theirs: Reader, start: int, length: int) -> bool:
    os.lseek(ours, start, os.SEEK_SET)
    theirs.seek(start)
    buffer, left = own_buffer(), length
    while left > 0:
        piece = theirs.read(buffer)[:left]
        if not piece or piece != _read_exactly(ours, len(piece)):
            return False
        left -= len(piece)
    return True


def _read_exactly(descriptor: int, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := os.read(descriptor, length - len(data))):
        data += more
    return data


def _read_again(descriptor: int, digest: Digest, size: int, check: Callable[[int], None]) -> bool:
    """Whether all `size` bytes could be read; the descriptor is then at its end."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    buffer, done = own_buffer(), 0
    view = memoryview(buffer)
    while count := read_into(descriptor, buffer):
        digest.update(view[:count])
        done += count
        check(count)
    return done == size
