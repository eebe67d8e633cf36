"""What a long night brings: full disks, an Enterprise Manager that restarts, reserved partitions, many problems."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from orchestrator import artefacts
from orchestrator.core import report as core_report
from orchestrator.core.catalog import GuestOs, RestorePoint, Task
from orchestrator.core.entries import Entry
from orchestrator.core.errors import EmUnreachable, FileError
from orchestrator.core.ledger import LeaseRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.reasons import Reason
from orchestrator.core.report import left_mount
from orchestrator.simulator import EndSession, Estate, Fault, Status
from tests.chaos.test_bad_neighbours import Wrapped
from tests.core.values import AT, point
from tests.support.chaos import build_estate, demand_everything_restored, demand_nothing_held, house, live, report_of
from tests.support.flow import flow


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return build_estate(tmp_path_factory.mktemp("estate"))


async def test_files_that_are_there_already_need_no_room(estate: Estate, tmp_path: Path) -> None:
    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, free_space=lambda root: (1 << 20) + 2000) if name == "target" else room

    async with house(estate, tmp_path, limits={"space_wait": 0.05}) as home:
        demand_everything_restored(home, await live(home))
        home.new_state()
        report = report_of(await live(home, wrap=wrap))
        assert (report.exit_code, report.totals.skipped) == (0, len(home.wanted))


async def test_an_em_that_refuses_one_connection_at_a_mount_request_costs_a_turn_and_not_the_run(
    estate: Estate, tmp_path: Path
) -> None:
    refused = [0]

    def wrap(name: str, room: Any) -> Any:
        if name != "client":
            return room

        async def request(at: RestorePoint, os: GuestOs | None, generation: int) -> Task:
            refused[0] += 1
            if refused[0] == 1:
                raise EmUnreachable(url="https://em", cause="the connection was refused")
            return await room.request(at, os, generation)

        return Wrapped(room, request=request)

    async with house(estate, tmp_path) as home:
        demand_everything_restored(home, await live(home, wrap=wrap))


@pytest.mark.flow
async def test_a_wrong_password_in_the_middle_is_tried_once_however_many_machines_wait(tmp_path: Path) -> None:
    def build(folder: Path) -> Estate:
        estate = Estate.empty(folder)
        for number in range(8):
            estate.add_machine(f"fs{number}", points=[{"C:": {"a.txt": b"%d" % number}}])
        return estate

    end = Fault("mounts_list", nth=3, action=EndSession())
    locked = Fault("logon", nth=2, times=100, action=Status(401))
    async with flow(tmp_path, build, end, locked, strict=False) as em:
        jobs = [em.job(name="one"), em.job(name="two", to=str(em.target / "two/{vm}"))]
        done = await em.run("run", *jobs)
        assert done.code in (4, 7), done.everything
        assert em.count("logon") == 2
        assert "Put the password right" in done.err
        em.lift_faults() if not em.simulator.unfired() else None


def reserved(content: dict[str, bytes | None]) -> Callable[[Path], Estate]:
    def build(folder: Path) -> Estate:
        estate = Estate.empty(folder)
        estate.add_machine(
            "fs01", points=[{"C:": {"a.txt": b"a", "b.txt": b"b"}, "Volume$0:": content, "Volume$1:": {}}]
        )
        return estate

    return build


@pytest.mark.flow
async def test_reserved_partitions_without_content_are_no_problem_of_a_whole_machine(tmp_path: Path) -> None:
    async with flow(tmp_path, reserved({})) as em:
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["*"]}))
        assert done.code == 0, done.everything
        assert {"fs01/C/a.txt", "fs01/C/b.txt"} <= em.restored().keys()
        asked = await em.run("run", em.job({"vm": "fs01", "paths": ["Volume$0:\\"]}, name="asked"))
        assert asked.code != 0, "what is asked for by name is told when it cannot be found"


async def test_every_problem_is_counted_and_repeated_however_few_are_shown(estate: Estate, tmp_path: Path) -> None:
    def place(source: Any, entry: Entry, *words: Any) -> Any:
        raise FileError(reason=Reason.ACCESS_DENIED, guest_path=entry.relative, what="denied")

    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, place=place) if name == "target" else room

    async with house(estate, tmp_path) as home:
        shown = mock.patch.object(artefacts, "PROBLEMS_SHOWN", 3, create=True)
        with shown, mock.patch.object(core_report, "PROBLEMS_SHOWN", 3):
            report = report_of(await live(home, wrap=wrap))
        assert len(report.problems) == 3
        assert report.problems_by_reason == {"access-denied": len(home.wanted)}
        demand_nothing_held(home)


@pytest.mark.parametrize("quote", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_no_machine_name_ends_the_text_of_the_command_that_an_operator_pastes(quote: str) -> None:
    lease = LeaseRow("l", "r", "g", "s", replace(point("x"), vm=f"a{quote}; Remove-Item\nb"), LeaseState.LEFT, AT)
    remedy = left_mount(lease).remedy
    assert f"a{quote}{quote};" in remedy
    assert "\n" not in remedy
