"""The one place where a request is tried again, and only one that is safe to repeat.

Full jitter, `Retry-After` as seconds or as a date, and a deadline over all attempts that is never slept past.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from orchestrator.core.errors import EmBusy, EmFault, EmUnreachable
from orchestrator.core.pauses import full_jitter, retry_after
from orchestrator.enterprise_manager.wire.exchange import Reply

Sleep = Callable[[float], Awaitable[None]]
"""Sleeps so many seconds."""
Random = Callable[[], float]
"""A number in [0, 1)."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_SERVER_FAULTS = frozenset({500, 502, 504})
# A 500 is more often a question EM cannot answer than an outage, so patience for it is short.
_FAULT_ATTEMPTS = 4


class Retrying:
    """Repeats until it works, until the failure is one that repeating does not cure, or until time is up."""

    def __init__(
        self,
        retry_for: float,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        random: Random,
        sleep: Sleep,
    ) -> None:
        self._retry_for = retry_for
        self._clock = clock
        self._monotonic = monotonic
        self._random = random
        self._sleep = sleep

    async def repeat(self, attempt: Callable[[], Awaitable[Reply]]) -> Reply:
        """The reply of the first attempt that works, else the error of the last."""
        begun = self._monotonic()

        def late(state: RetryCallState) -> bool:
            return self._monotonic() - begun + state.upcoming_sleep > self._retry_for or _hopeless(state)

        retrying = AsyncRetrying(
            sleep=self._sleep,
            wait=self._pause,
            stop=late,
            retry=retry_if_exception(_curable),
            reraise=True,
        )
        return await retrying(attempt)

    def _pause(self, state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        said = str(failed.facts.get("retry_after", "")) if isinstance(failed, EmBusy) else ""
        pause = full_jitter(state.attempt_number, self._random(), _FIRST_PAUSE, _LONGEST_PAUSE)
        return retry_after(said, self._clock()) + pause


def _curable(failed: BaseException) -> bool:
    if isinstance(failed, EmFault):
        return failed.facts.get("status") in _SERVER_FAULTS
    return isinstance(failed, EmUnreachable | EmBusy)


def _hopeless(state: RetryCallState) -> bool:
    failed = state.outcome.exception() if state.outcome else None
    return isinstance(failed, EmFault) and state.attempt_number >= _FAULT_ATTEMPTS
