"""Whose turn it is to look for a mount where folders carry ids. A new folder there is only known to be ours while no
other mount is being made, and none is open whose folder nobody has seen: it may appear at any time.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from anyio import Event, Semaphore

from orchestrator.core.mount_hosts import folded


class _Share:
    """One share: `looking` is the place of the one who looks, `unseen` counts open mounts that are not looked for."""

    def __init__(self) -> None:
        self.looking = Semaphore(1)
        self.unseen = 0
        self.changed = Event()

    def count(self, mounts: int) -> None:
        self.unseen += mounts
        self.changed.set()
        self.changed = Event()


class Place:
    """The place of one mount at some shares, until the mount is gone. It looks until it says otherwise."""

    def __init__(self, shares: Collection[_Share]) -> None:
        self._shares = shares
        self._held: list[_Share] = []
        self._unseen: list[_Share] = []

    async def enter(self, looks: bool) -> None:
        """In the order of the shares, so that no two wait for each other."""
        for share in self._shares:
            await share.looking.acquire()
            self._held.append(share)
            while looks and share.unseen:
                await share.changed.wait()

    def seen(self) -> None:
        """The folder of the mount is known: others may look."""
        for share in self._held:
            share.looking.release()
        self._held = []

    def unseen(self) -> None:
        """The folder of the mount is not looked for, or no more: others may mount, and nobody may look before it is
        gone."""
        for share in self._held:
            share.count(+1)
        self._unseen += self._held
        self.seen()

    def leave(self) -> None:
        self.seen()
        for share in self._unseen:
            share.count(-1)


class Looking:
    """The shares of one process whose folders carry ids."""

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}

    @asynccontextmanager
    async def place(self, shares: Collection[str], looks: bool) -> AsyncIterator[Place]:
        """A place at `shares`, waited for: alone for who `looks`, else beside others that do not."""
        names = sorted({folded(share) for share in shares})
        place = Place([self._shares.setdefault(name, _Share()) for name in names])
        try:
            await place.enter(looks)
            if not looks:
                place.unseen()
            yield place
        finally:
            place.leave()
