"""A plan is frozen in a file and run as it stands, or refused with what has changed since."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.flow import Flow, entry_of, flow, small

pytestmark = pytest.mark.flow


async def planned(em: Flow, job: str) -> dict[str, Any]:
    """The document that `plan --out plan.json` has written."""
    done = await em.run("plan", "--out", "plan.json", job)
    assert done.code == 0, done.everything
    text = (em.folder / "plan.json").read_text()
    document: dict[str, Any] = json.loads(text)
    assert document["hash"] in done.err
    assert text == json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
    return document


async def test_a_frozen_plan_is_run_as_it_stands_and_kept_with_its_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        document = await planned(em, em.job())
        em.assert_untouched()
        (em.folder / "job.toml").write_text("this is not read any more")
        done = await em.run("--json", "run", "plan.json")
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert done.json["run"] == document["plan"]["run"]
        assert Path(done.json["files"]["plan"]).read_bytes() == (em.folder / "plan.json").read_bytes()
        assert Path(done.json["files"]["job"]).read_text() == document["job_text"]
        em.assert_nothing_left()


async def test_a_plan_that_has_changed_its_destinations_is_refused_a_second_time(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await planned(em, em.job(entry_of(em.machine("fs01"))))
        assert (await em.run("run", "plan.json")).code == 0
        restored = em.restored()
        mounts = em.simulator.mounts_made
        again = await em.run("run", "plan.json")
        assert again.code == 2
        assert "0 files of 0 bytes when it was planned" in again.err
        assert str(em.target / "fs01") in again.err
        assert (em.simulator.mounts_made, em.restored()) == (mounts, restored)


async def test_a_plan_that_changes_nothing_can_be_run_again_under_another_name(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        job = em.job()
        assert (await em.run("run", job)).code == 0
        await planned(em, job)
        runs = []
        for _ in range(2):
            done = await em.run("--json", "run", "plan.json")
            assert done.code == 0, done.everything
            assert done.json["totals"]["restored"] == 0
            runs.append(done.json["run"])
        assert len(set(runs)) == 2


async def test_a_plan_goes_on_with_its_restore_points_when_newer_ones_have_come(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        machine = em.machine("fs01")
        newest = machine.points.pop()
        await planned(em, em.job(entry_of(machine, paths=["C:\\Shares"])))
        machine.points.append(newest)
        done = await em.run("run", "plan.json")
        assert done.code == 0, done.everything
        assert (em.target / "fs01/C/Shares/plan.txt").read_bytes() == b"elder plan"


async def test_a_plan_whose_restore_point_is_gone_is_refused(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await planned(em, em.job())
        gone = em.machine("fs01").points.pop()
        done = await em.run("run", "plan.json")
        assert done.code == 2
        assert f"the restore point of fs01 of {gone.created:%Y-%m-%d %H:%M:%S} UTC" in done.err
        assert "is gone" in done.err
        em.assert_untouched()


def add(em: Flow) -> None:
    (em.target / "fs01/C/Shares/new.txt").write_text("new")


def change(em: Flow) -> None:
    (em.target / "fs01/C/Shares/plan.txt").write_text("changed!!!!!")


def remove(em: Flow) -> None:
    (em.target / "fs01/C/Shares/plan.txt").unlink()


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (add, "1 file of 12 bytes when it was planned, 2 files of 15 bytes now; changed in C/Shares"),
        (change, "1 file of 12 bytes as when it was planned, but not the same (name, kind, size or time)"),
        (remove, "1 file of 12 bytes when it was planned, 0 files of 0 bytes now; changed in C/Shares"),
    ],
)
async def test_a_plan_is_refused_after_a_change_of_one_file_of_the_target(
    tmp_path: Path, act: Callable[[Flow], None], words: str
) -> None:
    async with flow(tmp_path, small) as em:
        folder = em.target / "fs01/C/Shares"
        folder.mkdir(parents=True)
        (folder / "plan.txt").write_text("newest plan?")
        (em.target / "fs01/beside.txt").write_text("no business of the plan")
        await planned(em, em.job(entry_of(em.machine("fs01"), paths=["C:\\Shares"])))
        (em.target / "fs01/beside.txt").unlink()
        act(em)
        done = await em.run("run", "plan.json")
        assert done.code == 2
        assert words in done.err
        assert em.simulator.mounts_made == 0


async def test_a_plan_of_another_enterprise_manager_is_refused(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await planned(em, em.job())
        em.configure(enterprise_manager={"url": em.server.url.replace("127.0.0.1", "localhost")})
        done = await em.run("run", "plan.json")
        assert done.code == 2
        assert "the config names another" in done.err
        em.assert_untouched()


HOSTILE = '{"format":"orchestrator-plan","version":1,"hash":"\\ud800","a":NaN}'


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text.replace('"fs01"', '"fs02"', 1), "was changed or damaged after it was written"),
        (lambda text: text[: len(text) // 2], "is not whole: it was cut off or damaged"),
        (lambda text: text.replace("}", "\x00", 1), "is not whole"),
        (lambda text: text.replace('"version":1', '"version":2'), "a newer orchestrator (version 2, this one knows 1)"),
        (lambda text: '{"name": "fs01"}', "is JSON, but no plan"),
        (lambda text: "{", "is not whole"),
        (lambda text: '{"format":"orchestrator-plan","version":1}', "its hash does not fit"),
        (lambda text: HOSTILE, "its hash does not fit"),
    ],
    ids=["edited", "half", "binary", "newer", "foreign", "brace", "without hash", "hostile"],
)
async def test_a_plan_file_that_is_not_as_it_was_written_is_refused(
    tmp_path: Path, damage: Callable[[str], str], words: str
) -> None:
    async with flow(tmp_path, small) as em:
        await planned(em, em.job())
        file = em.folder / "plan.json"
        file.write_text(damage(file.read_text()))
        done = await em.run("run", "plan.json")
        assert done.code == 2
        assert words in done.err
        assert "plan.json" in done.err
        em.assert_untouched()


async def test_a_plan_takes_no_options_and_no_other_command_takes_it_for_a_job(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        job = em.job()
        await planned(em, job)
        for words in (["run", "--keep-going", "plan.json"], ["run", "--compare", "content", "plan.json"]):
            done = await em.run(*words)
            assert done.code == 2
            assert "a plan is run as it stands" in done.err
        done = await em.run("validate", "plan.json")
        assert done.code == 2
        assert "only `run` takes a plan" in done.err
        done = await em.run("plan", "--out", "both.json", job, job)
        assert done.code == 2
        assert not (em.folder / "both.json").exists()


async def test_a_job_with_problems_and_a_drill_are_not_frozen(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("plan", "--out", "plan.json", em.job({"vm": "fs99", "paths": ["C:\\"]}))
        assert done.code == 2
        assert "not written" in done.err
        em.configure(drill={"folder": str(em.target)})
        text = (em.folder / em.job()).read_text()
        (em.folder / "job.toml").write_text("drill = true\n" + text)
        done = await em.run("plan", "--out", "plan.json", "job.toml")
        assert done.code == 2
        assert "run its job" in done.err
        assert not (em.folder / "plan.json").exists()


async def test_a_plan_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("plan", "--out", "nowhere/plan.json", em.job())
        assert done.code == 2
        assert "nowhere" in done.err
