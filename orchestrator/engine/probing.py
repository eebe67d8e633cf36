"""Listing the candidate shares of a backup server: side by side, and none waits for one that hangs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from anyio import Event, create_task_group, move_on_after

from orchestrator.core.catalog import ShareListing
from orchestrator.core.errors import ShareUnreadable
from orchestrator.core.locate import Seen
from orchestrator.engine.calls import Calls
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Source
from orchestrator.engine.pulse import Patience
from orchestrator.engine.rooms import Reach

SHARES_AT_ONCE = 32
"""Threads that list shares."""
AT_ONCE = 0.02
"""Seconds after which a share does not answer at once. As long as shares do, one is asked after the other, because
listing them is work for the interpreter, and threads that fight for it take twice the time; from then on waiting is
what takes the time, and all are asked."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The shares that were listed, and of the others why they were not."""

    seen: Seen = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)


async def probe(calls: Calls, source: Source, shares: Sequence[str], patience: float) -> Probed:
    """The folders of each share. As soon as one has been listed, the others are waited for as long as each gets on,
    and `patience` seconds more; while none has, as long as `calls` waits for any share."""
    seen: dict[str, ShareListing] = {}
    silent: dict[str, str] = {}
    waiting, queue = Patience(patience), _Queue()

    async def ask(share: str) -> None:
        try:
            seen[share] = await calls.run(share, partial(source.folders, share), patience=waiting)
            waiting.short = True
        except OSError as error:
            silent[share] = error.strerror or str(error)
        queue.one_has_answered()

    with one_error():
        async with create_task_group() as asking:
            for share in shares:
                await queue.turn()
                asking.start_soon(ask, share)
    ordered = {share: seen[share] for share in shares if share in seen}
    return Probed(ordered, {share: silent[share] for share in shares if share in silent})


class _Queue:
    """One share is asked when the one before has answered; all the rest as soon as one does not at once."""

    def __init__(self) -> None:
        self._free = 1
        self._answered = Event()
        self._all = False

    async def turn(self) -> None:
        """Wait until the next share may be asked."""
        while not self._free and not self._all:
            with move_on_after(AT_ONCE) as waited:
                await self._answered.wait()
            self._all = waited.cancelled_caught
            self._answered = Event()
        self._free -= 1

    def one_has_answered(self) -> None:
        self._free += 1
        self._answered.set()


def none_readable(probed: Probed, backup_server: str, reach: Reach) -> ShareUnreadable:
    """The error of a backup server none of whose shares can be listed."""
    cause = "; ".join(f"{share}: {cause}" for share, cause in probed.silent.items())
    return ShareUnreadable(share=", ".join(reach.shares), backup_server=backup_server, cause=cause)
