"""The second half of a restore drill: read every copy again, say how that went, and remove the copies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anyio import current_time, to_thread

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import DrillStopped, StoppedEarly
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
    remove: Callable[[], int],
    threads: int,
    stop: Stop,
    folder: str,
) -> Drilled:
    """Verify what a drill has restored into `folder`, and remove it when nothing differs: what differs is evidence.
    `remove` blocks and gives the number of files. DrillStopped when a stop is asked for before all is read."""
    started = current_time()
    try:
        with stop.forestalls():
            verified = await verify(restored, read_back, threads, lambda _, __: None)
    except StoppedEarly as stopped:
        raise DrillStopped(folder=folder) from stopped
    seconds = current_time() - started
    removed = 0 if verified.differences else await to_thread.run_sync(remove)
    return Drilled(verified, seconds, removed)
