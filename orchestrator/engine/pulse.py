"""A thread that copies, as the event loop sees it: what it is at, and when it last moved."""

import time
from dataclasses import dataclass, field

from anyio import CancelScope

from orchestrator.engine.walking import Work


@dataclass(slots=True, eq=False)
class Pulse:
    """Written by the thread, read by the loop. `scope` ends the wait for the thread; `over` is set by the thread."""

    scope: CancelScope = field(default_factory=CancelScope)
    last: float = field(default_factory=time.monotonic)
    current: Work | None = None
    over: bool = False
    stalled: bool = False

    def beat(self) -> None:
        """The thread is getting on."""
        self.last = time.monotonic()

    def begin(self, work: Work) -> None:
        """The thread turns to the next entry."""
        self.current = work
        self.last = time.monotonic()

    def give_up_if_stalled(self, after: float) -> None:
        """End the wait when the thread has not moved for `after` seconds: a read on a dead share may never return."""
        if not self.over and time.monotonic() - self.last > after:
            self.stalled = True
            self.scope.cancel()
