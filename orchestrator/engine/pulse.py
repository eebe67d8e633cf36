"""A thread as the event loop sees it: how far it is, and when it last moved."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CancelScope, sleep

Result = TypeVar("Result")


_HERE = threading.local()


class Abandoned(BaseException):
    """Raised in a thread that nobody waits for any more. Not an error, like a cancellation."""


@dataclass(slots=True, eq=False)
class Progress:
    """How far a thread is, written by it; `over` is set at its end. `abandoned` tells it that nobody waits any more.

    `last` is None until the thread has begun: to wait for a free thread is no stall. `reached` counts the entries that
    the thread is through with.
    """

    last: float | None = None
    reached: int = 0
    over: bool = False
    gave_way: bool = False
    abandoned: bool = False

    def beat(self) -> None:
        """The thread is getting on."""
        self.last = time.monotonic()
        _HERE.progress = self

    def check(self, done: int = 0) -> None:
        """The thread is getting on, with `done` bytes; Abandoned when it is to end."""
        if self.abandoned:
            raise Abandoned
        self.beat()


def beat_here() -> None:
    """Whatever this thread is at, it is getting on: for who waits in it for a machine that is at work, and has not been
    handed the beat."""
    progress: Progress | None = getattr(_HERE, "progress", None)
    if progress is not None:
        progress.beat()


@dataclass(slots=True, eq=False)
class Patience:
    """How many seconds without a move are waited for, once it is `short`: when others wait who could go on."""

    seconds: float
    short: bool = False


@dataclass(slots=True, eq=False)
class Pulse(Progress):
    """The progress of a thread that the loop waits for. `scope` ends the wait."""

    scope: CancelScope = field(default_factory=CancelScope)
    stalled: bool = False

    def run(self, call: Callable[[Callable[[], None]], Result]) -> Result:
        """In the thread: `call`, given the beat."""
        self.beat()
        try:
            return call(self.beat)
        finally:
            self.over = True

    async def watch(self, stall: float, patience: "Patience | None" = None) -> None:
        """Until it is cancelled: end the wait when the thread has not moved for `stall` seconds, or for as long as
        there is patience."""
        patience = patience or Patience(stall)
        while True:
            await sleep(min(stall, patience.seconds) / 4)
            self.give_up_if_stalled(patience.seconds if patience.short else stall)

    def give_up_if_stalled(self, after: float) -> None:
        """End the wait when the thread has not moved for `after` seconds: a read on a dead share may never return."""
        if not self.over and self.last is not None and time.monotonic() - self.last > after:
            self.stalled = True
            self.scope.cancel()
