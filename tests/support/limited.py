"""Processes whose limits are changed while they work, on a clock that only waiting for bandwidth moves."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from orchestrator import app as roof
from orchestrator.core.events import Event
from orchestrator.core.limiting import LimitWish
from orchestrator.engine import seats
from orchestrator.engine.allowance import Bandwidth
from orchestrator.engine.controls import Controls
from orchestrator.simulator import Estate
from tests.support.chaos import Fate

FILE = 10_000


class Waited:
    """The clock of `Bandwidth`: seconds go by only when a thread waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> float:
        return self.now

    def nap(self, condition: threading.Condition, seconds: float) -> None:
        self.now += seconds
        condition.wait(0)


@contextmanager
def waiting_is_quick() -> Iterator[Waited]:
    """Whoever waits for bandwidth in here does not really wait."""
    clock = Waited()
    with mock.patch.object(seats, "Bandwidth", partial(Bandwidth, clock.read, clock.nap)):
        yield clock


class Operator:
    """Acts on the controls of a process, on its event loop: when an event comes that `when` holds true of, once."""

    def __init__(self, when: Callable[[Event], bool], act: Callable[["Operator", Event], object]) -> None:
        self._when, self._act = when, act
        self.controls: Controls | None = None
        self.acted = False

    @contextmanager
    def at_work(self, fate: Fate) -> Iterator["Operator"]:
        """Present while a process lives with `fate`."""
        made = roof.Seats

        def kept(*words: Any) -> seats.Seats:
            found = made(*words)
            self.controls = found.controls
            return found

        fate.listen = self._hear
        with mock.patch.object(roof, "Seats", kept):
            yield self

    def _hear(self, event: Event) -> None:
        if not self.acted and self._when(event):
            self.acted = True
            self._act(self, event)

    def change(self, **wish: Any) -> None:
        """Change limits."""
        assert self.controls is not None
        self.controls.change(LimitWish(**wish), "uid 7")

    def pause(self, paused: bool = True) -> None:
        """Pause the only run there is, or let it go on."""
        assert self.controls is not None
        [run] = [one.run for one in self.controls.in_force().runs]
        self.controls.pause(run, paused, "uid 7")


def small_files(folder: Path, count: int = 200, machines: int = 1) -> Estate:
    """Machines with many files of FILE bytes."""
    made = Estate.empty(folder)
    for machine in range(1, machines + 1):
        files: dict[str, bytes | None] = {f"Data/{number % 7}/{number}.bin": b"x" * FILE for number in range(count)}
        made.add_machine(f"fs0{machine}", points=[{"C:": files}])
    return made


def large_files(folder: Path, count: int = 1, size: int = 3 << 20) -> Estate:
    """A machine with a few files that take more than one look."""
    made = Estate.empty(folder)
    files: dict[str, bytes | None] = {f"Data/{number}.bin": bytes([number]) * size for number in range(count)}
    made.add_machine("fs01", points=[{"C:": files}])
    return made
