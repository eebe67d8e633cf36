"""Re-reading what was restored, many files at once, and naming every difference."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from anyio import CapacityLimiter, create_memory_object_stream, create_task_group, from_thread, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from orchestrator.core.entries import Outcome
from orchestrator.core.errors import FileError
from orchestrator.engine.ports import Checkpoint

ReadBack = Callable[[str, Checkpoint], tuple[int, str]]
"""(size in bytes, checksum) of a file; FileError when it cannot be read. Blocks."""

BATCH = 64


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not what was restored."""

    target_path: str
    guest_path: str
    message: str


@dataclass(slots=True)
class Verified:
    """What a verification found. `bytes` are those read."""

    files: int
    bytes: int
    differences: list[Difference]


async def verify(
    restored: Iterator[Outcome], read_back: ReadBack, threads: int, tell: Callable[[int, int], None]
) -> Verified:
    """Read every restored file again and compare size and checksum. `tell` gets (files, bytes) as they are read."""
    result = Verified(0, 0, [])
    send, receive = create_memory_object_stream[list[Outcome]](threads)
    limiter = CapacityLimiter(threads)
    books = CapacityLimiter(1)

    def note(found: list[tuple[int, Difference | None]]) -> None:
        result.files += len(found)
        result.bytes += sum(size for size, _ in found)
        result.differences.extend(one for _, one in found if one is not None)
        tell(len(found), sum(size for size, _ in found))

    async def work(inbox: MemoryObjectReceiveStream[list[Outcome]]) -> None:
        async with inbox:
            async for batch in inbox:
                note(await to_thread.run_sync(_check_all, batch, read_back, limiter=limiter))

    async with create_task_group() as tasks:
        async with receive:
            for _ in range(threads):
                tasks.start_soon(work, receive.clone())
        async with send:
            while batch := await to_thread.run_sync(lambda: list(islice(restored, BATCH)), limiter=books):
                await send.send(batch)
    result.differences.sort(key=lambda one: one.target_path)
    return result


def _check_all(batch: list[Outcome], read_back: ReadBack) -> list[tuple[int, Difference | None]]:
    return [_check(outcome, read_back) for outcome in batch]


def _check(outcome: Outcome, read_back: ReadBack) -> tuple[int, Difference | None]:
    try:
        size, checksum = read_back(outcome.target_path, lambda _: from_thread.check_cancelled())
    except FileError as error:
        return 0, Difference(outcome.target_path, outcome.guest_path, str(error))
    if size != outcome.size:
        message = f"is {size} bytes, {outcome.size} were restored"
    elif checksum != outcome.checksum:
        message = "has the same size but another content"
    else:
        return size, None
    return size, Difference(outcome.target_path, outcome.guest_path, message)
