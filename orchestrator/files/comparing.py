"""Two files byte for byte: the backed-up one, and what stands at the target."""

import os
from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.files.copying import changed, own_buffer
from orchestrator.files.readers import Reader
from orchestrator.files.translate import Side, file_error


def same_bytes(source: Reader, target: int, entry: Entry, check: Callable[[int], None]) -> bool:
    """Whether a descriptor holds the bytes of the backed-up file `entry`. `check` is called with the bytes of each
    piece. FileError of the side that cannot be read, and with CHANGED when the source is no longer of its size."""
    buffer, read = own_buffer(), 0
    while True:
        try:
            chunk = source.read(buffer)
        except OSError as error:
            raise file_error(error, Side.SOURCE, entry.relative) from error
        read += len(chunk)
        if read > entry.size or (not chunk and read < entry.size):
            raise changed(entry.relative, entry.size, read)
        try:
            alike = _goes_on_with(target, chunk)
        except OSError as error:
            raise file_error(error, Side.TARGET, entry.relative) from error
        check(len(chunk))
        if not alike or not chunk:
            return alike


def _goes_on_with(target: int, chunk: memoryview) -> bool:
    """Whether the next bytes of a file are those of `chunk`; at an empty one, whether it has come to its end."""
    done = 0
    while done < len(chunk):
        data = os.read(target, len(chunk) - done)
        if not data or data != chunk[done : done + len(data)].tobytes():
            return False
        done += len(data)
    return bool(chunk) or not os.read(target, 1)
