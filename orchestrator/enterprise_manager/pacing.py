"""Manners: a cap on the requests to one EM, because EM gives no sign of load before it answers 503."""

from collections.abc import Callable

from orchestrator.enterprise_manager.retrying import Sleep


class Pacer:
    """At most `rate` requests a second over time, with a burst of one second's worth (a token bucket)."""

    def __init__(self, rate: float, *, monotonic: Callable[[], float], sleep: Sleep) -> None:
        self._rate = rate
        self._burst = max(1.0, rate)
        self._monotonic = monotonic
        self._sleep = sleep
        self._tokens = self._burst
        self._at = monotonic()

    async def turn(self) -> None:
        """Return when the caller may send. Whoever asks first goes first."""
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1.0
        self._at = now
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._rate)
