"""How files come that a share was asked for ahead."""

from collections.abc import Callable
from typing import NamedTuple


def _not_at_all() -> float:
    return 0.0


class Coming(NamedTuple):
    """`round_trip` is the time in seconds of the shortest round trip to the share so far, None while none was timed.
    `waited` tells for how many seconds in all the thread that asks has waited for answers of shares."""

    round_trip: float | None = 0.0
    waited: Callable[[], float] = _not_at_all


AT_HAND = Coming()
"""Files that are read when they are opened."""
