"""A mount whose session is gone counts as gone only when that is proved: by the living share, or by EM's own word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.core.catalog import FlrState
from orchestrator.core.errors import EmUnreachable
from orchestrator.core.events import Event, FilesLocated
from orchestrator.simulator import EndSession, Estate, Fault
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import Fate, House, demand_everything_restored, house, live, report_of

WANTED = {"fs01": {"C:\\": "C:"}}
QUICK: dict[str, Any] = {"folder_timeout": 1}


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """A share of its own, on which nothing but the mount of one machine is ever seen."""
    estate = Estate.empty(tmp_path / "estate")
    estate.add_machine("fs01", points=[{"C:": {f"{number}.txt": b"%d" % number for number in range(5)}}])
    return estate


def says(state: FlrState | Exception) -> Callable[[str, Any], Any]:
    """What EM tells of the restore sessions of a machine."""

    async def restore_state(point: Any, since: Any) -> FlrState:
        if isinstance(state, Exception):
            raise state
        return state

    return lambda name, room: Wrapped(room, restore_state=restore_state) if name == "client" else room


def unmount(share: Path) -> None:
    """What an unmounted share leaves: another folder of that name, with nothing in it."""
    share.rename(share.with_name("not mounted any more"))
    share.mkdir()


async def stopped_without_its_session(home: House, then: Callable[[], None]) -> int:
    """The exit code of a run that loses its session while its mount is open, and is stopped before it mounts again."""

    def listen(event: Event) -> None:
        if isinstance(event, FilesLocated):
            tasks.start_soon(end)

    async def end() -> None:
        await home.simulator.end_session()
        assert fate.stop is not None
        fate.stop.drain()
        then()

    fate = Fate(listen=listen)
    async with anyio.create_task_group() as tasks:
        report = report_of(await live(home, fate, wrap=says(FlrState.UNKNOWN)))
    assert len(report.mounts_left) == (report.exit_code == 7)
    return report.exit_code or 0


@pytest.mark.parametrize(("share_is_left", "code"), [(True, 6), (False, 7)], ids=["still mounted", "unmounted"])
async def test_an_empty_share_proves_a_mount_gone_only_while_it_is_the_share_that_showed_it(
    estate: Estate, tmp_path: Path, share_is_left: bool, code: int
) -> None:
    share = estate.shares["vbr01"]
    async with house(estate, tmp_path / "house", wanted=WANTED, limits=QUICK) as home:
        assert await stopped_without_its_session(home, lambda: None if share_is_left else unmount(share)) == code
        assert list(share.iterdir()) == []


@pytest.mark.parametrize(
    ("other", "state", "cleared"),
    [
        (True, FlrState.UNKNOWN, True),
        (False, FlrState.STOPPED, True),
        (False, FlrState.UNKNOWN, False),
        (True, FlrState.WORKING, True),
    ],
    ids=["another folder is seen", "EM says stopped", "nothing is known", "the folder counts first"],
)
async def test_after_a_crash_an_empty_folder_in_place_of_the_share_proves_nothing(
    estate: Estate, tmp_path: Path, other: bool, state: FlrState, cleared: bool
) -> None:
    share = estate.shares["vbr01"]
    async with house(estate, tmp_path / "house", wanted=WANTED, limits=QUICK) as home:

        def strike(event: Event) -> None:
            if isinstance(event, FilesLocated):
                fate.event = len(fate.events) + 1

        fate = Fate("kill", listen=strike)
        assert await live(home, fate) is None
        await home.simulator.end_session()
        assert list(share.iterdir()) == []
        if other:
            (share / "app1_3c75de11").mkdir()
        again = await live(home, resume=True, wrap=says(state))
        if cleared:
            demand_everything_restored(home, again)
            return
        report = report_of(again)
        assert (report.exit_code, len(report.mounts_left)) == (7, 1)
        assert home.missing() == []
        demand_everything_restored(home, await live(home, resume=True, run=report.run))


@pytest.mark.parametrize(
    ("state", "code"),
    [(FlrState.UNKNOWN, 0), (FlrState.STOPPED, 0), (FlrState.WORKING, 7), (EmUnreachable(url="em", cause="down"), 7)],
    ids=["EM knows of none", "EM says stopped", "EM says working", "EM cannot be asked"],
)
async def test_a_mount_that_was_asked_for_as_the_session_ended_counts_as_never_made_only_by_the_word_of_em(
    estate: Estate, tmp_path: Path, state: FlrState | Exception, code: int
) -> None:
    fault = Fault("mount_post", action=EndSession())
    async with house(estate, tmp_path / "house", fault, wanted=WANTED, limits=QUICK) as home:
        report = report_of(await live(home, wrap=says(state)))
        assert (report.exit_code, len(report.mounts_left)) == (code, int(code == 7))
        assert home.missing() == []
