"""Who works on the mount groups of a run, in the engine's own words; see `ports`.

A unit of work is one mount group. Mount, copies and DELETE are one attempt at it, by one process under one logon
session: nothing of it is ever handed on in the middle.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Protocol

from orchestrator.core.events import Event
from orchestrator.core.fleet import Followed, Heard, Member, MemberNow, Order, Pace, Queued, Taken, Unit
from orchestrator.core.plan import MountGroup
from orchestrator.engine.controls import RunControl


class Turn(Enum):
    """How often a group is tried. A mount that fails may have failed for a passing reason, so it gets one more turn
    when the others have had theirs; `GIVEN_UP` is a group of a server that is not tried any more, `UNSERVED` one that
    nobody in the fleet could take."""

    FIRST = "first"
    LAST = "last"
    GIVEN_UP = "given up"
    UNSERVED = "unserved"


Work = Callable[[MountGroup, Turn], Awaitable[MountGroup | None]]
"""Works on a group. What it returns wants a turn: the same group once more, or with another restore point anew. Raises
SeatTaken when a fleet has no place for its mount after all."""


class Dispatcher(Protocol):
    """Brings the groups of one run to those who work on them."""

    async def dispatch(self, groups: Sequence[MountGroup], work: Work) -> None:
        """Return when every group has come to its end, or when a stop was asked for and none is worked on any more.
        `work` does a group in this process; a dispatcher that lets others do it asks it for those alone that nobody
        could take, to tell why."""
        ...


Dispatching = Callable[[RunControl], Dispatcher]
"""Makes the dispatcher of a run that is about to begin."""


class Submissions(Protocol):
    """What a submitter needs of the shared journal. Methods block, raise StateError, and may be repeated."""

    def submit(self, units: Sequence[Unit], submitter: str, order: Order) -> None:
        """Write the units of one run, all or none, and what is wanted of it. Those that are there and not over stay as
        they are; those that are over wait again."""
        ...

    def order(self, run: str, order: Order) -> None:
        """What all who work on a run are to do from now on. Units that wait are over once it is to drain."""
        ...

    def follow(self, run: str) -> Followed:
        """What was told of a run since this was last asked, and how its units stand."""
        ...

    def unserved(self, run: str, patience: float | None, ask_again: bool) -> Mapping[str, Queued]:
        """Keep since when nobody could take what waits of a run. Groups of which that is longer ago than `patience`
        seconds are over: they, and who refused them. Without `patience` nobody is waited for. `ask_again`: those who
        have refused such groups may try once more."""
        ...

    def forget(self, run: str) -> None:
        """The run has ended: what was told of it, and its units."""
        ...


class Membership(Protocol):
    """Who is in the fleet, by the clock of the database. Methods block and raise StateError."""

    def join(self, member: Member) -> None:
        """A new member. NameTaken while a worker of that name lives."""
        ...

    def renew(self, member: str, pace: Pace) -> Heard | None:
        """The member lives, and is as fast as that; None when it was marked dead. A worker marks members dead that were
        not heard of for too long, takes their units away, and clears up after them."""
        ...

    def withdraw(self, member: str) -> None:
        """No more units for this member; it keeps those that it has."""
        ...

    def leave(self, member: str) -> None:
        """The member is gone, if it holds nothing."""
        ...

    def members(self) -> list[MemberNow]:
        """Everyone who is not gone, workers first, by site and name."""
        ...

    def protected(self, member: str) -> frozenset[str]:
        """The ids of the sessions of others that live, or after whom somebody who lives clears up: nobody else's to
        sweep."""
        ...


class UnitDesk(Protocol):
    """Where a worker gets units. Methods block and raise StateError: UnitLost for a unit that is no longer the
    worker's."""

    def take(self, member: str) -> Taken | None:
        """The next unit that this worker may do and whose mount has room under all limits, or None."""
        ...

    def settle(self, taken: Taken, member: str, over: bool) -> None:
        """The worker is through with a unit. One that is not `over` waits again, unless its group is done or failed."""
        ...

    def refuse(self, taken: Taken, member: str, why: str) -> None:
        """The worker cannot do this unit: it waits for another."""
        ...

    def tell(self, run: str, events: Sequence[Event]) -> None:
        """What the submitter is to hear, in this order."""
        ...


class Estate(Protocol):
    """What the dead leave. Methods block and raise StateError."""

    def sessions_of(self, member: str) -> frozenset[str]:
        """The ids of the sessions of a member."""
        ...

    def pass_on(self, member: str, heir: str) -> bool:
        """The heir cannot clear up after a dead member: another is its heir soon. False when none lives that has not
        tried it."""
        ...

    def bury(self, member: str, heir: str) -> None:
        """The mounts of a dead member are cleared up as far as they can be: its units wait again, and it is gone.
        Nothing happens when its heir is another by now, or is dead itself."""
        ...


ANYTHING = ""
"""What a sign is about that may be about anything."""


class Signs(Protocol):
    """Tells that others have done something. That a sign comes is never promised."""

    @property
    def arrives(self) -> bool:
        """Whether signs are known to arrive."""
        ...

    def wait(self, seconds: float) -> frozenset[str]:
        """Block until there are signs, for so many seconds at the most; what they are about, and nothing when none
        came. Raises nothing."""
        ...

    def close(self) -> None:
        """Who waits is woken, and there are no more signs. Any thread may call."""
        ...
