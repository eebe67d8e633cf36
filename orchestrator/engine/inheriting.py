"""What dead members of the fleet leave at Enterprise Manager, and who deletes it; and what one leaves who is to die."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from anyio import create_task_group, sleep
from anyio.abc import TaskGroup

from orchestrator.core.errors import EmError, SealBroken
from orchestrator.core.events import Notice
from orchestrator.core.fleet_errors import NotOpened, UnitLost
from orchestrator.core.ledger import LeaseRow
from orchestrator.engine.books import Books
from orchestrator.engine.chosen_leases import ChosenLeases, ChosenOriginals
from orchestrator.engine.ports import LeaseLedger, Mounts, Revived, Reviver
from orchestrator.engine.ports_dispatch import Estate
from orchestrator.engine.ports_originals import OriginalLedger
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sweeping import sweep

BURY_AGAIN = 5.0
"""Seconds until mounts of the dead that could not be cleared up are looked at again."""


class Unsealing:
    """A reviver for whom a seal that it cannot open is no reason to give the mounts up: NotOpened, because another
    member of the fleet may have the password."""

    def __init__(self, reviver: Reviver) -> None:
        self._reviver = reviver

    async def revive(self, sealed: bytes) -> Revived:
        try:
            return await self._reviver.revive(sealed)
        except SealBroken as error:
            raise NotOpened(cause=error.facts["cause"]) from error


class Heir:
    """The member `me`, as it clears up after others. `ledger` and `originals` know what was asked for by all."""

    def __init__(
        self, me: str, estate: Estate, ledger: LeaseLedger, originals: OriginalLedger, rooms: Rooms, books: Books
    ) -> None:
        self._me = me
        self._estate = estate
        self._ledger = ledger
        self._originals = originals
        self._rooms = rooms
        self._books = books
        self._burying: set[str] = set()

    def inherit(self, members: Iterable[str], beside: TaskGroup) -> None:
        """Clear up after those of them that this is not done for already."""
        for member in members:
            if member not in self._burying:
                self._burying.add(member)
                beside.start_soon(self._bury, member)

    async def _bury(self, member: str) -> None:
        """Delete what a dead member has left at EM, under its own sealed sessions; then its units wait again."""
        try:
            try:
                cleared, left = await self._cleared_up(member, Unsealing(self._rooms.reviver))
            except NotOpened as error:
                if await self._books.ask(self._estate.pass_on, member, self._me):
                    self._tell(f"{error} Another worker clears up after it.")
                    return
                cleared, left = await self._cleared_up(member, self._rooms.reviver)
            await self._books.ask(self._estate.bury, member, self._me)
        except (EmError, UnitLost) as error:
            self._tell(f"a dead worker's mounts are still there, which is tried again: {error}")
            await sleep(BURY_AGAIN)
        else:
            self._tell(f"a member of the fleet died: {len(cleared)} of its mounts deleted, {len(left)} left")
        finally:
            self._burying.discard(member)

    async def _cleared_up(self, member: str, reviver: Reviver) -> tuple[list[LeaseRow], list[LeaseRow]]:
        theirs = await self._books.ask(self._estate.sessions_of, member)

        def mine() -> Callable[[str], bool]:
            return theirs.__contains__

        ledger, originals = ChosenLeases(self._ledger, mine), ChosenOriginals(self._originals, mine)
        rooms = replace(self._rooms, leases=ledger, originals=originals, reviver=reviver)
        return await sweep(rooms, self._books, within=0)

    def _tell(self, what: str) -> None:
        self._rooms.emit(Notice(self._rooms.clock(), what))


async def delete_held(rooms: Rooms) -> None:
    """EM is asked to delete all that this process reads from, and nothing is written. By the session as it is, which an
    heir may have ended: a new one would be left behind."""
    with suppress(EmError):
        own = await rooms.reviver.revive(rooms.session.sealed())
        async with create_task_group() as tasks:
            for href in list(rooms.held):
                tasks.start_soon(_delete, own.mounts, href)


async def _delete(mounts: Mounts, href: str) -> None:
    with suppress(EmError):
        await mounts.delete(href, 0)
