"""The bytes of one file from one descriptor to another, counted, checksummed and stoppable."""

import errno
import threading
from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.core.errors import FileError
from orchestrator.core.reasons import Reason
from orchestrator.files.checksums import Digest
from orchestrator.files.holes import ZEROS, leave_hole
from orchestrator.files.readers import Reader
from orchestrator.files.system import write_all
from orchestrator.files.translate import Side, file_error

BUFFER = 1 << 20
"""Bytes read at once: large enough for big files, small enough for every thread to have one."""


class _Own(threading.local):
    buffer: bytearray | None = None


_own = _Own()


def own_buffer() -> bytearray:
    """The calling thread's buffer: clearing a new one for every small file would cost more than copying it."""
    own = _own
    if own.buffer is None:
        own.buffer = bytearray(BUFFER)
    return own.buffer


def free_buffers() -> None:
    """Let go of the buffers of all threads, which may wait for long until there is something to copy again. One that
    is being used stays until its copy is over."""
    global _own
    _own = _Own()


def copy_bytes(
    source: Reader,
    target: int,
    buffer: bytearray,
    entry: Entry,
    digest: Digest,
    check: Callable[[int], None],
    done: int = 0,
) -> None:
    """Copy to the end of the source, of which `done` bytes have been copied before. `check` is called with the bytes
    of each chunk, after they are written.

    FileError with CHANGED when the source holds more or less than `entry.size` bytes; reading stops at once when it
    has grown beyond that.
    """
    relative, size = entry.relative, entry.size
    copied = done
    while True:
        try:
            chunk = source.read(buffer)
        except OSError as error:
            raise file_error(error, Side.SOURCE, relative) from error
        count = len(chunk)
        copied += count
        if not count or copied > size:
            break
        digest.update(chunk)
        try:
            if chunk.obj is ZEROS:
                leave_hole(target, count)
            else:
                write_all(target, chunk)
        except OSError as error:
            raise file_error(error, Side.TARGET, relative) from error
        check(count)
        if copied == size and count < len(buffer):
            return  # A regular file gives less than it is asked for only at its end, so it need not be asked again.
    if copied != size:
        raise changed(relative, size, copied)


def changed(relative: str, listed: int, read: int) -> FileError:
    """The error of a file whose size is not what the walk saw."""
    more = "more than " if read > listed else ""
    what = f"listed with {listed} bytes, read {more}{min(read, listed) if more else read}; {Reason.CHANGED.action}"
    return FileError(reason=Reason.CHANGED, guest_path=relative, what=what)


def taken(relative: str) -> OSError:
    """The error of a target that another copy of this run is writing."""
    return FileExistsError(errno.EEXIST, "another copy of this run is writing the same file", relative)
