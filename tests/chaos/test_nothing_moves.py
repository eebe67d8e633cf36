"""A share or a disk that hangs is noticed by itself and holds nobody for ever; one that is only slow is waited for."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.core.entries import Entry
from orchestrator.simulator import Estate
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import demand_everything_restored, house, live


def target_with(place: Callable[..., Any]) -> Callable[[str, Any], Any]:
    """The target room with another `place`, which is given the real room first."""
    return lambda name, room: Wrapped(room, place=lambda *words: place(room, *words)) if name == "target" else room


async def test_waiting_for_a_free_thread_is_no_stall(estate: Estate, tmp_path: Path) -> None:
    """One thread copies, slowly but all the time; the batches of the others wait longer than the stall limit."""
    never = threading.Event()

    def place(room: Any, source: Any, entry: Entry, target: Any, overwrite: bool, check: Any) -> Any:
        for _ in range(4):
            never.wait(0.05)
            check(0)
        return room.place(source, entry, target, overwrite, check)

    async with house(estate, tmp_path, limits={"stall_timeout": 0.3, "copies": 1}) as home:
        demand_everything_restored(home, await live(home, wrap=target_with(place)))


async def test_a_thread_that_comes_back_while_it_is_given_up_costs_no_file(estate: Estate, tmp_path: Path) -> None:
    hung, never = threading.Event(), threading.Event()

    def place(room: Any, source: Any, entry: Entry, target: Any, overwrite: bool, check: Any) -> Any:
        if not hung.is_set():  # the first file of the first batch; others follow it
            hung.set()
            never.wait(0.6)
        return room.place(source, entry, target, overwrite, check)

    async with house(estate, tmp_path, limits={"stall_timeout": 0.2}) as home:
        demand_everything_restored(home, await live(home, wrap=target_with(place)))
