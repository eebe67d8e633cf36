"""A copy of the state folder that was taken during a run is put back: what docs/reference.md promises of it."""

import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.flow import Flow, files_of, flow, small

pytestmark = pytest.mark.flow


def copied(em: Flow) -> Path:
    """A copy of the state folder, taken as the reference says."""
    copy = em.folder / "copy"
    copy.mkdir()
    with closing(sqlite3.connect(em.state / "journal.db", isolation_level=None)) as journal:
        journal.execute("VACUUM INTO ?", [str(copy / "journal.db")])
    shutil.copytree(em.state / "runs", copy / "runs")
    return copy


def put_back(em: Flow, copy: Path) -> None:
    shutil.rmtree(em.state)
    shutil.copytree(copy, em.state)


async def test_a_copy_that_is_older_than_the_end_of_its_run_is_swept_and_resumed_without_copying_again(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, small) as em:
        running = await em.start("run", em.job())
        await running.event("mount_opened")
        running.signal(signal.SIGSTOP)
        copy = copied(em)
        running.signal(signal.SIGCONT)
        assert (await running.done()).code == 0
        em.assert_nothing_left()
        put_back(em, copy)
        [run] = (await em.run("--json", "status")).json
        assert run["state"] == "running"
        swept = await em.run("--json", "sweep")
        assert (swept.code, swept.json["mounts_left"]) == (0, []), swept.everything
        assert swept.json["cleared"] >= 1
        resumed = await em.run("--json", "resume")
        assert resumed.code == 0, resumed.everything
        totals = resumed.json["totals"]
        assert totals["restored"] + totals["skipped"] == len(files_of(em.expected()))
        assert totals["skipped"] > 0
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_a_copy_holds_what_is_needed_to_delete_the_mounts_of_a_run_that_died(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        running = await em.start("run", em.job())
        await running.event("mount_opened")
        running.signal(signal.SIGKILL)
        await running.done()
        held = len(em.simulator.open_mounts())
        assert held >= 1
        put_back(em, copied(em))
        swept = await em.run("--json", "sweep")
        assert swept.code == 0, swept.everything
        assert swept.json == {"cleared": held, "mounts_left": []}
        em.assert_nothing_left()
