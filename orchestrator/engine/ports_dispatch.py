"""Who works on the mount groups of a run, in the engine's own words; see `ports`.

A unit of work is one mount group. Mount, copies and DELETE are one attempt at it, by one process under one logon
session: nothing of it is ever handed on in the middle.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

from orchestrator.core.plan import MountGroup
from orchestrator.engine.controls import RunControl


class Turn(Enum):
    """How often a group is tried. A mount that fails may have failed for a passing reason, so it gets one more turn
    when the others have had theirs; `GIVEN_UP` is a group of a server that is not tried any more."""

    FIRST = "first"
    LAST = "last"
    GIVEN_UP = "given up"


Work = Callable[[MountGroup, Turn], Awaitable[MountGroup | None]]
"""Works on a group. What it returns wants a turn: the same group once more, or with another restore point anew."""


class Dispatcher(Protocol):
    """Brings the groups of one run to those who work on them."""

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Return when every group has come to its end, or when a stop was asked for and none is worked on any more.
        `work` does a group in this process; a dispatcher that lets others do it leaves `work` alone."""
        ...


Dispatching = Callable[[RunControl], Dispatcher]
"""Makes the dispatcher of a run that is about to begin."""
