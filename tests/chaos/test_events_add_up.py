"""Whoever folds the events knows what the report says: the sum of what is told in one process is what was done.

Every process of the chaos tests that ends in order is looked at (`demand_events_agree` in tests/support/chaos.py). Here
are the disturbances in which something is told twice, taken back, or left to an earlier process.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.core.entries import Entry
from orchestrator.core.errors import FileError
from orchestrator.core.events import Event, FileProblem, FilesDone, GroupEnded, MountOpened
from orchestrator.core.job import Job
from orchestrator.core.ledger import Totals
from orchestrator.core.reasons import Reason
from orchestrator.simulator import Estate, FailTask, Fault
from tests.chaos.test_nothing_moves import target_with
from tests.support.chaos import Fate, House, demand_nothing_held, demand_whole_files, house, live, report_of

FS01 = {"fs01": {"C:\\Shares": "C:", "D:\\": "D:"}}
LATE = "Data/.hidden"
"""A file of fs01 that is copied when all of its C: is through."""


def put_others_there(home: House) -> int:
    """Other files under some of the names that are wanted; how many."""
    stand = [path for path in home.wanted if path.suffix == ".txt"]
    for path in stand:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody's own")
    return len(stand)


def problems(fate: Fate) -> list[str]:
    return sorted(event.guest_path for event in fate.seen if isinstance(event, FileProblem))


def session_ends(home: House, denied: Callable[[Entry], bool] = lambda entry: False) -> Callable[[str, Any], Any]:
    """At the late file the session ends, once. Files that are `denied` fail for a reason that is told at once."""
    ended = threading.Event()

    def place(room: Any, source: Any, entry: Entry, *words: Any) -> Any:
        if entry.relative.endswith(LATE) and not ended.is_set():
            ended.set()
            anyio.from_thread.run(home.simulator.end_session)
        if denied(entry):
            raise FileError(reason=Reason.ACCESS_DENIED, guest_path=entry.relative, what="denied")
        return room.place(source, entry, *words)

    return target_with(place)


async def test_what_is_skipped_in_two_mounts_is_told_of_once(estate: Estate, tmp_path: Path) -> None:
    async with house(estate, tmp_path, wanted=FS01, limits={"copies": 1}) as home:
        others = put_others_there(home)
        report = report_of(await live(home, wrap=session_ends(home)))
        assert report.remounts == 1
        assert (report.totals.skipped, report.totals.restored) == (others, len(home.wanted) - others)


async def test_a_failure_in_two_mounts_is_told_of_once(estate: Estate, tmp_path: Path) -> None:
    async with house(estate, tmp_path, wanted=FS01, limits={"copies": 1}) as home:
        fate = Fate()
        wrap = session_ends(home, lambda entry: entry.relative.endswith("deep.txt"))
        report = report_of(await live(home, fate, wrap=wrap))
        assert (report.remounts, report.totals.failed) == (1, 1)
        assert len(problems(fate)) == 1


async def test_what_fails_in_one_mount_and_is_restored_in_the_next_is_taken_back(
    estate: Estate, tmp_path: Path
) -> None:
    denied = iter([True])
    async with house(estate, tmp_path, wanted=FS01, limits={"copies": 1}) as home:
        fate = Fate()
        wrap = session_ends(home, lambda entry: entry.relative.endswith("deep.txt") and next(denied, False))
        report = report_of(await live(home, fate, wrap=wrap))
        assert (report.exit_code, report.remounts, report.totals.failed) == (0, 1, 0)
        assert any(event.totals.failed == -1 for event in fate.seen if isinstance(event, FilesDone))


async def test_a_group_that_gets_a_second_turn_counts_what_it_did_in_the_first(estate: Estate, tmp_path: Path) -> None:
    fault = Fault("mount_post", nth=2, action=FailTask("the proxy is busy"))
    async with house(estate, tmp_path, fault, wanted=FS01, limits={"copies": 1}) as home:
        others = put_others_there(home)
        fate = Fate()
        wrap = session_ends(home, lambda entry: entry.relative.endswith("empty.bin"))
        report = report_of(await live(home, fate, wrap=wrap))
        assert report.totals == Totals(len(home.wanted) - others - 1, others, 0, 1, report.totals.bytes)
        assert len(problems(fate)) == 1


@pytest.mark.parametrize("how", ["cancel", "drain"])
async def test_what_earlier_processes_did_is_told_first_their_problems_too(
    estate: Estate, tmp_path: Path, how: str
) -> None:
    def place(room: Any, source: Any, entry: Entry, *words: Any) -> Any:
        if entry.relative.endswith(("Z", "deep.txt", "top.txt")):  # one of each machine
            raise FileError(reason=Reason.ACCESS_DENIED, guest_path=entry.relative, what="denied")
        return room.place(source, entry, *words)

    def listen(event: Event) -> None:
        if isinstance(event, GroupEnded) and not fate.how:
            fate.how, fate.event = how, len(fate.events) + 1

    async with house(estate, tmp_path, limits={"mounts": 1}) as home:
        fate = Fate(listen=listen)
        stopped = report_of(await live(home, fate, wrap=target_with(place)))
        assert stopped.exit_code == 6
        assert [one.state for one in stopped.groups].count("done") == 1
        assert stopped.totals.failed == 1
        again = Fate()
        report = report_of(await live(home, again, resume=True, wrap=target_with(place)))
        first = next(event for event in again.seen if isinstance(event, FilesDone))
        assert first.totals.files > 0
        assert again.events.index("FilesDone") < again.events.index("GroupStarted")
        assert (report.exit_code, report.totals.failed) == (3, 3)
        opened = sorted(event.vm for event in again.seen if isinstance(event, MountOpened))
        assert opened == sorted(one.vm for one in stopped.groups if one.state != "done"), "what is done is not mounted"
        assert len(problems(again)) == 2, "what an earlier process has told of and nobody tries again is not told anew"
        demand_whole_files(home)
        demand_nothing_held(home)


async def test_a_file_that_one_entry_skips_and_the_next_overwrites_is_counted_as_restored(
    estate: Estate, tmp_path: Path
) -> None:
    async with house(estate, tmp_path, wanted={"fs01": {"C:\\Shares": "C:"}}) as home:
        others = put_others_there(home)
        entries = [
            {"vm": "fs01", "paths": ["C:\\Shares"], "on_conflict": policy, "to": str(home.target / "{vm}")}
            for policy in ("skip", "overwrite")
        ]
        home.job = Job.model_validate({"name": "chaos", "restore": entries})
        report = report_of(await live(home))
        assert others > 0
        assert report.totals == Totals(restored=len(home.wanted), bytes=report.totals.bytes)
        assert home.wrong() == []
