"""What the room is handed by the roof."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.core.events import Event
from orchestrator.core.limiting import LimitsNow, LimitWish
from orchestrator.core.snapshot import Snapshot


class Actions(Protocol):
    """What an operator may do. Each returns soon; what it begins may take its time. Raises OrchestratorError."""

    async def pause(self, paused: bool) -> None:
        """Let nothing new begin, or let it go on."""
        ...

    async def stop_run(self, run: str, now: bool) -> bool:
        """Drain one run, or cancel it `now`; False when no such run is going on."""
        ...

    async def sweep(self) -> str:
        """Begin to clear the mounts that were left; what comes of it, in a sentence."""
        ...


class Controls(Protocol):
    """What may be changed while a process works. Returns at once. Raises WordsError for a run that is not going on, and
    for a backup server that nobody knows."""

    def in_force(self) -> LimitsNow:
        """The limits, and the runs that are going on."""
        ...

    def change(self, wish: LimitWish, who: str) -> LimitsNow:
        """Change limits for `who`; how they are then."""
        ...

    def pause(self, run: str, paused: bool, who: str) -> bool:
        """Pause a run, or let it go on; whether that changes anything."""
        ...


Say = Callable[[str], None]
"""Takes what a person should know, in a sentence."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything that is shown comes from. The callables are called on the event loop and must not block.

    `ready` gives the reasons why the process is not ready, none when it is. `metrics` is given what the client accepts
    and gives the body and its content type. `place` names the machine. `tell` takes the events of this room.
    """

    snapshot: Callable[[], Snapshot]
    clock: Callable[[], datetime]
    tell: Callable[[Event], None]
    actions: Actions | None = None
    ready: Callable[[], Sequence[str]] = lambda: ()
    metrics: Callable[[str], tuple[bytes, str]] | None = None
    place: str = ""
