"""What is paid for the bytes that are copied, and how they are told of."""

import math
import time
from collections.abc import Callable

from anyio import from_thread

from orchestrator.engine.allowance import Allowance, Gate
from orchestrator.engine.ports import Checkpoint
from orchestrator.engine.pulse import Progress

REPORT_BYTES = 8 << 20
"""Inside a large file progress is told once for this many bytes."""

TELL_EVERY = 10.0
"""Seconds after which a thread that waits for bandwidth tells of what it has copied, however little."""

OWED = 128 << 10
"""Bytes that a thread copies before it asks leave for them: a thousand small files are not a thousand questions."""


class Toll:
    """What one batch pays for its bytes, and tells of them. `tell` takes bytes, on the event loop."""

    def __init__(self, allowance: Allowance, gate: Gate, pulse: Progress, tell: Callable[[int], None]) -> None:
        self._allowance = allowance
        self._gate = gate
        self._pulse = pulse
        self._tell = tell
        self._owed = self._untold = 0
        self._told = time.monotonic()

    @property
    def progress(self) -> Progress:
        """How far the thread is that pays."""
        return self._pulse

    def of(self, size: int, *, tells: bool = True) -> Checkpoint:
        """The checkpoint of a file of `size` bytes. While the run is paused it holds a large file that is not complete.
        What is only compared `tells` of no progress."""
        large = size >= REPORT_BYTES
        if not large and self._allowance.ahead == math.inf:
            return self._pulse.check
        at_once, left = tells and large, size
        if large:
            self._untold = 0

        def check(copied: int) -> None:
            nonlocal left
            self._pulse.check()
            self._owed += copied
            if tells:
                self._untold += copied
            left -= copied
            if self._owed >= OWED:
                self.pay()
            if at_once and self._untold >= REPORT_BYTES:
                self._tell_now()
            if left > 0 and self._gate.closed:
                self._gate.wait(self._still)

        return check

    def pay(self) -> None:
        """Wait until what was copied may have been. Raises Abandoned."""
        owed, self._owed = self._owed, 0
        self._allowance.take(owed, self._still)

    def _still(self) -> None:
        """Called while it waits: that is no stall, and what is under way is told of now and then."""
        self._pulse.check()
        if self._untold and time.monotonic() - self._told >= TELL_EVERY:
            self._tell_now()

    def _tell_now(self) -> None:
        from_thread.run_sync(self._tell, self._untold)
        self._untold, self._told = 0, time.monotonic()
