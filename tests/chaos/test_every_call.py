"""One run, numbered by the calls of its ports: what lies between two events shows here.

The suite takes every STRIDE-th call; `make chaos` takes them all.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate
from tests.support.chaos import Fate, house, live, stopped_and_resumed

LAST = 240
"""More than the run has calls."""

STUBBORN: dict[str, Any] = {"session_end_unmounts": "never"}
"""Here nothing goes by itself with its session: a mount that is not deleted stays."""

STRIDE = 5 * int(os.environ.get("CHAOS_EVERY", "1"))
TURN = {"before": 1, "after": 3}
"""The two halves take different calls."""


async def test_the_numbers_reach_beyond_the_last_call(estate: Estate, tmp_path: Path) -> None:
    fate = Fate()
    async with house(estate, tmp_path, **STUBBORN) as home:
        await live(home, fate)
    assert LAST - 80 < len(fate.calls) <= LAST


@pytest.mark.parametrize("number", range(TURN["before"], LAST + 1, STRIDE))
async def test_a_run_killed_before_a_call_is_swept_and_completed_by_resuming(
    estate: Estate, tmp_path: Path, number: int
) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await stopped_and_resumed(home, Fate("kill", call=number))


@pytest.mark.parametrize("number", range(TURN["after"], LAST + 1, STRIDE))
async def test_a_run_killed_after_a_call_is_swept_and_completed_by_resuming(
    estate: Estate, tmp_path: Path, number: int
) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await stopped_and_resumed(home, Fate("kill", call=number, after=True))


@pytest.mark.parametrize("number", range(TURN["after"], LAST + 1, STRIDE * 3))
async def test_a_run_cancelled_at_a_call_leaves_no_mount_and_is_completed_by_resuming(
    estate: Estate, tmp_path: Path, number: int
) -> None:
    async with house(estate, tmp_path, **STUBBORN) as home:
        await stopped_and_resumed(home, Fate("cancel", call=number, after=True))
