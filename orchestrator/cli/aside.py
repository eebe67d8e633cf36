"""Takers that may block, each beside the run: a held terminal, a pipe nobody reads or a dead disk stops nothing else.

What a sink does with an event (write a line, append to a file, send a datagram) happens in a thread of its own. The
event loop only hands over, and never waits.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from orchestrator.cli.speaking import tell

Item = TypeVar("Item")

TELL_WITHIN = 1.0
"""Seconds that the last words about a sink may take: stderr may be what hangs."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How much waits for a taker that is slow, in items, and how long the end of a command waits for it, in seconds."""

    items: int
    seconds: float


LOSSY = Patience(items=1_000, seconds=2.0)
"""For terminals and logs: the newest lines are worth more than the whole."""

LOSSLESS = Patience(items=100_000, seconds=10.0)
"""For files and trails, in which nothing may be missing: many millions of files fit, and a slow disk is waited for."""


class Aside(Generic[Item]):
    """Runs `take`, which may block, on a thread of its own while this is open.

    Items are taken in the order in which they were added. When more than `patience.items` wait, the oldest give way;
    where they are missing, `take` gets what `gap` makes of their number. `close` is called last, on the same thread.
    A taker that raises is told of once, on stderr, and gets no more; it never ends the run.
    """

    def __init__(
        self,
        take: Callable[[Item], None],
        name: str,
        *,
        gap: Callable[[int], Item],
        patience: Patience = LOSSY,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._take = take
        self._name = name
        self._gap = gap
        self._patience = patience
        self._close = close
        self._change = threading.Condition()
        self._waiting: deque[Item] = deque()
        self._lost = 0
        self._open = True
        self._broken = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits until all is taken, but not for ever; what is not taken then never will be, and is told of."""
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(self._patience.seconds)
        if self._thread.is_alive():
            with self._change:
                missing = self._lost + len(self._waiting) + 1  # and the one that it is at
                self._waiting.clear()
                self._lost = 0
            hangs = f"{self._name}: does not get on; {missing:,} not written when the run ended"
            bounded(lambda: tell(hangs), TELL_WITHIN)

    def add(self, item: Item) -> None:
        """Hand over one item. Never blocks and raises nothing."""
        with self._change:  # held for a hand-over only, never while `take` is at work
            if self._broken or not self._open:
                return
            if len(self._waiting) >= self._patience.items:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(item)
            self._change.notify()

    def _work(self) -> None:
        try:
            while (items := self._next()) is not None:
                for item in items:
                    self._take(item)
        except Exception as error:
            with self._change:
                self._broken = True
                self._waiting.clear()
            cause = getattr(error, "strerror", None) or error
            tell(f"{self._name}: cannot be written any more: {cause}; the run goes on without it")
        finally:
            if self._close is not None:
                self._close()

    def _next(self) -> list[Item] | None:
        """The next item, after word of those that are missing before it; None at the end."""
        with self._change:
            while not self._waiting and self._open:
                self._change.wait()
            if not self._waiting:
                return None
            lost, self._lost = self._lost, 0
            item = self._waiting.popleft()
        return [self._gap(lost), item] if lost else [item]


def bounded(function: Callable[[], None], seconds: float) -> bool:
    """Call what may block for ever; whether it came back within `seconds`. If not, it is left behind in its thread."""
    thread = threading.Thread(target=function, name="bounded", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
