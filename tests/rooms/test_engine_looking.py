"""Who may look for a mount among folders that carry ids, and who has to wait."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from orchestrator.engine.looking import Looking, Place


class Mounts:
    """Mounts that take their places, side by side; `inside` are those that have theirs."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.looking = Looking()
        self.inside: dict[str, Place] = {}
        self._gone: dict[str, anyio.Event] = {}
        self._tasks = tasks

    async def come(self, name: str, *shares: str, looks: bool = True) -> None:
        async def mount() -> None:
            async with self.looking.place(shares, looks) as place:
                self.inside[name] = place
                await self._gone[name].wait()
                del self.inside[name]

        self._gone[name] = anyio.Event()
        self._tasks.start_soon(mount)
        await settled()

    async def go(self, name: str) -> None:
        self._gone[name].set()
        await settled()

    async def told(self, tell: Callable[[], None]) -> None:
        tell()
        await settled()

    @property
    def names(self) -> Sequence[str]:
        return sorted(self.inside)


async def settled() -> None:
    for _ in range(20):
        await checkpoint()


@asynccontextmanager
async def mounts() -> AsyncIterator[Mounts]:
    async with anyio.create_task_group() as tasks:
        yield Mounts(tasks)
        tasks.cancel_scope.cancel()


async def test_one_looks_at_a_time_and_the_next_when_the_folder_has_been_seen() -> None:
    async with mounts() as some:
        await some.come("a", "/lin01")
        await some.come("b", "/lin01")
        assert some.names == ["a"]
        await some.told(some.inside["a"].seen)
        assert some.names == ["a", "b"]


async def test_nobody_looks_while_a_mount_is_open_whose_folder_was_not_seen() -> None:
    async with mounts() as some:
        await some.come("a", "/lin01")
        await some.told(some.inside["a"].unseen)
        await some.come("b", "/lin01")
        assert some.names == ["a"]
        await some.go("a")
        assert some.names == ["b"]


async def test_who_does_not_look_is_beside_others_that_do_not_and_waits_for_who_does() -> None:
    async with mounts() as some:
        await some.come("a", "/lin01", looks=False)
        await some.come("b", "/lin01", looks=False)
        await some.come("looks", "/lin01")
        await some.come("c", "/lin01", looks=False)
        assert some.names == ["a", "b"]
        await some.go("a")
        await some.go("b")
        assert some.names == ["looks"]
        await some.told(some.inside["looks"].seen)
        assert some.names == ["c", "looks"]


async def test_shares_of_others_and_names_of_one_share_are_told_apart() -> None:
    async with mounts() as some:
        await some.come("a", "\\\\LIN01\\mounts", "/lin02")
        await some.come("elsewhere", "/lin03")
        await some.come("b", "\\\\lin01\\mounts")
        await some.come("windows")
        assert some.names == ["a", "elsewhere", "windows"]


async def test_who_gives_up_waiting_keeps_nobody_out() -> None:
    async with mounts() as some:
        await some.come("a", "/lin01", "/lin02", looks=False)
        with anyio.move_on_after(0.01):
            async with some.looking.place(["/lin01", "/lin02"], True):
                raise AssertionError("it looks while a mount is open whose folder was not seen")
        await some.come("b", "/lin01", looks=False)
        await some.go("a")
        await some.go("b")
        await some.come("c", "/lin02", "/lin01")
        assert some.names == ["c"]
