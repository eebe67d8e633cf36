"""Limits are changed, and runs paused, while a real process is at work."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator.cli.limiting import ask_control
from orchestrator.config import load_config
from orchestrator.core.errors import WordsError
from orchestrator.simulator import Estate
from tests.support.flow import Command, Flow, flow

pytestmark = pytest.mark.flow


def two_machines(folder: Path) -> Estate:
    """More than goes over a slow line within a test."""
    estate = Estate.empty(folder)
    for name in ("fs01", "fs02"):
        files: dict[str, bytes | None] = {f"Data/{number}.bin": bytes([number]) * 100_000 for number in range(30)}
        estate.add_machine(name, points=[{"C:": {**files, "Data/large.bin": b"x" * (9 << 20)}}])
    return estate


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Flow]:
    """A line of 50 kB/s, over which the job would take six minutes."""
    async with flow(tmp_path, two_machines) as made:
        made.configure(limits={"bandwidth": "50 kB/s"})
        yield made


def of(shown: Any, what: str, **which: str) -> dict[str, Any]:
    """The limit that is shown for `what`."""
    wanted = {"run": "", "backup_server": "", **which}
    return next(one for one in shown["limits"] if {"what": what, **wanted}.items() <= one.items())


async def began(command: Command) -> str:
    """The run, when it copies."""
    run = (await command.event("run_started"))["run"]
    await command.event("files_located")
    return str(run)


async def steer(slow: Flow, method: str, path: str, body: Any = None) -> Any:
    """As the commands do, without the time that a process takes."""
    config = await anyio.to_thread.run_sync(load_config, slow.folder / "config.toml")
    return await anyio.to_thread.run_sync(ask_control, config, method, path, body)


async def unlimited(slow: Flow) -> None:
    await steer(slow, "POST", "/limits", {"bandwidth": "none"})


async def test_the_limits_of_a_run_by_hand_are_shown_and_changed(slow: Flow) -> None:
    running = await slow.start("run", slow.job())
    run = await began(running)
    shown = (await slow.run("--json", "limit", "--show")).json
    assert of(shown, "bandwidth") == {
        "what": "bandwidth", "run": "", "backup_server": "", "value": 50_000, "text": "50 kB/s", "cause": "config",
        "until": None,
    }  # fmt: skip
    assert shown["runs"] == [{"run": run, "job": "job", "paused": False}]
    told = await slow.run(
        "limit", "--bandwidth", "60kB/s", "--server", "VBR01=40kB/s", "--mounts", "1", "--copies", "3"
    )
    assert "bandwidth           60 kB/s  by hand\n" in told.out
    assert "bandwidth of vbr01  40 kB/s  by hand\n" in told.out
    changed = await running.event("limit_changed", what="copies")
    assert (changed["before"], changed["value"], changed["cause"]) == ("16", "3", "by hand")
    assert changed["who"].startswith("uid ")
    again = (await slow.run("--json", "limit", "--reset")).json
    assert {one["cause"] for one in again["limits"]} <= {"config", "job"}
    await unlimited(slow)
    assert (await running.done()).code == 0
    assert slow.restored() == slow.expected()
    assert not (slow.state / "control").exists()


async def test_what_was_changed_is_told_everywhere(slow: Flow) -> None:
    running = await slow.start("run", slow.job())
    run = await began(running)
    await steer(slow, "POST", "/limits", {"bandwidth": "60 kB/s"})
    await steer(slow, "POST", "/limits", {"run": run, "bandwidth": "30 kB/s"})
    known = (await slow.run("--json", "status")).json[0]
    assert (known["paused"], of(known, "bandwidth", run=run)["text"]) == (False, "30 kB/s")
    assert f"Limited: bandwidth 60 kB/s, bandwidth of {run} 30 kB/s." in (await slow.run("status")).out
    await steer(slow, "POST", "/limits", {"bandwidth": "none", "run": run})
    await unlimited(slow)
    done = await running.done()
    assert "bandwidth is 60 kB/s from now on, it was 50 kB/s, by uid" in done.err
    assert "Changed while it went on:" in done.out
    changes = slow.report()["changes"]
    assert changes[0]["change"] == "bandwidth is 60 kB/s from now on, it was 50 kB/s"
    assert changes[0]["who"].startswith("uid ")
    trail = (await slow.run("--json", "audit", "show", "--run", run)).json
    by_hand = [one for one in trail if one["what"] == "limit_changed" and one["facts"]["cause"] == "by hand"]
    assert by_hand
    assert {one["who"].split()[0] for one in by_hand} == {"uid"}


async def test_a_run_by_hand_is_paused_and_goes_on(slow: Flow) -> None:
    running = await slow.start("run", slow.job())
    run = await began(running)
    paused = await slow.run("pause", run)
    assert (paused.code, paused.out.startswith(f"{run} is paused: no file is begun")) == (0, True)
    await running.event("run_paused", paused=True)
    assert await steer(slow, "POST", f"/runs/{run}/pause") == {"changed": False}
    await unlimited(slow)
    assert f"{run} is paused; `orchestrator unpause {run}` goes on." in (await slow.run("status")).out
    assert len(slow.simulator.open_mounts()) > 0
    assert not list(slow.target.rglob("large.bin"))
    assert (await slow.run("unpause", run)).out == f"{run} goes on\n"
    assert (await running.done()).code == 0
    assert slow.restored() == slow.expected()
    slow.assert_nothing_left()


async def test_a_paused_run_is_stopped_and_resumed_without_a_pause(slow: Flow) -> None:
    slow.configure(limits={"bandwidth": "50 kB/s", "grace": 0.2})
    running = await slow.start("run", slow.job())
    run = await began(running)
    await steer(slow, "POST", f"/runs/{run}/pause")
    assert (await slow.run("stop", run)).code == 0
    assert (await running.done()).code == 6
    slow.assert_nothing_left()
    slow.configure()
    assert (await slow.run("resume", run)).code == 0
    assert slow.restored() == slow.expected()


async def test_a_run_of_a_watcher_is_paused_and_goes_on(slow: Flow) -> None:
    watcher = await slow.start("watch")
    await watcher.event("watcher_ready")
    slow.drop((slow.folder / slow.job()).read_text(), "job.toml")
    run = await began(watcher)
    await steer(slow, "POST", f"/runs/{run}/pause")
    await watcher.event("run_paused", run=run, paused=True)
    await unlimited(slow)
    await steer(slow, "POST", f"/runs/{run}/unpause")
    await watcher.event("job_ended")
    watcher.signal(signal.SIGTERM)
    assert (await watcher.done()).code == 0
    assert slow.restored() == slow.expected()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["limit", "--bandwidth", "50Mb/s"], "bandwidth: '50Mb/s' may be meant as bits or as bytes"),
        (["limit", "--server", "vbr01"], "--server vbr01: write it as NAME=RATE, such as vbr01=20MB/s"),
        (["limit", "--show", "--reset"], "--show changes nothing"),
        (["limit", "run-1", "--server", "vbr01=1MB/s"], "leave out the run"),
        (["limit", "--copies", "0"], "copies: input should be greater than or equal to 1"),
        (["limit"], "no orchestrator is running on"),
        (["pause", "run-1"], "no orchestrator is running on"),
    ],
)
async def test_words_that_mean_nothing_are_refused(slow: Flow, words: list[str], told: str) -> None:
    done = await slow.run(*words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


async def test_a_run_and_a_server_that_are_not_there_are_told_with_those_that_are(slow: Flow) -> None:
    running = await slow.start("run", slow.job())
    run = await began(running)
    with pytest.raises(WordsError, match=f"no run other is going on; these are going on: {run}"):
        await steer(slow, "POST", "/runs/other/pause")
    second = await slow.run("run", "job.toml")  # and it leaves the socket of the first alone
    assert (second.code, "is in use by another orchestrator" in second.err) == (5, True)
    with pytest.raises(WordsError, match="'vbr09' is no backup server of the config or of a run; known are vbr01"):
        await steer(slow, "POST", "/limits", {"servers": {"vbr09": "1 MB/s"}})
    await unlimited(slow)
    assert (await running.done()).code == 0
