"""One channel's post office: what waits, what is tried again, what is given up."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from anyio import Event, fail_after, move_on_after
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from orchestrator.core.announce import Announcement, Gathering, Kind
from orchestrator.core.events import Notice
from orchestrator.core.pauses import full_jitter
from orchestrator.notify.letters import Letter, Writer
from orchestrator.notify.means import Means, Undelivered
from orchestrator.views.units import count, duration

QUEUE_LIMIT = 1000
"""Messages that may wait on one channel; then the eldest are dropped."""
ATTEMPTS = 20
"""How often one message is tried at most, however quickly the attempts fail."""
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 120.0


class Channel(Protocol):
    """A way out."""

    async def send(self, letter: Letter) -> None:
        """Return when the other side has taken the letter; Undelivered when it has not."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What a channel takes. `jobs` are globs of job names; durations in seconds, as in the config."""

    kinds: frozenset[Kind]
    jobs: Sequence[str] = ("*",)
    timeout: float = 30.0
    retry_for: float = 600.0
    linger: float = 10.0

    def takes(self, one: Announcement) -> bool:
        """Whether this channel is told of it."""
        return one.kind in self.kinds and any(fnmatchcase(one.job, glob) for glob in self.jobs)


class Delivery:
    """Sends one message after the other on one channel, so that they arrive in order; a channel that is down holds up
    no other. `linger` is how many seconds the end of a command may wait for it."""

    def __init__(self, name: str, channel: Channel, writer: Writer, wants: Wants, means: Means) -> None:
        self.name = name
        self.linger = wants.linger
        self._channel = channel
        self._writer = writer
        self._wants = wants
        self._means = means
        self._gathering = Gathering()
        self._waiting: deque[Announcement] = deque()
        self._in_hand = 0
        self._wake: Event | None = None
        self._closed = False
        self._down = False
        self._full = False

    def add(self, announcement: Announcement) -> None:
        """Take what this channel wants to know, whether or not anybody serves yet. Never blocks."""
        if not self._closed and self._wants.takes(announcement):
            self._enqueue(self._gathering.add(announcement))
            self._stir()

    def close(self) -> None:
        """Nothing comes any more: `serve` returns when everything that waits is through."""
        if not self._closed:
            self._closed = True
            self._enqueue(self._gathering.rest(self._means.clock()))
            self._stir()

    async def serve(self) -> None:
        """Deliver until closed. What is left when this is cancelled is told."""
        try:
            while (announcement := await self._next()) is not None:
                self._in_hand = 1
                try:
                    await self._deliver(announcement)
                except Exception as error:
                    # A mistake in here costs a message, and neither the next one nor the run that it is about.
                    self._tell(f"not delivered: a mistake in orchestrator ({type(error).__name__})")
                self._in_hand = 0
        finally:
            if left := len(self._waiting) + self._in_hand:
                self._tell(f"{count(left, 'message')} not delivered before the end")

    async def try_once(self, announcement: Announcement) -> None:
        """One attempt, now; Undelivered when it fails."""
        await self._attempt(await self._writer.write(self._means.new_id(), announcement))

    def _enqueue(self, announcements: Iterable[Announcement]) -> None:
        for one in announcements:
            self._waiting.append(one)
            if len(self._waiting) > QUEUE_LIMIT:
                self._waiting.popleft()
                if not self._full:
                    self._full = True
                    self._tell(f"more than {QUEUE_LIMIT:,} messages wait; the eldest are dropped")

    def _stir(self) -> None:
        if self._wake is not None:
            self._wake.set()

    async def _next(self) -> Announcement | None:
        while True:
            now = self._means.clock()
            self._enqueue(self._gathering.due(now))
            if self._waiting:
                return self._waiting.popleft()
            self._full = False
            if self._closed:
                return None
            wake = self._gathering.wake
            self._wake = Event()
            with move_on_after(max(0.0, (wake - now).total_seconds()) if wake else None):
                await self._wake.wait()

    async def _deliver(self, announcement: Announcement) -> None:
        letter = await self._writer.write(self._means.new_id(), announcement)
        begun = self._means.monotonic()
        tries = 0

        async def attempt() -> None:
            nonlocal tries
            tries += 1
            await self._attempt(letter)

        def late(state: RetryCallState) -> bool:
            over = self._means.monotonic() - begun + state.upcoming_sleep > self._wants.retry_for
            return over or state.attempt_number >= ATTEMPTS

        retrying = AsyncRetrying(
            sleep=self._means.sleep,
            wait=self._pause,
            stop=late,
            retry=retry_if_exception(lambda failed: isinstance(failed, Undelivered) and not failed.hopeless),
            reraise=True,
        )
        try:
            await retrying(attempt)
        except Undelivered as failed:
            if not self._down:  # told once for as long as the channel is down
                spent = duration(self._means.monotonic() - begun)
                tried = count(tries, "try", "tries")
                self._tell(f"not delivered after {tried} in {spent}: {failed.cause}. The next message is tried again")
            self._down = True
        else:
            self._down = False

    async def _attempt(self, letter: Letter) -> None:
        try:
            with fail_after(self._wants.timeout):
                await self._channel.send(letter)
        except TimeoutError as cause:
            raise Undelivered(f"no answer within {self._wants.timeout:g} s") from cause

    def _pause(self, state: RetryCallState) -> float:
        failed = state.outcome.exception() if state.outcome else None
        asked = failed.after if isinstance(failed, Undelivered) else 0.0
        return asked + full_jitter(state.attempt_number, self._means.random(), FIRST_PAUSE, LONGEST_PAUSE)

    def _tell(self, what: str) -> None:
        self._means.emit(Notice(self._means.clock(), f"notifications: {self.name}: {what}"))
