"""What a group has already settled, small enough for a million files: eight bytes a path."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

_MASK = (1 << 64) - 1
_SHELVES = 256
"""Hashes are sorted shelf by shelf: to sort all of them at once would take five times their room."""


class Settled:
    """A set of guest paths by hash. A false hit is as likely as two 64-bit hashes meeting, and only hides a count."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._shelves = [array("Q") for _ in range(_SHELVES)]
        for path in paths:
            number = hash(path) & _MASK
            self._shelves[number % _SHELVES].append(number)
        for place, shelf in enumerate(self._shelves):
            self._shelves[place] = array("Q", sorted(shelf))

    def __contains__(self, path: str) -> bool:
        wanted = hash(path) & _MASK
        shelf = self._shelves[wanted % _SHELVES]
        place = bisect_left(shelf, wanted)
        return place < len(shelf) and shelf[place] == wanted

    def __len__(self) -> int:
        return sum(map(len, self._shelves))
