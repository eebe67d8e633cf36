"""Nobody takes what is written: a held terminal, a pipe that is not read, a dead disk. The run goes on regardless."""

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.flow import Flow, clean_environment, flow, seeded

pytestmark = [pytest.mark.flow, pytest.mark.timeout(60)]

PIPE_BYTES = 4096
"""The least that a pipe of Linux may hold: full after a few lines."""

MACHINES = 8


@contextmanager
def unread_pipe() -> Iterator[int]:
    """The writing end of a pipe that is open and never read."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 64)
    except BlockingIOError:
        os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


async def ended(em: Flow, *words: str, stderr: int) -> int:
    """The exit code of `orchestrator <words>`; its result goes into the file `out`."""
    with (em.folder / "out").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orchestrator", *words, cwd=em.folder, env=clean_environment(em.folder),
            stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=stderr,
        )  # fmt: skip
    try:
        return await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_standard_error_that_is_never_read_costs_no_mount_and_ends_in_time(tmp_path: Path, form: str) -> None:
    # Without a heartbeat in time EM would end the session of a run that waits for its own log.
    async with flow(tmp_path, seeded(machines=MACHINES), idle_timeout=5.0) as em:
        em.configure(enterprise_manager={"keep_alive": 1})
        with unread_pipe() as stderr:
            code = await ended(em, "--json", "--log-format", form, "run", em.job(), stderr=stderr)
        report = json.loads((tmp_path / "out").read_text())
        assert (code, report["exit_code"], report["sessions"], report["remounts"]) == (0, 0, 1, 0)
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_an_events_file_that_takes_nothing_is_told_of_and_costs_nothing_else(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=MACHINES)) as em:
        # A named pipe stands for a file on a share that hangs: opened, and then nothing moves.
        fifo = tmp_path / "events"
        os.mkfifo(fifo)
        reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            with (tmp_path / "err").open("wb") as err:
                code = await ended(em, "run", em.job(), "--events", str(fifo), stderr=err.fileno())
        finally:
            os.close(reading)
        assert code == 0
        said = (tmp_path / "err").read_text()
        assert f"--events {fifo}: does not get on" in said
        assert em.restored() == em.expected()
        em.assert_nothing_left()
