"""What this room is given, and what it says when a message did not go out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from orchestrator.core.events import Event

Result = TypeVar("Result")


class InThread(Protocol):
    """Runs what blocks in a thread. Cancelling ends the wait; the thread ends by itself."""

    async def __call__(self, function: Callable[[], Result], /) -> Result:
        """The result of `function`, or what it raises."""


@dataclass(frozen=True, slots=True)
class Means:
    """Clock, chance, rest and threads, handed in by the roof. `emit` takes a Notice for the operator."""

    emit: Callable[[Event], None]
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    random: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    new_id: Callable[[], str]
    in_thread: InThread


class Undelivered(Exception):
    """A message did not go out. `cause` is plain and holds no secret; `hopeless` says that trying again does not help;
    `after` is how many seconds the other side asks to be left alone."""

    def __init__(self, cause: str, *, hopeless: bool = False, after: float = 0.0) -> None:
        super().__init__(cause)
        self.cause = cause
        self.hopeless = hopeless
        self.after = after
