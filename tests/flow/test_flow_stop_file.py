"""A file named `stop` in the state folder asks the process that works there, and no other, to stop."""

from pathlib import Path

import pytest

from tests.support.flow import flow, seeded, small

pytestmark = pytest.mark.flow

SLOW = 0.15
"""Seconds that each answer of EM takes, so that a run is still going on when the file is looked for."""


async def test_a_stop_file_drains_the_run_that_is_going_on_and_is_taken_away(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=8, files=100, backup_servers=1), request_latency=SLOW) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.event("files_located")
        (em.state / "stop").touch()
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert [one["how"] for one in running.events() if one["event"] == "stopping"] == ["drain"]
        assert not (em.state / "stop").exists()
        em.assert_nothing_left()


async def test_a_stop_file_that_asked_an_earlier_process_is_taken_away_and_told_of(tmp_path: Path) -> None:
    async with flow(tmp_path, small, request_latency=SLOW) as em:
        em.state.mkdir(mode=0o700)
        (em.state / "stop").touch()
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert f"{em.state / 'stop'} was there before this start" in done.err
        assert not (em.state / "stop").exists()
        assert em.restored() == em.expected()


async def test_a_run_by_hand_is_stopped_by_its_id(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=8, files=100, backup_servers=1), request_latency=SLOW) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        run = (await running.event("files_located"))["run"]
        refused = await em.run("stop", "--now", run)
        assert refused.code == 2
        assert "`orchestrator stop`, twice" in refused.err
        assert (await em.run("stop", run)).code == 0
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert f"next: orchestrator resume {run}" in stopped.out
        assert [file.name for file in em.state.iterdir() if "." in file.name and "journal" not in file.name] == []
        em.assert_nothing_left()


async def test_a_run_that_is_not_going_on_is_not_asked_to_stop(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        assert (await em.run("run", em.job())).code == 0
        run = em.report()["run"]
        for name, words in ((run, f"run {run} is not going on, it is finished"), ("nonsense", "no run nonsense")):
            done = await em.run("stop", name)
            assert done.code == 2
            assert words in done.err
            assert done.out == ""


async def test_a_plan_does_not_take_the_stop_file_that_asks_a_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small, request_latency=SLOW) as em:
        em.state.mkdir(mode=0o700)
        (em.state / "stop").touch()
        done = await em.run("plan", em.job())
        assert done.code == 0, done.everything
        assert (em.state / "stop").exists()
