"""Two files byte for byte, where what stands at the target is on a share."""

from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.files.copying import changed, own_buffer
from orchestrator.files.readers import Reader
from orchestrator.files.translate import Side, Translating


def same_bytes(source: Reader, target: Reader, entry: Entry, check: Callable[[int], None]) -> bool:
    """Whether `target` holds the bytes of the backed-up file `entry`. `check` is called with the bytes of each piece.
    FileError of the side that cannot be read, and with CHANGED when the source is no longer of its size."""
    buffer, read, ahead = own_buffer(), 0, b""
    while True:
        with Translating(Side.SOURCE, entry.relative):
            chunk = source.read(buffer)
        read += len(chunk)
        if read > entry.size or (not chunk and read < entry.size):
            raise changed(entry.relative, entry.size, read)
        with Translating(Side.TARGET, entry.relative):
            while len(ahead) < max(1, len(chunk)) and (piece := target.read(bytearray())):
                ahead += piece
        check(len(chunk))
        if ahead[: len(chunk)] != chunk:
            return False
        if not chunk:
            return not ahead
        ahead = ahead[len(chunk) :]
