"""The journal or the target fails: no mount stays, nobody is told of a bug, and the run can be gone on with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from orchestrator import app as roof
from orchestrator.cli.speaking import _leaves
from orchestrator.core.errors import ExitCode, FileError, OrchestratorError, StateUnusable
from orchestrator.core.events import MountLeft
from orchestrator.core.reasons import Reason
from orchestrator.engine import scribe
from orchestrator.journal.store import Store
from orchestrator.ledgers.outcomes import Outcomes
from orchestrator.simulator import Estate, Fault, Status
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import (
    Fate,
    House,
    build_estate,
    demand_everything_restored,
    demand_whole_files,
    house,
    live,
    report_of,
)

FULL = StateUnusable(folder="state", cause="the disk is full")


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return build_estate(tmp_path_factory.mktemp("estate"))


@contextmanager
def full_from(number: int, *, for_ever: bool = True) -> Iterator[list[int]]:
    """The state folder's disk is full from its write `number` on; or at that write only."""
    real, writes = Store._transaction, [0]

    def transaction(self: Store, *, durable: bool) -> Any:
        writes[0] += 1
        if writes[0] == number or (for_ever and writes[0] > number):
            raise FULL
        return real(self, durable=durable)

    with mock.patch.object(Store, "_transaction", transaction):
        yield writes


async def end_of(home: House, fate: Fate | None = None, **more: Any) -> list[OrchestratorError]:
    """The errors that a process ended with, none when it ended in order."""
    try:
        ended = await live(home, fate, **more)
    except OrchestratorError as error:
        return [error]
    except BaseExceptionGroup as group:
        found = list(_leaves(group))
        assert all(isinstance(one, OrchestratorError) for one in found), found
        return [one for one in found if isinstance(one, OrchestratorError)]
    assert ended is not None
    return [one.error for one in ended if one.error is not None]


async def test_the_numbers_reach_beyond_the_last_write(estate: Estate, tmp_path: Path) -> None:
    async with house(estate, tmp_path) as home:
        with full_from(10_000) as writes:
            demand_everything_restored(home, await live(home))
        assert 20 < writes[0] < 60


@pytest.mark.parametrize("for_ever", [True, False])
@pytest.mark.parametrize("number", range(1, 60, 4))
async def test_a_full_disk_under_the_journal_leaves_no_mount_and_no_half_file(
    estate: Estate, tmp_path: Path, number: int, for_ever: bool
) -> None:
    async with house(estate, tmp_path) as home:
        fate = Fate()
        with full_from(number, for_ever=for_ever) as writes:
            errors = await end_of(home, fate)
        assert {error.exit_code for error in errors} <= {ExitCode.STATE}
        assert bool(errors) or writes[0] < number or home.missing() == []
        assert home.simulator.open_mounts() == []
        demand_whole_files(home)
        demand_everything_restored(home, await live(home, resume=True), strays=1)


async def test_outcomes_that_cannot_be_written_are_told_as_that_and_not_as_a_bug(
    estate: Estate, tmp_path: Path
) -> None:
    def record(*_: Any) -> None:
        raise FULL

    async with house(estate, tmp_path) as home:
        with mock.patch.object(Outcomes, "record", record):
            errors = await end_of(home)
        assert {error.exit_code for error in errors} == {ExitCode.STATE}
        assert home.simulator.open_mounts() == []
        again = await live(home, resume=True)
        demand_everything_restored(home, again, strays=1)
        assert report_of(again).totals.files == len(home.wanted), "a group was done before its outcomes were written"


async def test_a_target_that_takes_long_to_flush_slows_the_run_and_does_not_end_it(
    estate: Estate, tmp_path: Path
) -> None:
    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, flush=lambda: time.sleep(0.4)) if name == "target" else room

    async with house(estate, tmp_path, limits={"copies": 1}) as home:
        home.copy = {"durable": "batch"}
        home.copy = {"durable": "batch"}
        with mock.patch.object(scribe, "HANDOVER_WITHIN", 0.05):
            demand_everything_restored(home, await live(home, wrap=wrap))


async def test_a_target_that_cannot_be_flushed_is_told_and_the_run_ends_in_order(
    estate: Estate, tmp_path: Path
) -> None:
    def flush() -> None:
        raise FileError(reason=Reason.WRITE_ERROR, guest_path="/restore", what="input/output error")

    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, flush=flush) if name == "target" else room

    async with house(estate, tmp_path) as home:
        home.copy = {"durable": "batch"}
        report = report_of(await live(home, wrap=wrap))
        assert report.totals.restored == 0
        assert report.problems_by_reason["write-error"] == report.totals.failed > 0
        assert home.simulator.open_mounts() == []


async def test_a_mount_that_neither_em_nor_the_journal_lets_go_of_is_told_with_7(
    estate: Estate, tmp_path: Path
) -> None:
    faults = Fault("mount_delete", action=Status(500), times=10_000)
    async with house(estate, tmp_path, faults, strict=False, limits={"unmount_timeout": 0.3, "mounts": 1}) as home:
        fate = Fate()
        real = Store._transaction

        def transaction(self: Store, *, durable: bool) -> Any:
            if home.simulator.open_mounts() and any(one.route == "mount_delete" for one in home.simulator.log):
                raise FULL
            return real(self, durable=durable)

        with mock.patch.object(Store, "_transaction", transaction):
            errors = await end_of(home, fate)
        assert any(isinstance(event, MountLeft) for event in fate.seen)
        assert max(error.exit_code for error in errors) is ExitCode.MOUNTS_LEFT


async def test_a_report_whose_files_cannot_be_written_is_told_all_the_same(estate: Estate, tmp_path: Path) -> None:
    async with house(estate, tmp_path) as home:
        with mock.patch.object(roof, "write_artefacts", mock.Mock(side_effect=FULL)):
            ended = await live(home)
        assert ended is not None
        assert ended[0].error is FULL
        assert ended[0].report.totals.restored == len(home.wanted)
        assert (roof.exit_code(ended), ended[0].report.state) == (ExitCode.STATE, "finished")
        assert home.simulator.open_sessions() == []
