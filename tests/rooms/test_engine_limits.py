"""Limits of a process at work: held, changed while it works, and no reason to take it for hung."""

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.core.events import (
    Event,
    FilesLocated,
    GroupEnded,
    GroupStarted,
    LimitChanged,
    MountOpened,
    RunPaused,
    RunStarted,
)
from orchestrator.core.line import burst_of
from orchestrator.simulator import Estate
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import (
    Fate,
    House,
    demand_everything_restored,
    demand_nothing_held,
    demand_whole_files,
    house,
    live,
    report_of,
)
from tests.support.limited import FILE, Operator, large_files, small_files, waiting_is_quick


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return small_files(tmp_path_factory.mktemp("em"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return large_files(tmp_path_factory.mktemp("em"))


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Four machines with 100 files each."""
    return small_files(tmp_path_factory.mktemp("em"), 100, machines=4)


QUIET = 2.0
"""Seconds without a move after which a share counts as hung: more than a busy machine makes a live one wait."""
WANTED = {f"fs0{number}": {"C:\\Data": "C:"} for number in range(1, 5)}


def of_kind(*kinds: type[Event]) -> Any:
    return lambda event: isinstance(event, kinds)


class Copying:
    """Stands before the target, and knows how many files are being copied."""

    def __init__(self) -> None:
        self.now = self.most = self.begun = 0
        self.changed = threading.Condition()

    def wrap(self, name: str, room: Any) -> Any:
        return Wrapped(room, place=self._place(room.place)) if name == "target" else room

    def _place(self, real: Any) -> Any:
        def place(*words: Any) -> Any:
            with self.changed:
                self.now += 1
                self.begun += 1
                self.most = max(self.most, self.now)
                self.changed.notify_all()
            try:
                self.held()
                return real(*words)
            finally:
                with self.changed:
                    self.now -= 1
                    self.changed.notify_all()

        return place

    def held(self) -> None:
        """What happens in the middle of each copy."""


@pytest.mark.parametrize(
    ("limits", "bandwidth"),
    [({"bandwidth": "1 MB/s"}, "none"), ({"bandwidth_timetable": ["00:00-24:00 1 MB/s"]}, "none"), ({}, "1 MB/s")],
    ids=["config", "timetable", "job"],
)
async def test_small_files_are_copied_no_faster_than_they_may_be(
    tmp_path: Path, limits: dict[str, Any], bandwidth: str, small: Estate
) -> None:
    async with house(small, tmp_path / "house", wanted=WANTED, limits=limits) as home:
        home.job = home.job.model_copy(update={"bandwidth": bandwidth})
        fate = Fate()
        with waiting_is_quick() as waited:
            ended = await live(home, fate)
            demand_everything_restored(home, ended)
    seconds = (200 * FILE - burst_of(1_000_000)) / 1_000_000
    assert seconds <= waited.now <= seconds + 1
    assert not report_of(ended).changes  # it was so from the beginning
    [told] = [event for event in fate.seen if isinstance(event, LimitChanged)]
    assert (told.what, told.value, told.before) == ("bandwidth", "1 MB/s", "")


async def test_a_large_file_is_copied_no_faster_than_it_may_be(tmp_path: Path, large: Estate) -> None:
    limits = {"bandwidth": "1 MB/s"}
    async with house(large, tmp_path / "house", wanted=WANTED, limits=limits) as home:
        with waiting_is_quick() as waited:
            demand_everything_restored(home, await live(home))
    seconds = ((3 << 20) - burst_of(1_000_000)) / 1_000_000
    assert seconds <= waited.now <= seconds + 1


async def test_who_waits_for_bandwidth_is_not_taken_for_hung_and_goes_on_when_the_limit_is_lifted(
    tmp_path: Path, large: Estate
) -> None:
    """At a kilobyte a second the file would take an hour."""
    limits = {"bandwidth": "1 kB/s", "stall_timeout": QUIET}
    async with house(large, tmp_path / "house", wanted=WANTED, limits=limits) as home:
        fate = Fate()

        async def lift(operator: Operator) -> None:
            await anyio.sleep(1.3 * QUIET)
            operator.change(bandwidth="none")

        with Operator(lambda event: False, lambda *_: None).at_work(fate) as operator:
            async with anyio.create_task_group() as tasks:
                fate.listen = lambda event: tasks.start_soon(lift, operator) if type(event) is FilesLocated else None
                ended = await live(home, fate)
    demand_everything_restored(home, ended)
    changed = [event for event in fate.seen if isinstance(event, LimitChanged)][1:]
    assert [(one.value, one.before, one.cause, one.who) for one in changed] == [("none", "1 kB/s", "by hand", "uid 7")]


@pytest.mark.parametrize("how", ["drain", "cancel"])
async def test_a_stop_ends_a_wait_for_bandwidth_and_leaves_nothing(tmp_path: Path, how: str, large: Estate) -> None:
    limits = {"bandwidth": "1 kB/s", "grace": 0.1}
    async with house(large, tmp_path / "house", wanted=WANTED, limits=limits) as home:
        fate = Fate()

        async def stop() -> None:
            while not home.partial():  # noqa: ASYNC110 - a thread makes it
                await anyio.sleep(0.01)
            assert fate.stop is not None
            (fate.stop.drain if how == "drain" else fate.stop.cancel)()

        async with anyio.create_task_group() as tasks:
            fate.listen = lambda event: tasks.start_soon(stop) if type(event) is FilesLocated else None
            ended = await live(home, fate)
        assert report_of(ended).exit_code == 6
        assert home.partial() == home.visible() == []
        demand_nothing_held(home)
        home.limits = {}
        demand_everything_restored(home, await live(home, resume=True))


async def test_fewer_copies_let_those_that_are_too_many_end(tmp_path: Path, four: Estate) -> None:
    """The limit falls from four to one while four files are being copied."""
    copying = Copying()
    async with house(four, tmp_path / "house", wanted=WANTED, limits={"copies": 4}) as home:
        fate, lowered = Fate(), threading.Event()

        def held() -> None:
            with copying.changed:
                assert copying.changed.wait_for(lambda: copying.most == 4, 15)
            if not lowered.is_set():
                anyio.from_thread.run_sync(lower)

        def lower() -> None:
            if not lowered.is_set():
                operator.change(copies=1)
                copying.after = copying.begun
                lowered.set()

        copying.held = held  # type: ignore[method-assign]
        with Operator(lambda event: False, lambda *_: None).at_work(fate) as operator:
            real, alone = copying._place, []

            def place(room: Any) -> Any:
                inner = real(room)

                def call(*words: Any) -> Any:
                    if lowered.is_set():
                        alone.append(copying.now)
                    return inner(*words)

                return call

            copying._place = place  # type: ignore[method-assign]
            demand_everything_restored(home, await live(home, fate, wrap=copying.wrap))
    assert len(alone) > 300
    assert set(alone[4:]) == {0}


async def test_more_copies_are_begun_when_more_may_be(tmp_path: Path, small: Estate) -> None:
    """Every copy waits until four are under way, and one may be at first."""
    copying = Copying()

    def held() -> None:
        with copying.changed:
            assert copying.changed.wait_for(lambda: copying.most == 4, 15)

    copying.held = held  # type: ignore[method-assign]
    async with house(small, tmp_path / "house", wanted=WANTED, limits={"copies": 1}) as home:
        fate = Fate()
        with Operator(of_kind(FilesLocated), lambda operator, _: operator.change(copies=4)).at_work(fate):
            demand_everything_restored(home, await live(home, fate, wrap=copying.wrap))
    assert copying.most == 4


@pytest.mark.parametrize("of_run", [False, True], ids=["all", "run"])
async def test_fewer_mounts_let_those_that_are_open_end(tmp_path: Path, of_run: bool, four: Estate) -> None:
    async with house(four, tmp_path / "house", wanted=WANTED, limits={"mounts": 2}) as home:
        fate = Fate()

        def lower(operator: Operator, event: Event) -> None:
            operator.change(mounts=1, run=event.run if of_run and isinstance(event, MountOpened) else "")

        with Operator(of_kind(MountOpened), lower).at_work(fate):
            demand_everything_restored(home, await live(home, fate))
    after = fate.seen[next(place for place, event in enumerate(fate.seen) if isinstance(event, LimitChanged)) :]
    at_work = [type(event) for event in after if isinstance(event, GroupStarted | GroupEnded)]
    begun = at_work[at_work.index(GroupStarted) :] if GroupStarted in at_work else []
    assert begun in ([GroupStarted, GroupEnded] * 2, [GroupStarted, GroupEnded] * 3)


# --- pause ---


async def paused(home: House, fate: Fate, act: Any, when: type[Event] = RunStarted, **more: Any) -> Any:
    """A process that is paused at an event; `act` is given the operator then, and goes on beside it."""
    with Operator(lambda event: False, lambda *_: None).at_work(fate) as operator:
        async with anyio.create_task_group() as tasks:

            def hear(event: Event) -> None:
                if type(event) is when and not operator.acted:
                    operator.acted = True
                    operator.pause()
                    tasks.start_soon(act, operator)

            fate.listen = hear
            ended = await live(home, fate, **more)
            tasks.cancel_scope.cancel()
    return ended


async def several(fate: Fate, call: str, times: int = 4) -> None:
    """Wait for some more calls of a port."""
    before = fate.calls.count(call)
    while fate.calls.count(call) < before + times:  # noqa: ASYNC110 - a fate has no events
        await anyio.sleep(0.01)


async def test_a_paused_run_begins_no_file_keeps_its_mount_and_goes_on_where_it_was(
    tmp_path: Path, small: Estate
) -> None:
    async with house(
        small, tmp_path / "house", wanted=WANTED, limits={"stall_timeout": QUIET}, keep_alive=0.05
    ) as home:
        fate = Fate()

        async def look_and_go_on(operator: Operator) -> None:
            await anyio.sleep(1.3 * QUIET)
            await several(fate, "client.mount", 1)  # the mount's heartbeat goes on
            assert "target.place" not in fate.calls
            assert len(home.simulator.open_mounts()) == 1
            operator.pause(False)

        ended = await paused(home, fate, look_and_go_on, FilesLocated)
        demand_everything_restored(home, ended)
    told = [(event.paused, event.who) for event in fate.seen if isinstance(event, RunPaused)]
    assert told == [(True, "uid 7"), (False, "uid 7")]
    run = report_of(ended).run
    assert [(one.change, one.who) for one in report_of(ended).changes] == [
        (f"{run} paused: no file is begun, those in flight are held", "uid 7"),
        (f"{run} goes on", "uid 7"),
    ]


async def test_a_paused_run_mounts_nothing(tmp_path: Path, small: Estate) -> None:
    async with house(small, tmp_path / "house", wanted=WANTED, keep_alive=0.05) as home:
        fate = Fate()

        async def look_and_go_on(operator: Operator) -> None:
            await several(fate, "client.touch")
            assert home.simulator.open_mounts() == []
            operator.pause(False)

        fate.listen = None
        ended = await paused(home, fate, look_and_go_on, LimitChanged)
        assert ended is not None


async def test_a_pause_holds_a_large_file_in_the_middle_and_a_stop_lets_it_end(tmp_path: Path, large: Estate) -> None:
    """Held at its first look; the stop gives it the grace."""
    async with house(large, tmp_path / "house", wanted=WANTED, limits={"stall_timeout": QUIET}) as home:
        fate, in_the_middle = Fate(), threading.Event()

        async def stop(operator: Operator) -> None:
            while not in_the_middle.is_set():  # noqa: ASYNC110 - a thread sets it
                await anyio.sleep(0.01)
            await anyio.sleep(1.3 * QUIET)
            assert len(home.partial()) == 1
            assert fate.stop is not None
            fate.stop.drain()

        ended = await _paused_in_the_middle(home, fate, stop, in_the_middle)
        assert report_of(ended).totals.restored == 1
        demand_whole_files(home)
        demand_nothing_held(home)


async def test_a_paused_run_that_is_cancelled_leaves_nothing(tmp_path: Path, large: Estate) -> None:
    async with house(large, tmp_path / "house", wanted=WANTED) as home:
        fate, in_the_middle = Fate(), threading.Event()

        async def cancel(operator: Operator) -> None:
            while not in_the_middle.is_set():  # noqa: ASYNC110 - a thread sets it
                await anyio.sleep(0.01)
            assert fate.stop is not None
            fate.stop.cancel()

        ended = await _paused_in_the_middle(home, fate, cancel, in_the_middle)
        assert report_of(ended).exit_code == 6
        assert home.partial() == home.visible() == []
        demand_nothing_held(home)


async def _paused_in_the_middle(home: House, fate: Fate, act: Any, in_the_middle: threading.Event) -> Any:
    with Operator(lambda event: False, lambda *_: None).at_work(fate) as operator:
        async with anyio.create_task_group() as tasks:

            def begun() -> None:
                operator.pause()
                tasks.start_soon(act, operator)

            def wrap(name: str, room: Any) -> Any:
                if name != "target":
                    return room

                def place(source: Any, entry: Any, target: Any, replace: bool, check: Any, *more: Any) -> Any:
                    def checked(count: int) -> None:
                        if not in_the_middle.is_set():
                            in_the_middle.set()
                            anyio.from_thread.run_sync(begun)
                        check(count)

                    return room.place(source, entry, target, replace, checked, *more)

                return Wrapped(room, place=place)

            ended = await live(home, fate, wrap=wrap)
            tasks.cancel_scope.cancel()
    return ended


async def test_a_run_that_was_killed_while_it_was_paused_is_not_paused_when_it_is_resumed(
    tmp_path: Path, small: Estate
) -> None:
    async with house(small, tmp_path / "house", wanted=WANTED, keep_alive=0.05) as home:
        fate = Fate()

        async def die(operator: Operator) -> None:
            await several(fate, "client.mount")
            fate.dead = True  # the next heartbeat finds out

        assert await paused(home, fate, die, MountOpened) is None
        demand_everything_restored(home, await live(home, resume=True))


async def test_a_paused_run_leaves_its_places_to_others(tmp_path: Path, large: Estate) -> None:
    """What it holds in the middle of its files does not count for the limit of copies."""
    async with house(large, tmp_path / "house", wanted=WANTED, limits={"copies": 1}) as home:
        fate, in_the_middle = Fate(), threading.Event()

        async def look(operator: Operator) -> None:
            while not in_the_middle.is_set():  # noqa: ASYNC110 - a thread sets it
                await anyio.sleep(0.01)
            assert operator.controls is not None
            assert operator.controls.copying.available_tokens == 1
            operator.pause(False)
            assert operator.controls.copying.available_tokens == 0

        demand_everything_restored(home, await _paused_in_the_middle(home, fate, look, in_the_middle))
