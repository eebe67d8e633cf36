"""The same stops and deaths with the files copied in processes of their own."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from orchestrator.core.line import burst_of
from orchestrator.engine import crew as crew_module
from orchestrator.engine.crew import Crew
from orchestrator.simulator import Estate
from tests.support.chaos import Fate, demand_everything_restored, demand_nothing_more_to_do, house, live
from tests.support.chaos import stopped_and_resumed as demand_all_of_a_stop
from tests.support.limited import waiting_is_quick

pytestmark = pytest.mark.timeout(90)
"""On a busy machine a process takes its time to start."""

STUBBORN = {"session_end_unmounts": "never"}


@pytest.fixture
def processes() -> Iterator[list[int]]:
    """Every small file is copied in a process; the ids of all there were. None is left at the end."""
    seen: list[int] = []
    welcome = Crew._welcome

    def wait_for_all(crew: Crew) -> None:
        while crew._coming:
            welcome(crew)
            time.sleep(0.01)
        seen.extend(set(crew.processes) - set(seen))

    with mock.patch.object(crew_module, "AFTER_FILES", 0), mock.patch.object(Crew, "_welcome", wait_for_all):
        yield seen
    assert seen
    assert not [one for one in seen if Path(f"/proc/{one}").exists()]


async def test_a_run_with_processes_restores_all_and_is_told_as_any_other(
    estate: Estate, tmp_path: Path, processes: list[int]
) -> None:
    async with house(estate, tmp_path) as home:
        demand_everything_restored(home, await live(home, Fate()))
        await demand_nothing_more_to_do(home)


@pytest.mark.parametrize("number", range(8, 30, 4))
@pytest.mark.parametrize("way", ["cancel", "drain", "kill"])
async def test_a_run_that_ends_at_any_event_is_completed_by_resuming(
    estate: Estate, tmp_path: Path, processes: list[int], way: str, number: int
) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await demand_all_of_a_stop(home, Fate(way, event=number))


async def test_what_processes_copy_is_paid_for_by_the_batch(
    estate: Estate, tmp_path: Path, processes: list[int]
) -> None:
    """The line is fast enough to ask for a batch at once, and too slow for all of it."""
    async with house(estate, tmp_path, limits={"bandwidth": "4 MB/s"}) as home:
        with waiting_is_quick() as waited:
            demand_everything_restored(home, await live(home, Fate()))
    whole = sum(path.stat().st_size for path in home.wanted.values())
    assert (whole - burst_of(4_000_000)) / 4_000_000 <= waited.now <= whole / 4_000_000 + 1


async def test_a_run_whose_processes_are_killed_again_and_again_restores_all(
    estate: Estate, tmp_path: Path, processes: list[int]
) -> None:
    by = Crew._by

    def deadly(crew: Crew, lane: crew_module._Lane, *rest: object) -> int | None:
        with suppress(ProcessLookupError):  # its other batch has killed it
            os.kill(lane.worker.id, signal.SIGKILL)
        return by(crew, lane, *rest)  # type: ignore[arg-type]

    async with house(estate, tmp_path) as home:
        with mock.patch.object(Crew, "_by", deadly):
            demand_everything_restored(home, await live(home, Fate()))
    assert len(processes) > 1
