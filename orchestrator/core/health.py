"""How a backup server is doing, and what it is given: a circuit breaker and a limit that follows its answers.

A server whose mounts keep failing is paused, then tried with one mount (half open); when that fails too it is paused
for longer, and after PROBES such tries its groups fail without being tried. A slow or failing server is given half
its mounts, a good answer gives one back (additive increase, multiplicative decrease: Chiu and Jain, 1989).

Times are seconds on any clock that never goes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

TRIP_AFTER = 3
"""Failures in a row that open the breaker: one may be that machine's backup, three are the server."""

PAUSE = 60.0
PAUSE_MOST = 600.0
PROBES = 3
SLOW_FACTOR = 4.0
"""A mount this much slower than the server's usual one is a sign of load."""

SLOW_AT_LEAST = 30.0
"""Seconds below which no mount is called slow, whatever the others took."""


class Circuit(Enum):
    """Whether a server is given mounts: freely, not now, or one to try."""

    CLOSED = "closed"
    OPEN = "open"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one server. `share` is its part of the configured mounts, 0 to 1."""

    failures: int = 0
    trips: int = 0
    until: float = 0.0
    share: float = 1.0
    usual: float = 0.0
    circuit: Circuit = Circuit.CLOSED

    def mounts(self, configured: int, now: float) -> int:
        """How many mounts may be open at once just now."""
        if self.circuit is Circuit.GIVEN_UP:
            return 0
        if self.circuit is Circuit.OPEN:
            return 1 if now >= self.until else 0
        return max(1, int(configured * self.share + 1e-9))


def mounted(health: Health, seconds: float, configured: int) -> Health:
    """The server after a mount that took `seconds`."""
    slow = health.usual > 0 and seconds > max(SLOW_AT_LEAST, SLOW_FACTOR * health.usual)
    share = health.share / 2 if slow else min(1.0, health.share + 1 / configured)
    usual = seconds if health.usual == 0 else 0.8 * health.usual + 0.2 * seconds
    return Health(share=share, usual=usual)


def failed(health: Health, now: float) -> Health:
    """The server after a mount that failed."""
    failures = health.failures + 1
    weaker = replace(health, failures=failures, share=health.share / 2)
    if health.circuit is Circuit.CLOSED and failures < TRIP_AFTER:
        return weaker
    if health.circuit is Circuit.OPEN and now < health.until:
        return weaker  # under way when the breaker opened: part of the same trouble, not a try of its own
    trips = health.trips + 1
    if trips > PROBES:
        return replace(weaker, trips=trips, circuit=Circuit.GIVEN_UP)
    pause = min(PAUSE * 2 ** (trips - 1), PAUSE_MOST)
    return replace(weaker, trips=trips, until=now + pause, circuit=Circuit.OPEN)


def next_change(servers: Mapping[str, Health], now: float) -> float | None:
    """Seconds until a paused server may be tried; None when none is paused."""
    waits = [one.until - now for one in servers.values() if one.circuit is Circuit.OPEN and one.until > now]
    return min(waits, default=None)
