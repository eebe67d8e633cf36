"""Listing the candidate shares of a backup server: all at once, and none waits for one that hangs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from anyio import create_task_group

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
    waiting = Patience(patience)

    async def ask(share: str) -> None:
        try:
            seen[share] = await calls.run(share, partial(source.folders, share), patience=waiting)
            waiting.short = True
        except OSError as error:
            silent[share] = error.strerror or str(error)

    with one_error():
        async with create_task_group() as asking:
            for share in shares:
                asking.start_soon(ask, share)
    ordered = {share: seen[share] for share in shares if share in seen}
    return Probed(ordered, {share: silent[share] for share in shares if share in silent})


def none_readable(probed: Probed, backup_server: str, reach: Reach) -> ShareUnreadable:
    """The error of a backup server none of whose shares can be listed."""
    cause = "; ".join(f"{share}: {cause}" for share, cause in probed.silent.items())
    return ShareUnreadable(share=", ".join(reach.shares), backup_server=backup_server, cause=cause)
