"""The second half of a restore drill: read every copy again, say how that went, and remove the copies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anyio import current_time

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import DrillLeft, DrillStopped, StoppedEarly
from orchestrator.engine.calls import Calls, hangs
from orchestrator.engine.ports import Beat
from orchestrator.engine.stopping import Stop
from orchestrator.engine.verifying import ReadBack, Verified, verify


@dataclass(frozen=True, slots=True)
class Drilled:
    """What became of the copies. `removed` files; none when something differs. Seconds."""

    verified: Verified
    seconds: float
    removed: int


async def prove_and_remove(
    restored: Iterator[Outcome],
    read_back: ReadBack,
    remove: Callable[[Beat], int],
    threads: int,
    stop: Stop,
    folder: str,
    stall: float,
) -> Drilled:
    """Verify what a drill has restored into `folder`, and remove it when nothing differs: what differs is evidence.
    `remove` blocks and gives the number of files; it is left behind when nothing moves for `stall` seconds.
    DrillStopped when a stop is asked for before all is read, DrillLeft when copies stay that should not."""
    started = current_time()
    try:
        with stop.forestalls():
            verified = await verify(restored, read_back, threads, lambda _, __: None)
    except StoppedEarly as stopped:
        raise DrillStopped(folder=folder) from stopped
    seconds = current_time() - started
    try:
        removed = 0 if verified.differences else await Calls(stall).run(folder, remove)
    except TimeoutError as hung:
        raise DrillLeft(folder=folder, cause=f"{hangs(stall)}; some may be gone already") from hung
    return Drilled(verified, seconds, removed)
