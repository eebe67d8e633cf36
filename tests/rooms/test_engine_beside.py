"""Services beside the work: they live as long as it, linger within bounds, and never bring it down."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio
import pytest

from orchestrator.core.errors import StateUnusable
from orchestrator.core.events import Event, Notice
from orchestrator.engine.beside import beside, in_thread


def clock() -> datetime:
    return datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class Told:
    events: list[Event] = field(default_factory=list)


class Serving:
    """Serves until closed, and then needs `rest` seconds more."""

    def __init__(self, linger: float = 5.0, rest: float = 0.0) -> None:
        self.linger = linger
        self.ending = ""
        self._rest = rest
        self._closed = anyio.Event()

    def close(self) -> None:
        self._closed.set()

    async def serve(self) -> None:
        try:
            await self._closed.wait()
            await anyio.sleep(self._rest)
            self.ending = "by itself"
        except BaseException:
            self.ending = "cancelled"
            raise


async def test_a_service_serves_while_the_block_lasts_and_ends_by_itself() -> None:
    service = Serving(rest=0.01)
    async with beside([service], [].append, clock):
        await anyio.lowlevel.checkpoint()
        assert service.ending == ""
    assert service.ending == "by itself"


async def test_a_service_that_does_not_end_is_cancelled_when_it_has_lingered() -> None:
    slow, quick = Serving(linger=0.05, rest=60), Serving()
    async with beside([slow, quick], [].append, clock):
        pass
    assert (slow.ending, quick.ending) == ("cancelled", "by itself")


async def test_a_block_that_is_cancelled_leaves_its_services_their_time() -> None:
    service = Serving(rest=0.02)
    with anyio.CancelScope() as scope:
        async with beside([service], [].append, clock):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert service.ending == "by itself"


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    service = Serving(rest=0.01)
    with pytest.raises(StateUnusable):
        async with beside([service], [].append, clock):
            raise StateUnusable(folder="state", cause="full")
    assert service.ending == "by itself"


async def test_a_service_that_breaks_is_told_of_and_the_block_goes_on() -> None:
    class Broken(Serving):
        async def serve(self) -> None:
            raise KeyError("s3cr3t")

    told: list[Event] = []
    other = Serving()
    async with beside([Broken(), other], told.append, clock):
        while not told:
            await anyio.lowlevel.checkpoint()
        assert other.ending == ""
    (notice,) = told
    assert isinstance(notice, Notice)
    assert "Broken broke: KeyError" in notice.message
    assert "s3cr3t" not in notice.message


async def test_what_blocks_in_a_thread_can_be_left_alone() -> None:
    import threading

    release = threading.Event()
    with anyio.move_on_after(0.01) as scope:
        await in_thread(release.wait)
    release.set()
    assert scope.cancelled_caught
