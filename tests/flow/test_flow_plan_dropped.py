"""A plan in the drop folder: run as it stands, as `orchestrator run` does, or refused with what has changed."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from tests.flow.test_flow_watch import WATCH, stopped, until, watching
from tests.support.flow import Flow, entry_of, flow, small

pytestmark = pytest.mark.flow


async def frozen(em: Flow, *words: str) -> str:
    """What `plan --out` has written of a job that restores one machine."""
    done = await em.run("plan", *words, "--out", "plan.json", em.job(entry_of(em.machine("fs01"))))
    assert done.code == 0, done.everything
    return (em.folder / "plan.json").read_text()


@pytest.mark.parametrize("words", [[], ["--deep"]])
async def test_a_dropped_plan_is_run_as_it_stands_and_ends_beside_its_report(tmp_path: Path, words: list[str]) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        newest = em.machine("fs01").points.pop()
        text = await frozen(em, *words)
        em.machine("fs01").points.append(newest)
        watcher = await watching(em)
        em.drop(text, "approved plan.json")
        ended = await watcher.event("job_ended", job="job")
        assert (ended["exit_code"], ended["folder"]) == (0, "done"), ended
        await stopped(watcher)
        assert (em.target / "fs01/C/Shares/plan.txt").read_bytes() == b"elder plan", "the restore point of the plan"
        report = em.report()
        assert report["run"] == json.loads(text)["plan"]["run"]
        assert Path(report["files"]["plan"]).read_text() == text
        done = {file.name.partition("Z.")[2].partition(".")[2] for file in (tmp_path / "jobs" / "done").iterdir()}
        assert done == {"json", "reason.txt", "report.json", "report.html"}
        assert em.ended()["approved plan"].startswith("exit 0: everything is restored, ")
        em.assert_nothing_left()


async def test_a_plan_that_is_dropped_again_is_refused_for_what_it_has_restored_and_runs_when_that_is_gone(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        text = await frozen(em)
        watcher = await watching(em)
        em.drop(text, "first.json")
        await watcher.event("job_ended", exit_code=0)
        mounts = em.simulator.mounts_made
        em.drop(text, "second.json")
        refused = await watcher.event("job_ended", exit_code=2)
        assert refused["folder"] == "failed"
        assert "not started: second.json: the plan no longer fits what is there, so nothing was done" in refused["line"]
        assert "0 files of 0 bytes when it was planned" in em.ended("failed")["second"]
        assert em.simulator.mounts_made == mounts
        shutil.rmtree(em.target / "fs01")
        em.drop(text, "third.json")
        await watcher.until(lambda: "third" in em.ended())
        await stopped(watcher)
        assert (em.target / "fs01/C/Shares/plan.txt").read_bytes() == b"newest plan!"
        em.assert_nothing_left()


async def test_a_dropped_plan_is_refused_when_a_restore_point_or_one_file_of_its_target_has_changed(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        text = await frozen(em)
        gone = em.machine("fs01").points.pop()
        (em.target / "fs01/C").mkdir(parents=True)
        (em.target / "fs01/C/new.txt").write_text("new")
        watcher = await watching(em)
        em.drop(text, "plan.json")
        refused = await watcher.event("job_ended", job="job")
        await stopped(watcher)
        assert refused["exit_code"] == 2
        assert f"the restore point of fs01 of {gone.created:%Y-%m-%d %H:%M:%S} UTC" in refused["line"]
        assert "1 file of 3 bytes now" in refused["line"]
        assert em.simulator.mounts_made == 0
        assert [path for path, content in em.restored().items() if content is not None] == ["fs01/C/new.txt"]


async def test_what_is_json_and_no_plan_is_answered_in_words(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        text = await frozen(em)
        watcher = await watching(em)
        words = {
            "report": ('{"run": "x"}', "is JSON, but no plan; `orchestrator plan JOB --out FILE` writes one"),
            "half": (text[: len(text) // 2], "is not whole: it was cut off or damaged"),
            "edited": (text.replace("fs01", "fs02"), "was changed or damaged after it was written"),
            "toml": ('name = "x"\nresotre = 1\n', "resotre: unknown key; did you mean restore?"),
        }
        for name, (content, _) in words.items():
            em.drop(content, f"{name}.json")
        incoming = tmp_path / "jobs" / "incoming"
        answers = {name: incoming / f"{name}.json.rejected.txt" for name in words}
        await until(watcher, lambda: all(answer.exists() for answer in answers.values()))
        for name, (_, said) in words.items():
            assert said in answers[name].read_text()
        assert sorted(file.name.split(".")[0] for file in (tmp_path / "jobs" / "failed").glob("*.json")) == sorted(
            words
        )
        await stopped(watcher)
        em.assert_untouched()


async def test_a_plan_that_waits_survives_a_watcher_that_is_killed(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch=WATCH)
        text = await frozen(em)
        watcher = await watching(em)
        assert (await em.run("pause")).code == 0
        em.drop(text, "plan.json")
        await watcher.event("job_held", job="job")
        assert [one["file"] for one in (await em.run("--json", "queue")).json["jobs"]] == ["plan.json"]
        watcher.signal(signal.SIGKILL)
        await watcher.done()
        watcher = await watching(em)
        assert (await em.run("unpause")).code == 0
        await watcher.event("job_ended", job="job", exit_code=0)
        await stopped(watcher)
        assert em.restored() == em.expected(em.machine("fs01"))
        em.assert_nothing_left()
