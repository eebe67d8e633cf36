"""What a group has already settled, small enough for a million files: eight bytes a path."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

_MASK = (1 << 64) - 1


class Settled:
    """A set of guest paths by hash. A false hit is as likely as two 64-bit hashes meeting, and only hides a count."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._hashes = array("Q", sorted(array("Q", (hash(path) & _MASK for path in paths))))

    def __contains__(self, path: str) -> bool:
        wanted = hash(path) & _MASK
        place = bisect_left(self._hashes, wanted)
        return place < len(self._hashes) and self._hashes[place] == wanted

    def __len__(self) -> int:
        return len(self._hashes)
