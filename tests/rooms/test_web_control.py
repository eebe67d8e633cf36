"""The control socket: it does what is asked, whoever else hangs on it, and whatever a dead process has left."""

import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.cli.limiting import ask_control
from orchestrator.config import Config
from orchestrator.core.errors import WordsError
from orchestrator.core.limiting import Limit, LimitedRun, LimitNow, LimitsNow, LimitWish
from orchestrator.core.zones import zone_of
from orchestrator.views import limits_of, limits_values
from orchestrator.web import CONTROL, ControlSocket, control, controlled, open_control, reachable
from orchestrator.web.sockets import LONGEST

zone_of("UTC")  # its file is read once, and not on the event loop
NOW = LimitsNow((LimitNow(Limit("bandwidth"), 20_000_000, "by hand"),), (LimitedRun("r1", "job", False),))


class Steered:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.fails: Exception | None = None

    def in_force(self) -> LimitsNow:
        if self.fails:
            raise self.fails
        return NOW

    def change(self, wish: LimitWish, who: str) -> LimitsNow:
        self.asked.append((wish, who))
        return NOW

    def pause(self, run: str, paused: bool, who: str) -> bool:
        if run != "r1":
            raise WordsError(what=f"no run {run} is going on")
        self.asked.append((run, paused, who))
        return True


class Place:
    """A state folder with somebody who listens there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steered = Steered()
        self.said: list[str] = []
        self.config = Config.model_validate(
            {
                "enterprise_manager": {"url": "https://em", "username": "x", "password_env": "X"},
                "backup_servers": [{"name": "*", "shares": ["/mnt"]}],
                "targets": {"allow": ["/restore"]},
                "state": {"folder": folder},
            }
        )

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """As the command does."""
        return await anyio.to_thread.run_sync(ask_control, self.config, method, path, body)

    async def raw(self, content: bytes) -> bytes:
        """What is answered to bytes that are said as they are."""
        with reachable(self.folder / CONTROL) as at:
            stream = await anyio.connect_unix(at)
        async with stream:
            await stream.send(content)
            answer = b""
            try:
                async for chunk in stream:
                    answer += chunk
            except anyio.BrokenResourceError:
                pass
            return answer


Listen = Callable[..., Any]


@pytest.fixture
def listen(tmp_path: Path) -> Listen:
    """Opens the control socket of a folder, and serves it."""

    @asynccontextmanager
    async def listening(folder: Path = tmp_path) -> AsyncIterator[Place]:
        place, opening = Place(folder), open_control(folder)
        opened: ControlSocket = await anyio.to_thread.run_sync(opening.__enter__)
        try:
            async with controlled(opened, place.steered, place.said.append):
                yield place
        finally:
            await anyio.to_thread.run_sync(opening.__exit__, None, None, None)

    return listening


async def test_limits_are_shown_and_changed_and_runs_are_paused_by_whom_the_system_says(listen: Listen) -> None:
    async with listen() as place:
        assert limits_of(await place.ask("GET", "/limits")) == NOW
        wanted = {"run": "r1", "bandwidth": "5 MB/s", "copies": 3}
        assert await place.ask("POST", "/limits", wanted) == limits_values(NOW)
        assert await place.ask("POST", "/runs/r1/pause") == {"changed": True}
        assert await place.ask("POST", "/runs/r1/unpause") == {"changed": True}
        who = f"uid {os.getuid()} on the local socket"
        assert place.steered.asked == [(LimitWish(**wanted), who), ("r1", True, who), ("r1", False, who)]


async def test_the_socket_is_for_its_own_account_alone_and_goes_with_its_process(
    listen: Listen, tmp_path: Path
) -> None:
    async with listen():
        assert stat.S_IMODE((tmp_path / CONTROL).stat().st_mode) == 0o600
    assert not (tmp_path / CONTROL).exists()


async def test_a_socket_that_a_killed_process_has_left_is_replaced(listen: Listen, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / CONTROL))
    async with listen() as place:
        assert await place.ask("GET", "/limits")
        assert place.said == []


async def test_what_is_no_socket_is_left_alone_and_the_work_goes_on_without_one(listen: Listen, tmp_path: Path) -> None:
    (tmp_path / CONTROL).write_text("mine")
    async with listen() as place:
        [said] = place.said
        assert said.startswith("limits cannot be changed and runs not paused while this goes on: ")
        assert "Address already in use" in said
        with pytest.raises(WordsError, match=r"no orchestrator is running|has no control socket"):
            await place.ask("GET", "/limits")
    assert (tmp_path / CONTROL).read_text() == "mine"


async def test_a_folder_may_be_deeper_than_the_path_of_a_socket_can_be(listen: Listen, tmp_path: Path) -> None:
    folder = tmp_path / ("a" * LONGEST) / "state"
    folder.mkdir(parents=True)
    async with listen(folder) as place:
        assert place.said == []
        assert await place.ask("GET", "/limits")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/limits", {"bandwith": "5 MB/s"}, "bandwith: unknown key; did you mean bandwidth?"),
        ("/limits", {"bandwidth": "5 Mb/s"}, "may be meant as bits or as bytes"),
        ("/limits", {"mounts": 0}, "greater than or equal to 1"),
        ("/limits", {"servers": {"vbr01": "5 MB/s"}, "run": "r1"}, "leave out the run"),
        ("/limits", [1], "no JSON object"),
        ("/limits", "x" * 70_000, "at most 65536 bytes"),
        ("/runs/r2/pause", None, "no run r2 is going on"),
        ("/runs/r1/stop", None, "ask GET /limits"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_plain_words(listen: Listen, path: str, body: Any, told: str) -> None:
    async with listen() as place:
        with pytest.raises(WordsError) as refused:
            await place.ask("POST", path, body)
        assert told in str(refused.value)
        assert place.steered.asked == []
        assert await place.ask("GET", "/limits")


async def test_the_rest_of_a_question_that_is_too_long_can_be_said_although_it_is_refused_already(
    listen: Listen,
) -> None:
    async with listen() as place:
        with reachable(place.folder / CONTROL) as at:
            stream = await anyio.connect_unix(at)
        async with stream:
            await stream.send(b"POST /limits HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
            with anyio.fail_after(10):
                answer = await stream.receive()
                for _ in range(7):
                    await stream.send(b"x" * 10_000)
        assert b"at most 65536 bytes" in answer


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\x16\x03\n\n",
        b"POST /limits HTTP/1.1\r\nContent-Length: 4\r\n\r\nnone",
        b"GET / HTTP/9\r\n\r\n",
        b"\n" * 9000,
    ],
)
async def test_garbage_ends_its_connection_and_nothing_else(listen: Listen, garbage: bytes) -> None:
    async with listen() as place:
        with anyio.fail_after(10):
            await place.raw(garbage + b"\r\n\r\n")
        assert await place.ask("GET", "/limits")
        assert place.said == []


async def test_who_says_nothing_is_hung_up_on_and_holds_nobody_up(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ASKED_WITHIN", 0.3)
    async with listen() as place, anyio.create_task_group() as tasks:
        silent = [await anyio.connect_unix(str(place.folder / CONTROL)) for _ in range(control.CONNECTIONS - 1)]
        assert await place.ask("GET", "/limits")
        for stream in silent:
            tasks.start_soon(_until_it_ends, stream)


async def _until_it_ends(stream: Any) -> None:
    async with stream:
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


async def test_a_mistake_of_ours_is_told_once_and_ends_nothing(listen: Listen) -> None:
    async with listen() as place:
        place.steered.fails = ZeroDivisionError("oh")
        for _ in range(3):
            with pytest.raises(WordsError, match="an error in orchestrator itself"):
                await place.ask("GET", "/limits")
        assert len(place.said) == 1
        place.steered.fails = None
        assert await place.ask("GET", "/limits")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_account_is_told_who_may(listen: Listen, tmp_path: Path) -> None:
    async with listen() as place:
        for folder in (tmp_path, *tmp_path.parents[:3]):
            folder.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(WordsError, match="is for the account that runs the orchestrator"):
                await anyio.to_thread.run_sync(ask_control, place.config, "GET", "/limits")
        finally:
            os.seteuid(0)


async def test_nobody_at_work_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(WordsError, match="no orchestrator is running on"):
        await Place(tmp_path).ask("GET", "/limits")


async def test_a_process_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.limiting.ANSWERED_WITHIN", 0.1)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / CONTROL))
        deaf.listen()
        with pytest.raises(WordsError, match="does not answer: it hangs"):
            await Place(tmp_path).ask("GET", "/limits")


async def test_what_answers_in_another_language_is_told(tmp_path: Path) -> None:
    async def answer(stream: Any) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"220 mail.example.com ESMTP\r\n")

    listener = await anyio.create_unix_listener(tmp_path / CONTROL)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        with pytest.raises(WordsError, match="cannot be spoken with"):
            await Place(tmp_path).ask("GET", "/limits")
        tasks.cancel_scope.cancel()


def test_what_limits_is_the_same_after_a_way_through_json() -> None:
    assert limits_of(json.loads(json.dumps(limits_values(NOW)))) == NOW
