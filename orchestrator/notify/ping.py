"""Dead man's switches: a monitor elsewhere raises the alarm when nothing comes, which a dead process cannot do.

Source: the ping API of healthchecks.io, which its kind has in common: GET for success, `/start` and `/fail` below it.
"""

from anyio import Event, fail_after, move_on_after

from orchestrator.core.announce import Announcement, Kind
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import Notice
from orchestrator.notify.http import Place, exchange
from orchestrator.notify.letters import Letter
from orchestrator.notify.means import Means, Undelivered

PING_WITHIN = 30.0
"""Seconds that one ping may take."""
PINGED = frozenset(Kind) - {Kind.DEADLINE_IN_DANGER}
"""A run that may be late has not failed yet."""


class Ping:
    """Tells the monitor of runs when one starts, when all went well, and when it did not."""

    def __init__(self, where: Place, means: Means) -> None:
        self._where = where
        self._means = means

    async def send(self, letter: Letter) -> None:
        """One GET, or none for what changes nothing."""
        step = step_of(letter.announcement)
        if step is not None:
            await exchange("GET", self._where.below(step) if step else self._where, self._means.clock())


def step_of(one: Announcement) -> str | None:
    """What comes behind the address: `start`, `fail`, nothing for success; None: no ping. Of a mount that is left while
    the run goes on, the end of the run tells."""
    if one.kind is Kind.STARTED:
        return "start"
    if one.kind in (Kind.COULD_NOT_START, Kind.MISSED):
        return "fail"
    if one.exit_code is None:
        return None
    return "" if one.exit_code == ExitCode.OK else "fail"


class Heartbeat:
    """Pings at once and then every so many seconds for as long as it is served: the watcher is alive."""

    linger = 0.0

    def __init__(self, where: Place, every: float, means: Means) -> None:
        self._where = where
        self._every = every
        self._means = means
        self._closed = False
        self._wake: Event | None = None
        self._down = False

    def close(self) -> None:
        """No ping any more."""
        self._closed = True
        if self._wake is not None:
            self._wake.set()

    async def serve(self) -> None:
        """Ping until closed. A ping that fails is told once, and the next one comes in its time."""
        self._wake = Event()
        while not self._closed:
            await self._ping()
            with move_on_after(self._every):
                await self._wake.wait()

    async def _ping(self) -> None:
        try:
            with fail_after(PING_WITHIN):
                await exchange("GET", self._where, self._means.clock())
            self._down = False
        except (Undelivered, TimeoutError) as failed:
            if not self._down:
                cause = failed.cause if isinstance(failed, Undelivered) else f"no answer within {PING_WITHIN:g} s"
                self._means.emit(Notice(self._means.clock(), f"ping of the watcher failed: {cause}"))
            self._down = True
