"""What goes wrong around a run costs neither the run nor the truth about it."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Fault, Hang, Status
from tests.support.flow import Flow, clean_environment, flow, seeded, small

pytestmark = pytest.mark.flow

SLOW = 0.15
"""Seconds that each answer of EM takes where a signal has to arrive while a run is going on."""


async def run_with(em: Flow, words: Sequence[str], env: dict[str, str] | None = None, **streams: Any) -> int:
    """The exit code of `orchestrator <words>` whose streams are files."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "orchestrator", *words, cwd=em.folder,
        env={**clean_environment(em.folder), **(env or {})}, stdin=asyncio.subprocess.DEVNULL, **streams,
    )  # fmt: skip
    return await process.wait()


async def test_an_events_file_on_a_full_disk_is_told_once_and_the_run_goes_on(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", em.job(), "--events", "/dev/full")
        assert done.code == 0, done.everything
        assert done.err.count("/dev/full") == 1
        assert em.restored() == em.expected()
        em.assert_nothing_left()


@pytest.mark.parametrize("format", ["text", "json"])
async def test_a_standard_error_that_takes_nothing_costs_nothing(tmp_path: Path, format: str) -> None:
    async with flow(tmp_path, small) as em:
        with open("/dev/full", "wb") as full, (tmp_path / "out").open("wb") as out:
            words = ["--log-format", format, "run", em.job()]
            code = await run_with(em, words, stdout=out, stderr=full)
        assert code == 0
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_a_standard_output_that_cannot_be_written_is_told_and_hides_no_worse_code(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        for name, entries, wanted in (("good", [], 2), ("bad", [{"vm": "fs01", "paths": ["C:\\none"]}], 3)):
            with open("/dev/full", "wb") as full, (tmp_path / "err").open("wb") as err:
                code = await run_with(em, ["--json", "run", em.job(*entries, name=name)], stdout=full, stderr=err)
            said = (tmp_path / "err").read_text()
            assert code == wanted, said
            assert "standard output cannot be written" in said
            assert "Traceback" not in said
        em.assert_nothing_left()


async def test_names_that_the_terminal_cannot_show_do_not_end_a_command(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        job = em.job({"vm": "fs01", "paths": ["C:\\Büro\\日本"]})
        done = await em.run("run", job, env={"PYTHONIOENCODING": "ascii"})
        assert done.code == 3, done.everything
        assert "B\\xfcro" in done.out


async def test_a_connection_that_hangs_up_is_a_request_to_stop(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # Under nohup the signal is ignored, here and in what is started here, and rightly stays so.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    async with flow(tmp_path, seeded(machines=6, files=300, backup_servers=1), request_latency=SLOW) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job(), cold=True)
        await running.event("files_located")
        running.signal(signal.SIGHUP)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        em.assert_nothing_left()
        assert (await em.run("resume")).code == 0
        assert em.restored() == em.expected()


async def test_a_stop_in_the_first_of_two_jobs_forgets_the_second_neither(tmp_path: Path) -> None:
    async with flow(tmp_path, small, request_latency=SLOW) as em:
        first = em.job({"vm": "fs01", "paths": ["C:\\", "D:\\"]}, name="first")
        second = em.job({"vm": "lx01", "paths": ["/"], "os": "linux"}, name="second")
        running = await em.start("--json", "run", first, second)
        await running.event("mount_opened")
        running.signal(signal.SIGINT)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert [one["job"] for one in stopped.json] == ["first", "second"]
        em.assert_nothing_left()
        codes = []
        while (resumed := await em.run("resume")).code != 2:
            codes.append(resumed.code)
        assert codes.count(0) == len(codes) >= 1
        assert em.restored() == em.expected()


async def test_a_session_that_em_answers_with_errors_does_not_keep_a_run_from_starting(tmp_path: Path) -> None:
    async with flow(tmp_path, small, strict=False, request_latency=SLOW) as em:
        running = await em.start("run", em.job({"vm": "fs01", "paths": ["C:\\", "D:\\"]}))
        await running.event("mount_opened")
        running.signal(signal.SIGKILL)
        await running.done()
        from orchestrator.simulator.faults import FaultScript

        em.simulator._script = FaultScript((Fault("session", action=Status(500), times=6),))
        done = await em.run("run", em.job({"vm": "lx01", "paths": ["/"], "os": "linux"}, name="other"))
        assert done.code == 0, done.everything
        assert "may still be open" in done.err
        em.simulator._script = FaultScript(())
        assert (await em.run("sweep")).code == 0
        em.assert_nothing_left()


async def test_one_signal_is_enough_while_the_mounts_of_a_dead_run_are_swept(tmp_path: Path) -> None:
    async with flow(
        tmp_path, small, Fault("mount_delete", action=Hang(), times=100), strict=False, request_latency=SLOW
    ) as em:
        em.configure(limits={"unmount_timeout": 1.5})
        running = await em.start("run", em.job())
        await running.event("mount_opened")
        running.signal(signal.SIGKILL)
        await running.done()
        queries = em.count("query")
        again = await em.start("run", "job.toml", events=False)
        await again.until(lambda: em.count("mount_delete"))
        again.signal(signal.SIGINT)
        stopped = await again.done()
        assert stopped.code == 6, stopped.everything
        assert em.count("query") <= queries + 2, "it went on to plan"
