"""Enterprise Manager ends the logon session again and again, or for being idle: the run goes on under a new one."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.core import health
from orchestrator.core.events import FileProblem, MountGone, RunStarted, SessionRenewed
from orchestrator.simulator import EndSession, Estate, FailTask, Fault, Status
from tests.chaos.test_bad_neighbours import Wrapped
from tests.support.chaos import (
    Fate,
    House,
    demand_everything_restored,
    demand_nothing_held,
    demand_nothing_more_to_do,
    house,
    live,
    report_of,
)

GROUPS = 50
FILES = 2
EVERY = 0.3
REQUESTS = 60


class SlowSource:
    """The share, on which opening a file takes as long as `wait` says."""

    def __init__(self, real: Any, wait: Callable[[str], None]) -> None:
        self._real, self._wait = real, wait

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def place(
        self, source: Any, entry: Any, target: Any, replace: bool, check: Callable[[int], None], *more: Any
    ) -> Any:
        self._wait(entry.relative)
        return self._real.place(source, entry, target, replace, check, *more)


def slow(wait: Callable[[str], None]) -> Callable[[str, Any], Any]:
    return lambda name, room: SlowSource(room, wait) if name == "target" else room


def wait_until(holds: Callable[[], bool]) -> None:
    """In a thread: at most 15 s."""
    begun, never = time.monotonic(), threading.Event()
    while not holds() and time.monotonic() - begun < 15:
        never.wait(0.01)


def crowd(folder: Path) -> tuple[Estate, dict[str, dict[str, str]]]:
    """Fifty small machines on two backup servers."""
    estate = Estate.empty(folder, ("vbr01", "vbr02"))
    for number in range(GROUPS):
        files = {f"{n}/file {n}.txt": b"%d %d" % (number, n) for n in range(FILES)}
        estate.add_machine(f"vm{number:02d}", backup_server=f"vbr0{number % 2 + 1}", points=[{"C:": files}])
    return estate, {f"vm{number:02d}": {"C:\\": "C:"} for number in range(GROUPS)}


async def _kill_sessions(home: House, stop: anyio.Event) -> None:
    """End the session every EVERY seconds, once it has served a few requests: on a busy machine a session that ends
    before anybody could use it would only show that nothing can be done without one."""
    while not stop.is_set():
        with anyio.move_on_after(EVERY):
            await stop.wait()
        served = Counter(entry.session for entry in home.simulator.log if 200 <= entry.status < 300)
        for session in home.simulator.open_sessions():
            if served[session.label] >= REQUESTS:
                await home.simulator.end_session(session.label)


async def test_fifty_groups_are_restored_while_the_session_is_ended_again_and_again(tmp_path: Path) -> None:
    estate, wanted = await anyio.to_thread.run_sync(crowd, tmp_path / "estate")
    stopped = anyio.Event()
    nothing = threading.Event()
    limits = {"mounts": 12, "copies": 8}
    async with house(
        estate, tmp_path / "house", wanted=wanted, limits=limits, request_latency=0.001, task_seconds=0.01
    ) as home:
        async with anyio.create_task_group() as beside:
            beside.start_soon(_kill_sessions, home, stopped)
            ended = await live(home, wrap=slow(lambda _: nothing.wait(0.02) and None))
            stopped.set()
        assert report_of(ended).problems == ()
        demand_everything_restored(home, ended)
        assert report_of(ended).sessions > 2
        await demand_nothing_more_to_do(home)


@pytest.mark.parametrize(
    ("keep_alive", "idle_timeout", "lost"), [(0.2, 2.0, False), (60.0, 0.8, True)], ids=["often enough", "too seldom"]
)
async def test_a_file_that_takes_longer_than_the_idle_limit_needs_the_heartbeat(
    estate: Estate, tmp_path: Path, keep_alive: float, idle_timeout: float, lost: bool
) -> None:
    wanted = {"fs01": {"C:\\Shares": "C:"}}
    first = threading.Event()
    begun = time.monotonic()

    def wait(name: str) -> None:
        """The first opening of the large file takes longer than a session may be idle."""
        if name.endswith("big.bin") and not first.is_set():
            first.set()
            threading.Event().wait(idle_timeout + 0.6)

    fate = Fate()
    async with house(estate, tmp_path, wanted=wanted, keep_alive=keep_alive, idle_timeout=idle_timeout) as home:
        ended = await live(home, fate, wrap=slow(wait))
        demand_everything_restored(home, ended)
        assert time.monotonic() - begun > idle_timeout
        assert any(isinstance(event, MountGone) for event in fate.seen) == lost
        assert any(isinstance(event, SessionRenewed) for event in fate.seen) == lost
        assert (report_of(ended).sessions > 1) == lost


async def test_the_heartbeat_asks_for_every_mount_that_is_open_because_an_idle_one_may_be_closed(
    estate: Estate, tmp_path: Path
) -> None:
    wanted = {"fs01": {"D:\\": "D:"}, "Büro-Ablage": {"*": "C:"}}
    long = {"Data/x.txt", "top.txt"}
    async with house(estate, tmp_path, wanted=wanted, keep_alive=0.1) as home:

        def asked() -> Counter[str]:
            return Counter(entry.path for entry in home.simulator.log if entry.route == "mount_get")

        def wait(name: str) -> None:
            if name in long:  # once when they were made, and then again and again
                wait_until(lambda: len(asked()) == 2 and min(asked().values()) >= 4)

        demand_everything_restored(home, await live(home, wrap=slow(wait)))
        assert len(asked()) == 2
        assert min(asked().values()) >= 4


async def test_the_heartbeat_keeps_the_session_while_nothing_is_mounted(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only backup server is paused for longer than EM lets a session idle."""
    monkeypatch.setattr(health, "TRIP_AFTER", 1)
    monkeypatch.setattr(health, "PAUSE", 2.6)
    fault = Fault("mount_post", action=FailTask("restarting"))
    wanted = {"app 1": {"/srv": "/"}}
    async with house(estate, tmp_path, fault, wanted=wanted, keep_alive=0.2, idle_timeout=2.0) as home:
        fate = Fate()
        demand_everything_restored(home, await live(home, fate))
        assert [event for event in fate.seen if isinstance(event, SessionRenewed)] == []


async def test_when_one_meets_the_end_of_the_session_all_who_hold_its_mounts_are_told_at_once(
    estate: Estate, tmp_path: Path
) -> None:
    """The heartbeat is four minutes away, and the files of the dead session can still be read."""
    wanted = {"app 1": {"/srv": "/"}, "Büro-Ablage": {"*": "C:"}}
    both, never = threading.Barrier(2), threading.Event()
    told: list[float] = []
    first = {"top.txt": threading.Event(), "Z": threading.Event()}

    def place(room: Any, source: Any, entry: Any, target: Any, replace: bool, check: Any, *more: Any) -> Any:
        name = entry.relative.rpartition("/")[2]
        if name in first and not first[name].is_set():
            first[name].set()
            both.wait(10)
            if name == "Z":
                anyio.from_thread.run(home.simulator.end_session)
            else:
                begun = time.monotonic()
                try:
                    while time.monotonic() - begun < 10:
                        check(0)
                        never.wait(0.01)
                finally:
                    told.append(time.monotonic() - begun)
        return room.place(source, entry, target, replace, check, *more)

    wrap = lambda name, room: (  # noqa: E731
        Wrapped(room, place=lambda *words: place(room, *words)) if name == "target" else room
    )
    settings = {"session_end_unmounts": "later", "session_end_delay": 15.0}
    async with house(estate, tmp_path, wanted=wanted, limits={"copies": 2}, **settings) as home:
        fate = Fate()
        with anyio.move_on_after(12):
            await live(home, fate, wrap=wrap)
        assert told
        assert told[0] < 5
        assert sum(isinstance(event, SessionRenewed) for event in fate.seen) >= 1


async def test_a_mount_that_em_no_longer_has_is_one_loss_and_is_made_again(estate: Estate, tmp_path: Path) -> None:
    wanted = {"fs01": {"D:\\": "D:"}}
    fault = Fault("mount_get", 2, Status(404))
    async with house(estate, tmp_path, fault, wanted=wanted, keep_alive=0.1) as home:

        def wait(name: str) -> None:
            """Until the heartbeat has met it."""
            if name == "Data/x.txt":
                wait_until(lambda: not home.simulator.unfired())

        fate = Fate()
        ended = await live(home, fate, wrap=slow(wait))
        demand_everything_restored(home, ended)
        assert report_of(ended).remounts == 1
        assert [event for event in fate.seen if isinstance(event, FileProblem)] == []


@pytest.mark.parametrize("route", ["mounts_list", "mount_post", "task", "mount_get", "browse", "mount_delete"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_session_that_ends_at_any_request_costs_nothing_but_a_new_one(
    estate: Estate, tmp_path: Path, route: str, times: int
) -> None:
    wanted = {"app 1": {"/srv": "/"}}
    faults = [Fault(route, nth, EndSession()) for nth in (1, 3)[:times]]
    async with house(estate, tmp_path, *faults, strict=False, wanted=wanted) as home:
        ended = await live(home)
        demand_everything_restored(home, ended)
        demand_nothing_held(home)


@pytest.mark.parametrize("nth", range(1, 18, 4))
async def test_of_many_calls_that_meet_a_dead_session_one_logs_on(estate: Estate, tmp_path: Path, nth: int) -> None:
    async with house(estate, tmp_path, request_latency=0.01) as home:
        fate = Fate(listen=lambda event: home.simulator.inject(Fault("*", nth, EndSession())) if ready(event) else None)
        demand_everything_restored(home, await live(home, fate))
        assert len([entry for entry in home.simulator.log if entry.route == "logon"]) == 2


def ready(event: object) -> bool:
    return isinstance(event, RunStarted)


@pytest.mark.parametrize("where", ["look", "scan", "listing"])
async def test_files_that_vanish_with_the_session_are_not_taken_for_files_that_never_were(
    estate: Estate, tmp_path: Path, where: str
) -> None:
    """The disks go when the session does, and nobody has met a 401 yet."""
    wanted = {"app 1": {"/srv": "/"}}
    async with house(estate, tmp_path, wanted=wanted) as home:
        ended = await live(home, wrap=lambda name, room: EndsSession(room, home, where) if name == "source" else room)
        demand_everything_restored(home, ended)
        assert report_of(ended).sessions == 2


class EndsSession:
    """The share, on which the first call of one method comes just after the session has ended."""

    def __init__(self, real: Any, home: House, where: str) -> None:
        self._real, self._home, self._where = real, home, where

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)

        def call(*arguments: Any) -> Any:
            if name == self._where:
                self._where = ""
                anyio.from_thread.run(self._home.simulator.end_session)
            return found(*arguments)

        return call
