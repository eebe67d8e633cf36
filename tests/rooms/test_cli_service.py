"""What systemd is told, over a real datagram socket: ready, status, signs of life, more time for a stop."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.service import EXTEND_SECONDS, STILL_SECONDS, Service, longest_silence, service_notifier
from orchestrator.config_limits import LimitSettings
from orchestrator.core.events import (
    BytesCopied,
    Event,
    GroupEnded,
    JobEnded,
    JobNotStarted,
    JobTaken,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    QueuePaused,
    RequestAnswered,
    RunEnded,
    RunPaused,
    RunStarted,
    Stopping,
    WatcherReady,
    WorkerReady,
)
from orchestrator.core.ledger import Totals

AT = datetime(2026, 11, 20, 22, tzinfo=UTC)
EXTEND = f"EXTEND_TIMEOUT_USEC={EXTEND_SECONDS * 1_000_000}"


@dataclass
class Manager:
    """systemd's end of the socket, with a clock that stands still until it is moved."""

    socket: socket.socket
    address: str
    now: float = 1000.0

    def service(self, still: float = STILL_SECONDS, **environment: str) -> Service:
        found = service_notifier(still, {"NOTIFY_SOCKET": self.address, **environment}, lambda: self.now)
        assert found is not None
        return found

    def told(self) -> list[str]:
        """Every line since the last look, in order."""
        lines = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "file" else f"@orchestrator-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(address.replace("@", "\0"))
        yield Manager(listening, address)


def run_started(run: str = "r1", job: str = "night", groups: int = 3) -> RunStarted:
    return RunStarted(AT, run, job, groups)


def run_ended(run: str = "r1", code: int = 0) -> RunEnded:
    return RunEnded(AT, run, code, Totals(), 1, 1, 0)


def group_ended(run: str = "r1") -> GroupEnded:
    return GroupEnded(AT, run, "g1", "fs01", "done", Totals(), 1.0)


def mounted(href: str = "/m/1") -> MountOpened:
    return MountOpened(AT, "r1", "g1", "fs01", "vbr01", href, 0.5)


def deleted(href: str = "/m/1") -> MountDeleted:
    return MountDeleted(AT, "r1", "g1", "fs01", "vbr01", href, 2.0)


def taken(drop: str) -> JobTaken:
    return JobTaken(AT, drop, f"{drop}.toml", drop, "00", "ann")


def job_ended(drop: str) -> JobEnded:
    return JobEnded(AT, drop, drop, "r1", 0, "done", "exit 0")


def tell(service: Service, *events: Event) -> None:
    for event in events:
        service.take(event)


def test_a_watcher_is_ready_once_it_says_so_and_not_before(manager: Manager) -> None:
    service = manager.service()
    service.tick()
    assert manager.told() == []
    service.take(WatcherReady(AT, "/var/lib/orchestrator/jobs"))
    assert manager.told() == ["READY=1", "STATUS=waiting for jobs in /var/lib/orchestrator/jobs"]
    tell(service, run_started())
    assert "READY=1" not in manager.told()


def test_a_worker_is_ready_once_it_serves_and_asks_for_time_while_a_stop_has_mounts_to_delete(manager: Manager) -> None:
    service = manager.service()
    service.take(WorkerReady(AT, "berlin-1", "berlin", 8))
    assert manager.told() == ["READY=1", "STATUS=serving berlin"]
    service.take(mounted())
    assert manager.told() == ["STATUS=serving berlin, 1 mount open"]
    service.take(Stopping(AT, "drain"))
    assert manager.told() == ["STOPPING=1", "STATUS=stopping (drain), 1 mount open", EXTEND]
    service.take(deleted())
    assert manager.told() == ["STATUS=stopping (drain)", EXTEND]


def test_a_worker_of_no_site_says_that_it_serves_every_one(manager: Manager) -> None:
    service = manager.service()
    service.take(WorkerReady(AT, "w1", "", 8))
    assert manager.told() == ["READY=1", "STATUS=serving every site"]


def test_what_is_told_before_the_watcher_is_ready_does_not_make_it_ready(manager: Manager) -> None:
    service = manager.service()
    service.take(QueuePaused(AT, True))
    assert manager.told() == ["STATUS=paused"]
    service.take(WatcherReady(AT, "/jobs"))
    assert manager.told() == ["READY=1", "STATUS=paused, waiting for jobs in /jobs"]


def test_a_single_run_is_ready_when_it_starts_and_says_how_it_ended(manager: Manager) -> None:
    service = manager.service()
    service.take(run_started())
    assert manager.told() == ["READY=1", "STATUS=restoring night, 0 of 3 restore points through"]
    service.take(run_ended(code=3))
    assert manager.told() == ["STATUS=ended with exit code 3"]


def test_the_status_follows_what_runs_what_is_in_the_queue_and_what_is_mounted(manager: Manager) -> None:
    service = manager.service()
    service.take(WatcherReady(AT, "/jobs"))
    manager.told()
    steps: list[tuple[list[Event], str]] = [
        ([taken("d1")], "1 job in the queue"),
        ([run_started()], "restoring night, 0 of 3 restore points through"),
        ([taken("d2"), taken("d3")], "restoring night, 0 of 3 restore points through, 2 jobs in the queue"),
        ([mounted()], "restoring night, 0 of 3 restore points through, 2 jobs in the queue, 1 mount open"),
        ([deleted(), group_ended()], "restoring night, 1 of 3 restore points through, 2 jobs in the queue"),
        ([run_started("r2", "day", 5)], "restoring 2 jobs, 1 of 8 restore points through, 1 job in the queue"),
        ([run_ended(), job_ended("d1")], "restoring day, 0 of 5 restore points through, 1 job in the queue"),
        ([JobNotStarted(AT, "d3", "d3", 2, "no such machine")], "restoring day, 0 of 5 restore points through"),
        ([QueuePaused(AT, True)], "paused, restoring day, 0 of 5 restore points through"),
        ([QueuePaused(AT, False), run_ended("r2"), job_ended("d2")], "waiting for jobs in /jobs"),
    ]
    for events, line in steps:
        tell(service, *events)
        assert manager.told()[-1] == f"STATUS={line}"


def test_what_changes_no_status_is_not_told(manager: Manager) -> None:
    service = manager.service()
    service.take(run_started())
    manager.told()
    tell(service, *[BytesCopied(AT, "r1", "g1", 1 << 20)] * 100, RequestAnswered(AT, "GET", "/api", 200, 0.1))
    assert manager.told() == []


def test_a_folder_name_cannot_smuggle_in_another_message(manager: Manager) -> None:
    manager.service().take(WatcherReady(AT, "/jobs\nMAINPID=1"))
    assert manager.told() == ["READY=1", r"STATUS=waiting for jobs in /jobs\x0aMAINPID=1"]


def test_the_watchdog_is_petted_three_times_within_the_patience_of_the_manager(manager: Manager) -> None:
    service = manager.service(WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid()))
    assert service.every == 20
    service.tick()
    assert manager.told() == ["WATCHDOG=1"]
    assert manager.service(WATCHDOG_USEC="600000000").every == 30


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({}, id="none asked for"),
        pytest.param({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, id="for another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, id="zero"),
        pytest.param({"WATCHDOG_USEC": "soon"}, id="no number"),
    ],
)
def test_without_a_watchdog_for_this_process_nothing_is_petted(manager: Manager, environment: dict[str, str]) -> None:
    service = manager.service(**environment)
    service.tick()
    assert manager.told() == []
    assert service.every == 30


def test_a_run_without_any_event_for_too_long_is_petted_no_more_until_it_moves(manager: Manager) -> None:
    service = manager.service(still=100, WATCHDOG_USEC="60000000")
    service.take(run_started())
    manager.told()
    manager.now += 100
    service.tick()
    assert manager.told() == ["WATCHDOG=1"]
    manager.now += 1
    service.take(RequestAnswered(AT, "GET", "/api/logonSessions/{id}", 200, 0.1))
    service.tick()
    assert manager.told() == []
    service.take(BytesCopied(AT, "r1", "g1", 1))
    service.tick()
    assert manager.told() == ["WATCHDOG=1"]


def test_a_watcher_without_work_may_be_still_for_ever(manager: Manager) -> None:
    service = manager.service(still=100, WATCHDOG_USEC="60000000")
    tell(service, WatcherReady(AT, "/jobs"), run_started(), run_ended())
    manager.told()
    manager.now += 1_000_000
    service.tick()
    assert manager.told() == ["WATCHDOG=1"]


async def test_the_watchdog_is_petted_at_once_and_then_at_every_turn(manager: Manager) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float, /) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await manager.service(WATCHDOG_USEC="30000000").pet_watchdog(sleep)
    assert manager.told() == ["WATCHDOG=1"] * 3
    assert pauses == [10.0] * 3


def test_a_run_that_waits_as_long_as_the_config_allows_is_not_taken_for_hung() -> None:
    assert longest_silence(LimitSettings(space_wait=86_400)) >= 86_400 + STILL_SECONDS
    assert longest_silence(LimitSettings(mount_timeout=7_200, space_wait=0)) >= 7_200 + STILL_SECONDS


def test_a_paused_run_is_told_and_is_not_taken_for_hung(manager: Manager) -> None:
    service = manager.service(WATCHDOG_USEC="30000000")
    tell(service, run_started())
    manager.told()
    service.take(RunPaused(AT, "r1", True, "uid 7"))
    assert manager.told() == ["STATUS=restoring night (paused), 0 of 3 restore points through"]
    manager.now += 100 * STILL_SECONDS
    service.tick()
    assert "WATCHDOG=1" in manager.told()
    service.take(RunPaused(AT, "r1", False, "uid 7"))
    manager.now += 100 * STILL_SECONDS
    manager.told()
    service.tick()
    assert manager.told() == []


def test_a_stop_is_told_and_gets_more_time_for_as_long_as_mounts_are_being_deleted(manager: Manager) -> None:
    service = manager.service()
    tell(service, run_started(), mounted("/m/1"), mounted("/m/2"), mounted("/m/3"))
    service.tick()
    assert EXTEND not in manager.told()
    service.take(Stopping(AT, "drain"))
    status = "restoring night, 0 of 3 restore points through, 3 mounts open"
    assert manager.told() == ["STOPPING=1", f"STATUS=stopping (drain), {status}", EXTEND]
    service.tick()
    assert manager.told() == [EXTEND]
    service.take(deleted("/m/1"))
    assert manager.told()[-1] == EXTEND
    service.take(MountLeft(AT, "r1", "g1", "fs01", "vbr01", "/m/2", "no answer"))
    service.take(MountGone(AT, "r1", "g1", "fs01", "/m/3", "the session ended"))
    manager.told()
    service.tick()
    assert manager.told() == []  # from here on a stop that hangs ends by the manager's clock


def test_the_stop_of_one_run_among_several_is_not_the_stop_of_the_service(manager: Manager) -> None:
    service = manager.service()
    tell(service, WatcherReady(AT, "/jobs"), run_started())
    manager.told()
    service.take(Stopping(AT, "drain", "r1"))
    assert manager.told() == []


def test_what_a_full_queue_of_the_manager_swallowed_is_told_again(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    service = service_notifier(environment={"NOTIFY_SOCKET": address})
    assert service is not None
    service.take(WatcherReady(AT, "/jobs"))  # nobody has bound the socket yet
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        service.tick()
        assert listening.recv(4096) == b"READY=1\nSTATUS=waiting for jobs in /jobs"


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative/path"])
def test_without_a_manager_there_is_nobody_to_tell(address: str) -> None:
    assert service_notifier(environment={"NOTIFY_SOCKET": address}) is None
