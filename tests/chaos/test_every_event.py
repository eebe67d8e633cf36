"""One run, numbered by its events; for every event it is stopped there, in each way there is."""

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate
from tests.support.chaos import Fate, demand_everything_restored, demand_nothing_more_to_do, house, live
from tests.support.chaos import stopped_and_resumed as demand_all_of_a_stop

LAST = 40
"""More than the run has events. How many there are differs by a few, because outcomes are told in batches."""

STUBBORN: dict[str, Any] = {"session_end_unmounts": "never"}
"""Here nothing goes by itself with its session: a mount that is not deleted stays."""

EVERY = int(os.environ.get("CHAOS_EVERY", "1"))
"""`make mutations` takes only every so many-th."""


async def test_the_numbers_reach_beyond_the_last_event(estate: Estate, tmp_path: Path) -> None:
    fate = Fate()
    async with house(estate, tmp_path, **STUBBORN) as home:
        demand_everything_restored(home, await live(home, fate))
        await demand_nothing_more_to_do(home)
    assert LAST - 15 < len(fate.events) <= LAST, fate.events


@pytest.mark.parametrize("number", range(1, LAST + 1, EVERY))
async def test_a_cancelled_run_leaves_no_mount_and_is_completed_by_resuming(
    estate: Estate, tmp_path: Path, number: int
) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await demand_all_of_a_stop(home, Fate("cancel", event=number))


@pytest.mark.parametrize("number", range(1, LAST + 1, EVERY))
async def test_a_drained_run_leaves_no_mount_and_is_completed_by_resuming(
    estate: Estate, tmp_path: Path, number: int
) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await demand_all_of_a_stop(home, Fate("drain", event=number))


@pytest.mark.parametrize("number", range(1, LAST + 1, EVERY))
async def test_a_killed_run_is_swept_and_completed_by_resuming(estate: Estate, tmp_path: Path, number: int) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await demand_all_of_a_stop(home, Fate("kill", event=number))
