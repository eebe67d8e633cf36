"""One bad neighbour does not stop the run: a backup server, a share, a disk, an answer that never came."""

import asyncio
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from orchestrator.core import health
from orchestrator.core.catalog import FlrState
from orchestrator.core.entries import Entry
from orchestrator.core.errors import FileError
from orchestrator.core.events import FileProblem, MountLeft, Notice, Stopping
from orchestrator.core.reasons import Reason
from orchestrator.engine.seats import Seats
from orchestrator.simulator import (
    Drop,
    Estate,
    FailedTaskButMounted,
    FailTask,
    Fault,
    Hang,
    SlowTask,
    Status,
    StuckTask,
)
from orchestrator.simulator.faults import FaultScript
from tests.support.chaos import (
    WANTED,
    Fate,
    demand_everything_restored,
    demand_nothing_held,
    demand_nothing_more_to_do,
    demand_whole_files,
    house,
    live,
    report_of,
)
from tests.support.felt_time import LONG, FeltTime


class Wrapped:
    """A room with some of its methods replaced."""

    def __init__(self, real: Any, **methods: Callable[..., Any]) -> None:
        self._real, self._methods = real, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._real, name)


def notices(fate: Fate) -> list[str]:
    return [event.message for event in fate.seen if isinstance(event, Notice)]


async def test_a_mount_that_fails_once_gets_a_second_turn(estate: Estate, tmp_path: Path) -> None:
    async with house(estate, tmp_path, Fault("mount_post", action=FailTask("the proxy is busy"))) as home:
        demand_everything_restored(home, await live(home))


async def test_a_task_that_says_failed_although_it_mounted_leaves_no_mount(estate: Estate, tmp_path: Path) -> None:
    async with house(estate, tmp_path, Fault("mount_post", action=FailedTaskButMounted("timed out"))) as home:
        demand_everything_restored(home, await live(home))


@pytest.mark.parametrize(
    "action",
    [Drop(), Drop(after=True), Status(500, after=True), Status(503), Status(503, after=True)],
    ids=repr,
)
async def test_a_mount_request_without_a_usable_answer_ends_in_one_mount_at_most(
    estate: Estate, tmp_path: Path, action: Any
) -> None:
    async with house(estate, tmp_path, Fault("mount_post", action=action)) as home:
        demand_everything_restored(home, await live(home))
        assert home.simulator.peak_mounts() <= 3


async def test_a_lost_answer_is_waited_for_as_long_as_em_is_at_work_on_a_mount(estate: Estate, tmp_path: Path) -> None:
    # Far longer than the time a mount without a task gets to show up (0.1 s here).
    faults = [Fault("mount_post", action=SlowTask(1.0), times=3), Fault("mount_post", action=Drop(after=True), times=3)]
    async with house(estate, tmp_path, *faults) as home:
        demand_everything_restored(home, await live(home))
        asked = sum(entry.route == "mount_post" for entry in home.simulator.log)
        assert asked == 3, "who does not wait asks again, and leaves behind what comes late"


async def test_a_task_that_never_ends_is_reported_and_can_be_swept(estate: Estate, tmp_path: Path) -> None:
    limits = {"mount_timeout": 1.5, "unmount_timeout": 1.5}
    fault = Fault("mount_post", action=StuckTask(), times=9, match=estate.machines[0].points[-1].uid)
    async with house(estate, tmp_path, fault, limits=limits, strict=False) as home:
        report = report_of(await live(home))
        assert report.exit_code == 7
        assert [left.vm for left in report.mounts_left] == ["fs01", "fs01"]
        demand_whole_files(home)


async def test_an_unmount_that_hangs_is_abandoned_named_and_swept_later(estate: Estate, tmp_path: Path) -> None:
    uid = estate.machines[0].points[-1].uid
    fault = Fault("mount_delete", action=Hang(), match=uid)
    # Nothing but a DELETE under its own session ends that mount, so the session must not be logged off.
    never = {"session_end_unmounts": "never"}
    async with house(estate, tmp_path, fault, limits={"unmount_timeout": 2}, **never) as home:
        fate = Fate()
        report = report_of(await live(home, fate))
        assert report.exit_code == 7
        assert [left.vm for left in report.mounts_left] == ["fs01"]
        assert sum(isinstance(event, MountLeft) for event in fate.seen) == 1
        assert home.missing() == []
        # The next process finds the session that still holds it, deletes the mount under it and logs it off.
        again = await live(home)
        assert report_of(again).exit_code == 0
        demand_nothing_held(home)


async def test_a_volume_that_em_will_not_list_leaves_its_machine_undone_so_that_resuming_tries_it_again(
    estate: Estate, tmp_path: Path
) -> None:
    wanted = {"fs01": {"C:\\Shares": "C:", "D:\\": "D:"}}
    fault = Fault("browse", action=Status(404), times=99, match="C:")
    async with house(estate, tmp_path, fault, strict=False, wanted=wanted) as home:
        report = report_of(await live(home))
        assert [(one.guest_path, one.reason) for one in report.problems] == [("C:\\Shares", "mount-failed")]
        assert (report.exit_code, [one.state for one in report.groups]) == (4, ["failed"])
        assert (home.target / "fs01/D/Data/x.txt").exists()
        home.simulator._script = FaultScript(())
        demand_everything_restored(home, await live(home, resume=True, run=report.run))


@pytest.mark.parametrize("how", ["drain", "cancel"])
async def test_a_stop_while_the_other_volumes_are_copied_loses_no_file_of_them(
    estate: Estate, tmp_path: Path, how: str
) -> None:
    fault = Fault("browse", action=Status(404), times=99, match="C:")

    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(*words: Any) -> Any:
            fate.how, fate.call = how, len(fate.calls) + 1  # the very next call
            return room.place(*words)

        return Wrapped(room, place=place)

    async with house(
        estate, tmp_path, fault, strict=False, wanted={"fs01": {"C:\\Shares": "C:", "D:\\": "D:"}}
    ) as home:
        fate = Fate()
        report = report_of(await live(home, fate, wrap=wrap))
        assert (report.exit_code, report.state, [one.state for one in report.groups]) == (6, "stopped", ["stopped"])
        home.simulator._script = FaultScript(())
        demand_everything_restored(home, await live(home, resume=True))


@pytest.mark.parametrize("action", [Status(500), Status(503, headers={"Retry-After": "1"}), Drop()], ids=repr)
async def test_a_delete_that_fails_at_first_is_repeated_until_the_mount_is_gone(
    estate: Estate, tmp_path: Path, action: Any
) -> None:
    async with house(estate, tmp_path, Fault("mount_delete", action=action, times=2)) as home:
        demand_everything_restored(home, await live(home))


async def test_a_backup_server_whose_mounts_keep_failing_is_paused_and_given_up_and_the_others_finish(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PAUSE", 0.01)
    faults = [
        Fault("mount_post", action=FailTask("no disk"), times=99, match=machine.points[-1].uid)
        for machine in estate.machines
        if machine.backup_server == "vbr01"
    ]
    async with house(estate, tmp_path, *faults, strict=False) as home:
        fate = Fate()
        report = report_of(await live(home, fate))
        assert report.exit_code == 4
        assert {group.vm: group.state for group in report.groups} == {
            "fs01": "failed",
            "app 1": "failed",
            "Büro-Ablage": "done",
        }
        assert any(text.startswith("vbr01 is paused") for text in notices(fate))
        demand_nothing_held(home)


async def test_a_paused_server_that_recovers_is_used_again(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PAUSE", 0.05)
    monkeypatch.setattr(health, "TRIP_AFTER", 1)
    async with house(estate, tmp_path, Fault("mount_post", action=FailTask("restarting"), times=1)) as home:
        fate = Fate()
        demand_everything_restored(home, await live(home, fate))
        assert any("mounts again" in text for text in notices(fate))


async def test_how_long_a_mount_took_is_known_where_the_places_are_given(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took: dict[str, float] = {}
    real = Seats.mounted

    def mounted(seats: Seats, server: str, seconds: float) -> None:
        took[server] = seconds
        real(seats, server, seconds)

    monkeypatch.setattr(Seats, "mounted", mounted)
    slow = Fault("mount_post", action=SlowTask(0.5), match=estate.machines[2].points[-1].uid)
    wanted = {name: WANTED[name] for name in ("app 1", "Büro-Ablage")}
    async with house(estate, tmp_path, slow, wanted=wanted) as home:
        demand_everything_restored(home, await live(home))
    assert took["vbr02"] >= 0.5
    assert took["vbr02"] > took["vbr01"]


async def test_a_drain_that_takes_longer_than_its_grace_becomes_a_cancel(estate: Estate, tmp_path: Path) -> None:
    def place(room: Any, source: Any, entry: Entry, target: Any, replace: bool, check: Any, *more: Any) -> Any:
        assert fate.stop is not None
        assert fate.loop is not None
        if not fate.stop.draining:
            fate.loop.call_soon_threadsafe(fate.stop.ask)
        for _ in range(500):  # it gets on, but not to its end
            check(0)
            never.wait(0.02)
        return room.place(source, entry, target, replace, check, *more)

    fate, never = Fate(), threading.Event()
    async with house(estate, tmp_path, wanted={"fs01": WANTED["fs01"]}, limits={"grace": 0.2}) as home:
        wrap = lambda name, room: (  # noqa: E731
            Wrapped(room, place=lambda *words: place(room, *words)) if name == "target" else room
        )
        report = report_of(await live(home, fate, wrap=wrap))
        assert (report.exit_code, report.totals.files) == (6, 0)
        assert [event.how for event in fate.seen if isinstance(event, Stopping)] == ["drain", "cancel"]
        demand_nothing_held(home)


async def test_a_folder_that_vanishes_is_one_lost_mount_and_not_many_file_errors(
    estate: Estate, tmp_path: Path
) -> None:
    seen = threading.Event()

    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
            if entry.relative.endswith("big.bin") and not seen.is_set():
                seen.set()
                for folder in estate.shares["vbr01"].glob("fs01*"):
                    folder.rename(folder.with_name("taken away"))
                raise FileError(reason=Reason.VANISHED, guest_path=entry.relative, what="gone")
            return room.place(source, entry, target, overwrite, check, *more)

        return Wrapped(room, place=place)

    async with house(estate, tmp_path, strict=False) as home:
        fate = Fate()
        report = report_of(await live(home, fate, wrap=wrap))
        assert [event for event in fate.seen if isinstance(event, FileProblem)] == []
        assert report.exit_code == 0
        assert report.remounts == 1
        assert home.wrong() == []
        assert home.missing() == []


async def test_a_read_that_does_not_move_is_given_up_and_tried_once_more_at_the_end(
    estate: Estate, tmp_path: Path
) -> None:
    hung, release, clock = threading.Event(), threading.Event(), FeltTime()

    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
            if entry.relative.endswith("deep.txt") and not hung.is_set():
                hung.set()
                clock.passes()
                release.wait(10)
                raise FileError(reason=Reason.READ_ERROR, guest_path=entry.relative, what="the share is back")
            return room.place(source, entry, target, overwrite, check, *more)

        return Wrapped(room, place=place)

    async with house(estate, tmp_path, limits={"stall_timeout": LONG}) as home:
        try:
            with mock.patch("orchestrator.engine.stages.ABANDON_AFTER", 0.05), clock.governs():
                ended = await live(home, wrap=wrap)
        finally:
            release.set()
        assert hung.is_set()
        demand_everything_restored(home, ended)


async def test_a_file_that_stalls_twice_is_a_failure_with_that_reason(estate: Estate, tmp_path: Path) -> None:
    release, clock = threading.Event(), FeltTime()

    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
            if entry.relative.endswith("deep.txt"):
                clock.passes()
                release.wait(10)
                raise FileError(reason=Reason.READ_ERROR, guest_path=entry.relative, what="too late")
            return room.place(source, entry, target, overwrite, check, *more)

        return Wrapped(room, place=place)

    async with house(estate, tmp_path, limits={"stall_timeout": LONG}) as home:
        try:
            with mock.patch("orchestrator.engine.stages.ABANDON_AFTER", 0.05), clock.governs():
                report = report_of(await live(home, wrap=wrap))
        finally:
            release.set()
        assert report.exit_code == 3
        assert [problem.reason for problem in report.problems] == ["stalled"]
        assert len(home.missing()) == 1
        demand_nothing_held(home)


async def test_a_file_that_fails_for_a_passing_reason_is_restored_at_the_end(estate: Estate, tmp_path: Path) -> None:
    failed: list[str] = []

    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
            if entry.relative.endswith("x.txt") and not failed:
                failed.append(entry.relative)
                raise FileError(reason=Reason.LOCKED, guest_path=entry.relative, what="held by antivirus")
            return room.place(source, entry, target, overwrite, check, *more)

        return Wrapped(room, place=place)

    async with house(estate, tmp_path) as home:
        ended = await live(home, wrap=wrap)
        assert len(failed) == 1
        demand_everything_restored(home, ended)


async def test_what_stays_locked_is_in_the_residual_job_and_running_that_finishes_the_night(
    estate: Estate, tmp_path: Path
) -> None:
    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
            if entry.relative.endswith("x.txt"):
                raise FileError(reason=Reason.LOCKED, guest_path=entry.relative, what="held by antivirus")
            return room.place(source, entry, target, overwrite, check, *more)

        return Wrapped(room, place=place)

    async with house(estate, tmp_path) as home:
        report = report_of(await live(home, wrap=wrap))
        assert report.exit_code == 3
        text = Path(report.files["residual"]).read_text("utf-8")
        assert len(tomllib.loads(text)["restore"]) == 1
        whole = home.job
        home.job = type(whole).model_validate(tomllib.loads(text))
        assert report_of(await live(home)).totals.restored == 2
        home.job = whole
        assert home.missing() == []
        await demand_nothing_more_to_do(home)


async def test_a_full_destination_pauses_says_so_and_goes_on_when_there_is_room(estate: Estate, tmp_path: Path) -> None:
    fate = Fate()

    def said() -> bool:
        return any("nearly full" in text for text in notices(fate))

    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, free_space=lambda root: (1 << 40) if said() else 0) if name == "target" else room

    async with house(estate, tmp_path, limits={"space_wait": 5}) as home:
        with mock.patch("orchestrator.engine.space.ASK_EVERY", 0.01):
            ended = await live(home, fate, wrap=wrap)
        demand_everything_restored(home, ended)
        assert said()
        assert any("has room again" in text for text in notices(fate))


async def test_a_destination_that_stays_full_ends_the_run_resumable_and_with_no_mount(
    estate: Estate, tmp_path: Path
) -> None:
    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, free_space=lambda root: 0) if name == "target" else room

    async with house(estate, tmp_path, limits={"space_wait": 0.05}) as home:
        report = report_of(await live(home, wrap=wrap))
        assert report.exit_code == 6
        demand_nothing_held(home)
        demand_everything_restored(home, await live(home, resume=True))


async def test_a_run_that_only_produces_errors_is_stopped(estate: Estate, tmp_path: Path) -> None:
    def wrap(name: str, room: Any) -> Any:
        if name != "target":
            return room

        def place(source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
            raise FileError(reason=Reason.ACCESS_DENIED, guest_path=entry.relative, what="denied")

        return Wrapped(room, place=place)

    limits = {"failure_floor": 3, "failure_rate": 0.5, "mounts": 1}
    async with house(estate, tmp_path, limits=limits) as home:
        fate = Fate()
        report = report_of(await live(home, fate, wrap=wrap))
        assert any("limits.failure_rate" in text for text in notices(fate))
        assert report.exit_code == 6
        assert report.totals.failed < len(home.wanted)
        demand_nothing_held(home)


async def test_a_mount_lost_with_its_session_counts_as_gone_only_when_its_folder_is(
    estate: Estate, tmp_path: Path
) -> None:
    """With a backup server that never unmounts what a dead session held, the mount is named and the exit code is 7."""

    def wrap(name: str, room: Any) -> Any:
        if name != "client":
            return room

        async def says_nothing(point: Any, since: Any) -> FlrState:
            return FlrState.UNKNOWN

        return Wrapped(room, restore_state=says_nothing)

    settings = {"session_end_unmounts": "never"}
    async with house(estate, tmp_path, limits={"folder_timeout": 2}, **settings) as home:
        killed: list[bool] = []
        tasks: list[asyncio.Task[None]] = []

        def end_session(event: Any) -> None:
            if type(event).__name__ == "FilesLocated" and not killed:
                killed.append(True)
                tasks.append(asyncio.get_running_loop().create_task(home.simulator.end_session()))

        fate = Fate(listen=end_session)
        report = report_of(await live(home, fate, wrap=wrap))
        assert killed
        assert report.exit_code == 7
        assert report.mounts_left
        assert home.missing() == []


async def test_in_the_durable_mode_by_batch_the_disk_is_flushed_before_the_journal_says_restored(
    estate: Estate, tmp_path: Path
) -> None:
    story: list[str] = []

    def wrap(name: str, room: Any) -> Any:
        if name == "target":
            return Wrapped(room, flush=lambda: story.append("flush"))
        return room

    async with house(estate, tmp_path) as home:
        fate = Fate(listen=lambda event: story.append("told") if type(event).__name__ == "FilesDone" else None)
        home.copy = {"durable": "batch"}
        demand_everything_restored(home, await live(home, fate, wrap=wrap))
    assert story[0] == "flush"
    assert story.count("flush") >= 1
    told_without_flush = [place for place, word in enumerate(story) if word == "told" and "flush" not in story[:place]]
    assert told_without_flush == []
