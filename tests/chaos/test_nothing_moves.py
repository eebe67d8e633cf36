"""A share or a disk that hangs is noticed by itself and holds nobody for ever; one that is only slow is waited for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import pytest

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import ShareUnreadable, StateError
from orchestrator.core.events import MountDeleted, Notice
from orchestrator.engine import walking
from orchestrator.ledgers.outcomes import Outcomes
from orchestrator.simulator import Estate
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import (
    Ended,
    Fate,
    House,
    demand_everything_restored,
    demand_nothing_held,
    demand_whole_files,
    house,
    live,
    report_of,
)
from tests.support.felt_time import LONG, FeltTime

STALL: dict[str, Any] = {"stall_timeout": LONG}
TIME = FeltTime()


@pytest.fixture(autouse=True)
def time_passes_for_what_hangs() -> Iterator[None]:
    with TIME.governs():
        yield


class Hung:
    """One method of a room that does not come back for arguments that `when` holds true of, until `let_go` is set."""

    def __init__(self, room: str, method: str, when: Callable[..., bool] = lambda *_: True) -> None:
        self.room, self.method, self._when = room, method, when
        self.at_it, self.let_go = threading.Event(), threading.Event()
        self.times = 0

    def wrap(self, name: str, room: Any) -> Any:
        if name != self.room:
            return room
        real = getattr(room, self.method)

        def call(*words: Any) -> Any:
            if not self.let_go.is_set() and self._when(*words):
                self.times += 1
                self.at_it.set()
                TIME.passes()
                self.let_go.wait(15)
            return real(*words)

        return Wrapped(room, **{self.method: call})


@contextmanager
def hung(room: str, method: str, when: Callable[..., bool] = lambda *_: True) -> Iterator[Hung]:
    one = Hung(room, method, when)
    try:
        yield one
    finally:
        one.let_go.set()


def of_fs01(*words: Any) -> bool:
    """Something on the mount of fs01."""
    return "/fs01" in str(words[0])


def told(fate: Fate) -> str:
    return "\n".join(event.message for event in fate.seen if isinstance(event, Notice))


async def demand_resumed(home: House, ended: Ended) -> None:
    """What was given up is done by naming the run again, once the share answers."""
    run = report_of(ended).run
    again = await live(home, resume=True, run=run)
    demand_everything_restored(home, again)


def target_with(place: Callable[..., Any]) -> Callable[[str, Any], Any]:
    """The target room with another `place`, which is given the real room first."""
    return lambda name, room: Wrapped(room, place=lambda *words: place(room, *words)) if name == "target" else room


# The share hangs


@pytest.mark.parametrize("method", ["look", "scan"])
async def test_a_walk_that_does_not_get_on_fails_what_was_asked_for_there_and_nothing_else(
    estate: Estate, tmp_path: Path, method: str
) -> None:
    """fs01 has C: in its Volume2; D: and the other machines are as they should be."""
    when = lambda path, *_: of_fs01(path) and "Volume2" in str(path)  # noqa: E731
    with hung("source", method, when) as hang:
        async with house(estate, tmp_path, limits=STALL) as home:
            fate = Fate()
            ended = await live(home, fate, wrap=hang.wrap)
            report = report_of(ended)
            assert [(one.guest_path, one.reason) for one in report.problems] == [("C:\\Shares", "stalled")]
            assert "limits.stall_timeout" in report.problems[0].message
            assert {one.vm: one.state for one in report.groups} == {
                "fs01": "failed", "app 1": "done", "Büro-Ablage": "done",
            }  # fmt: skip
            assert report.exit_code == 4
            assert all("fs01/C/" in str(path) for path in home.missing())
            assert (home.target / "fs01/D/Data/x.txt").exists()
            assert sum(isinstance(event, MountDeleted) for event in fate.seen) == 3
            demand_whole_files(home)
            demand_nothing_held(home)
            hang.let_go.set()
            await demand_resumed(home, ended)


async def test_what_was_found_before_a_walk_got_stuck_is_restored(estate: Estate, tmp_path: Path) -> None:
    stuck, let_go = threading.Event(), threading.Event()

    def scan(room: Any, start: Any, enters: Any, beat: Any) -> Any:
        for entries in room.scan(start, enters, beat):
            for entry in entries:
                if of_fs01(start) and entry.relative.endswith("read only.txt") and not let_go.is_set():
                    stuck.set()
                    TIME.passes()
                    let_go.wait(15)
                yield [entry]

    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, scan=lambda *words: scan(room, *words)) if name == "source" else room

    async with house(estate, tmp_path, limits=STALL) as home:
        try:
            report = report_of(await live(home, wrap=wrap))
        finally:
            let_go.set()
        assert stuck.is_set()
        assert [(one.guest_path, one.reason) for one in report.problems] == [("C:\\Shares", "stalled")]
        assert (home.target / "fs01/C/Shares/big.bin").exists()
        assert not (home.target / "fs01/C/Shares/read only.txt").exists()


@pytest.mark.parametrize("batch", [1, walking.BATCH_FILES])
async def test_what_was_found_to_be_there_already_before_a_walk_got_stuck_is_told(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(walking, "BATCH_FILES", batch)
    let_go, heard = threading.Event(), set[tuple[str, str]]()

    def scan(room: Any, start: Any, enters: Any, beat: Any) -> Any:
        for entries in room.scan(start, enters, beat):
            for entry in entries:
                if entry.kind is EntryKind.FILE and of_fs01(start):
                    if "Volume2" in start.root and sum("Volume2" in root for root, _ in heard) == 2:
                        TIME.passes()
                        let_go.wait(15)
                    heard.add((start.root, entry.relative))
                yield [entry]

    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, scan=lambda *words: scan(room, *words)) if name == "source" else room

    async with house(estate, tmp_path, limits=STALL) as home:
        await live(home)
        try:
            report = report_of(await live(home, wrap=wrap))
            told = len(heard)
        finally:
            let_go.set()
        assert [(one.guest_path, one.reason) for one in report.problems] == [("C:\\Shares", "stalled")]
        (group,) = (one for one in report.groups if one.vm == "fs01")
        assert (group.totals.skipped, group.totals.restored) == (told, 0)


async def test_what_a_walk_has_found_is_restored_when_the_destination_hangs_while_it_is_listed_for_it(
    estate: Estate, tmp_path: Path
) -> None:
    let_go = threading.Event()

    def listing(room: Any, root: str, relative: str) -> Any:
        if root.endswith("fs01") and relative.startswith("C"):
            TIME.passes()
            let_go.wait(15)
        return room.listing(root, relative)

    def wrap(name: str, room: Any) -> Any:
        return Wrapped(room, listing=lambda *words: listing(room, *words)) if name == "target" else room

    async with house(estate, tmp_path, limits=STALL) as home:
        try:
            report = report_of(await live(home, wrap=wrap))
        finally:
            let_go.set()
        assert [(one.guest_path, one.reason) for one in report.problems] == [("C:\\Shares", "stalled")]
        assert (home.target / "fs01/C/Shares/big.bin").exists()


async def test_a_share_that_is_slow_but_gets_on_is_never_given_up(estate: Estate, tmp_path: Path) -> None:
    never = threading.Event()

    def slowly(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any) -> Any:
            *others, beat = words
            for _ in range(5):
                TIME.passes(0.9 * LONG)
                never.wait(0.05)
                beat()
            return method(*others, lambda: (TIME.passes(0.9 * LONG), beat()))

        return call

    def wrap(name: str, room: Any) -> Any:
        if name != "source":
            return room
        return Wrapped(
            room, **{method: slowly(getattr(room, method)) for method in ("folders", "listing", "look", "scan")}
        )

    wanted = {"fs01": {"C:\\Shares": "C:"}}
    async with house(estate, tmp_path, limits=STALL, wanted=wanted) as home:
        demand_everything_restored(home, await live(home, wrap=wrap))


async def test_a_share_that_hangs_while_files_are_copied_is_given_up_as_a_whole(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not file by file: a million files would take a million times the limit."""
    monkeypatch.setattr("orchestrator.engine.stages.ABANDON_AFTER", 0.05)
    with hung("target", "place", lambda source, *_: of_fs01(source)) as copying:
        looking = Hung("source", "look", lambda path, *_: of_fs01(path) and copying.at_it.is_set())
        async with house(estate, tmp_path, limits={**STALL, "copies": 1}) as home:
            try:
                ended = await live(home, wrap=lambda name, room: looking.wrap(name, copying.wrap(name, room)))
            finally:
                looking.let_go.set()
            report = report_of(ended)
            assert {one.vm: one.state for one in report.groups}["fs01"] == "failed"
            assert {one.reason for one in report.problems} == {"stalled"}
            assert copying.times <= 2
            demand_nothing_held(home)
            copying.let_go.set()
            await demand_resumed(home, ended)


@pytest.mark.parametrize("call", [1, 3], ids=["before the run", "before a mount"])
async def test_a_share_that_cannot_be_listed_before_a_mount_costs_its_machines_and_one_wait(
    estate: Estate, tmp_path: Path, call: int
) -> None:
    share = str(estate.shares["vbr01"])
    calls: list[str] = []

    def when(asked: str, *_: Any) -> bool:
        calls.extend([asked] if asked == share else [])
        return asked == share and len(calls) >= call

    with hung("source", "folders", when) as hang:
        async with house(estate, tmp_path, limits=STALL) as home:
            if call == 1:
                with pytest.raises(ShareUnreadable, match=r"limits\.stall_timeout"):
                    await live(home, wrap=hang.wrap)
            else:
                report = report_of(await live(home, wrap=hang.wrap))
                assert {one.vm: one.state for one in report.groups}["Büro-Ablage"] == "done"
                assert {one.reason for one in report.problems} == {"mount-failed"}
                assert all("limits.stall_timeout" in one.message for one in report.problems)
                assert report.exit_code == 4
            demand_nothing_held(home)
        assert hang.times <= 2, "those who ask at the same time wait; later ones are only told"


@pytest.mark.parametrize("method", ["folders", "listing"])
async def test_a_share_that_hangs_once_the_machine_is_mounted_ends_the_group_and_the_mount(
    estate: Estate, tmp_path: Path, method: str
) -> None:
    home_of: list[House] = []
    when = lambda path, *_: bool(home_of[0].simulator.mounts_made) and "vbr01" in str(path)  # noqa: E731
    with hung("source", method, when) as hang:
        async with house(estate, tmp_path, limits=STALL) as home:
            home_of.append(home)
            ended = await live(home, wrap=hang.wrap)
            report = report_of(ended)
            assert {one.vm: one.state for one in report.groups}["fs01"] == "failed"
            assert "limits.stall_timeout" in {one.vm: one.message for one in report.groups}["fs01"]
            demand_nothing_held(home)
            hang.let_go.set()
            await demand_resumed(home, ended)


async def test_a_share_that_hangs_after_the_mount_was_deleted_only_costs_the_confirmation(
    estate: Estate, tmp_path: Path
) -> None:
    home_of: list[House] = []
    when = lambda *_: any(one.route == "mount_delete" for one in home_of[0].simulator.log)  # noqa: E731
    with hung("source", "folders", when) as hang:
        async with house(estate, tmp_path, limits=STALL, wanted={"app 1": {"/srv": "/"}}) as home:
            home_of.append(home)
            demand_everything_restored(home, await live(home, wrap=hang.wrap))
        assert hang.at_it.is_set()


# The destination hangs


@pytest.mark.parametrize("method", ["free_space", "check_root"])
async def test_a_destination_that_does_not_answer_ends_in_words_and_with_no_mount(
    estate: Estate, tmp_path: Path, method: str
) -> None:
    with hung("target", method) as hang:
        async with house(estate, tmp_path, limits={**STALL, "space_wait": 0.2}) as home:
            fate = Fate()
            if method == "check_root":
                with pytest.raises(Exception, match=r"limits\.stall_timeout"):
                    await live(home, fate, wrap=hang.wrap)
            else:
                report = report_of(await live(home, fate, wrap=hang.wrap))
                assert report.exit_code == 6
                said = told(fate) + "".join(one.message for one in report.problems)
                assert "limits.stall_timeout" in said
                assert "does not answer" in said
            assert home.visible() == []
            demand_nothing_held(home)
            hang.let_go.set()
            demand_everything_restored(home, await live(home, resume=True))


async def test_a_destination_that_does_not_say_whether_it_folds_case_is_taken_for_one_that_does(
    estate: Estate, tmp_path: Path
) -> None:
    """What it does not answer at all is met a moment later, where it counts as full."""
    with hung("target", "folds_case") as hang:
        async with house(estate, tmp_path, limits=STALL) as home:
            report = report_of(await live(home, wrap=hang.wrap))
            assert {one.reason for one in report.problems} == {"name-clash"}
            assert len(home.missing()) == len(report.problems) == 1
            demand_nothing_held(home)


async def test_folders_whose_times_cannot_be_set_are_told_of_and_nothing_else_is_lost(
    estate: Estate, tmp_path: Path
) -> None:
    with hung("target", "finish_folder") as hang:
        async with house(estate, tmp_path, limits=STALL) as home:
            fate = Fate()
            demand_everything_restored(home, await live(home, fate, wrap=hang.wrap))
            assert "fs01: not every folder got its time back" in told(fate)


@pytest.mark.parametrize("asked", [True, False], ids=["two requests to stop", "nobody asks"])
async def test_a_flush_that_never_ends_is_left_behind_and_nothing_is_told_as_restored(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    monkeypatch.setattr("orchestrator.engine.scribe.FLUSH_WITHIN", 0.1)
    limits = {"stall_timeout": 0.1, "grace": 0.1, "space_wait": 60 if asked else 0.1}
    with hung("target", "flush") as hang:
        async with house(estate, tmp_path, limits=limits) as home:
            home.copy = {"durable": "batch"}
            fate = Fate()

            async def ask_twice() -> None:
                await anyio.to_thread.run_sync(hang.at_it.wait, 10)
                assert fate.stop is not None
                fate.stop.ask()
                fate.stop.ask()

            async with anyio.create_task_group() as beside:
                if asked:
                    beside.start_soon(ask_twice)
                report = report_of(await live(home, fate, wrap=hang.wrap))
            assert (report.exit_code, report.totals.restored) == (6, 0)
            assert "done" not in {one.state for one in report.groups}
            assert "is not told as restored" in told(fate)
            demand_whole_files(home)
            demand_nothing_held(home)
            hang.let_go.set()
            demand_everything_restored(home, await live(home, resume=True))


async def test_large_files_that_were_cut_short_are_not_waited_for_on_a_dead_disk(
    estate: Estate, tmp_path: Path
) -> None:
    with hung("target", "forget_interrupted") as hang:
        async with house(estate, tmp_path, limits=STALL) as home:
            demand_everything_restored(home, await live(home, wrap=hang.wrap))
        assert hang.at_it.is_set()


# The disk of the journal hangs


async def test_a_journal_that_does_not_answer_ends_the_run_as_one_that_fails_and_leaves_no_mount(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.engine.books.ANSWER_WITHIN", 3.0)
    let_go, real, calls = threading.Event(), Outcomes.record, [0]

    def record(*words: Any) -> Any:
        calls[0] += 1
        let_go.wait(15)
        return real(*words)

    async with house(estate, tmp_path) as home:
        try:
            with mock.patch.object(Outcomes, "record", record), pytest.raises(StateError, match="has not answered"):
                await live(home)
        finally:
            let_go.set()
        assert calls == [1], "while one call hangs no other is begun"
        assert home.simulator.open_mounts() == []
        demand_whole_files(home)
        demand_everything_restored(home, await live(home, resume=True), strays=1)


# Slow threads, and threads that come back


async def test_waiting_for_a_free_thread_is_no_stall(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread copies, slowly but all the time; the batches of the others wait longer than the stall limit."""
    monkeypatch.setattr("orchestrator.engine.stages.TRY_AGAIN_AT_MOST", 0)  # what stalls is told at once
    never = threading.Event()

    def place(room: Any, source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
        for _ in range(4):
            TIME.passes(0.9 * LONG)
            never.wait(0.03)
            check(0)
        return room.place(source, entry, target, overwrite, check, *more)

    async with house(estate, tmp_path, limits={**STALL, "copies": 1}) as home:
        demand_everything_restored(home, await live(home, wrap=target_with(place)))


async def test_a_thread_that_comes_back_while_it_is_given_up_costs_no_file(estate: Estate, tmp_path: Path) -> None:
    hung, never = threading.Event(), threading.Event()

    def place(room: Any, source: Any, entry: Entry, target: Any, overwrite: bool, check: Any, *more: Any) -> Any:
        if not hung.is_set():  # the first file of the first batch; others follow it
            hung.set()
            TIME.passes()
            never.wait(0.6)
        return room.place(source, entry, target, overwrite, check, *more)

    async with house(estate, tmp_path, limits=STALL) as home:
        demand_everything_restored(home, await live(home, wrap=target_with(place)))
