"""`road = "original"`: within a run Enterprise Manager restores into the guest itself, asked once for each path."""

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Drop, EndSession, FailTask, Fault, Hang, HeldTask, Status, StuckTask
from tests.docs.reading import REFERENCE, section
from tests.support.flow import Flow, flow, small

pytestmark = pytest.mark.flow

PLAN = "C:\\Shares\\plan.txt"
TOP = "C:\\top.txt"
FINANCE = "C:\\Shares\\Finance"
SECRET = 'geheim<&>"7'
ACCOUNT = {"name": "fs", "username": "fs01\\restore", "password_env": "GUEST_PASSWORD"}


def guest(em: Flow) -> Path:
    """The volume C: of the machine itself."""
    return em.estate.guest(em.machine("fs01"), "C:")


def stand(em: Flow) -> None:
    """A file of the machine where one comes back."""
    os.makedirs(guest(em) / "Shares")
    (guest(em) / "Shares/plan.txt").write_bytes(b"of today")


def job(em: Flow, *paths: str, **more: Any) -> str:
    """A job that has paths of fs01 restored to where they were; the config allows that."""
    em.configure(targets={"guests": ["FS*"]}, guest_credentials=[ACCOUNT])
    return em.job({"vm": "fs01", "paths": list(paths), "road": "original", **more}, to=None)


def told(em: Flow) -> dict[str, tuple[str, int | None, int | None]]:
    """Result, files and bytes by path, as the report has them."""
    return {one["guest_path"]: (one["result"], one["files"], one["bytes"]) for one in em.report()["originals"]}


async def test_files_and_folders_come_back_and_are_in_the_report_with_what_em_tells_of_them(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        stand(em)
        done = await em.run("run", job(em, PLAN, FINANCE, "C:\\gone"))
        assert done.code == 3, done.everything
        assert told(em) == {PLAN: ("restored", 1, 12), FINANCE: ("restored", None, None)}
        report = em.report()
        assert (report["totals"]["restored"], report["totals"]["failed"], report["totals"]["bytes"]) == (2, 1, 12)
        assert [(one["guest_path"], one["reason"]) for one in report["problems"]] == [("C:\\gone", "not-found")]
        assert (report["groups"][0]["state"], report["groups"][0]["destinations"]) == ("done", [])
        assert {one.name for one in (guest(em) / "Shares").iterdir()} == {"plan.txt", "RESTORED-plan.txt", "Finance"}
        assert (guest(em) / "Shares/Finance/Temp/c.xlsx").read_bytes() == b"scratch"
        assert "number and size of its files unknown" in done.out
        assert em.restored() == {}
        assert em.count("browse_action") == 2
        em.assert_nothing_left()
        verified = await em.run("verify", report["run"])
        assert verified.code == 0, verified.everything
        undone = await em.run("undo", report["run"])
        assert "restored it to its original location, inside the machine" in " ".join(undone.everything.split())
        assert (await em.run("bag", report["run"], str(tmp_path / "bag"))).code == 2


async def test_no_share_and_no_backup_server_of_the_config_are_needed(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        name = job(em, PLAN, on_conflict="overwrite")
        em.configure(
            targets={"guests": ["fs01"]}, backup_servers=[{"name": "elsewhere", "shares": [str(tmp_path / "no share")]}]
        )
        done = await em.run("run", name)
        assert done.code == 0, done.everything
        assert (guest(em) / "Shares/plan.txt").read_bytes() == b"newest plan!"
        checked = await em.run("check", name)
        assert checked.code == 0, checked.everything
        em.assert_nothing_left()


async def test_copies_and_restores_into_the_guest_stand_in_one_report(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(targets={"guests": ["fs01"]})
        back = {"vm": "fs01", "paths": [TOP], "road": "original"}
        done = await em.run("run", em.job(back, {"vm": "fs01", "paths": [PLAN, TOP]}))
        assert done.code == 0, done.everything
        assert told(em) == {TOP: ("restored", 1, 3)}
        assert (guest(em) / "top.txt").read_bytes() == b"top"
        assert {path for path, file in em.restored().items() if file} == {"fs01/C/Shares/plan.txt", "fs01/C/top.txt"}
        assert em.report()["totals"]["restored"] == 3
        assert (await em.run("verify", em.report()["run"])).code == 0
        em.assert_nothing_left()


async def test_guest_credentials_are_given_by_reference_and_told_nobody(tmp_path: Path) -> None:
    async with flow(tmp_path, small, guest_credentials=("fs01\\restore", SECRET)) as em:
        name = job(em, PLAN, on_conflict="overwrite", guest_credentials="fs")
        unset = await em.run("run", name)
        assert unset.code == 2, unset.everything
        assert "GUEST_PASSWORD is not set" in unset.err
        em.assert_untouched()
        refused = await em.run("run", name, env={"GUEST_PASSWORD": SECRET + "x"})
        assert refused.code == 3, refused.everything
        [problem] = em.report()["problems"]
        assert problem["reason"] == "not-put-back"
        assert problem["message"].startswith("Logon failure: the user name or password is incorrect")
        residual = em.report()["files"]["residual"]
        done = await em.run("run", residual, env={"GUEST_PASSWORD": SECRET})
        assert done.code == 0, done.everything
        assert told(em) == {PLAN: ("restored", 1, 12)}
        files = [file.read_bytes() for file in em.state.rglob("*") if file.is_file()]
        assert not any(SECRET in text for text in em.said)
        assert not any(SECRET.encode() in text for text in files)
        em.assert_nothing_left()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"to": "/restore"}, 'to does not go with road = "original": it goes back to where it was'),
        ({"include": ["*.txt"]}, "include does not go with"),
        ({"on_conflict": "skip"}, "Enterprise Manager can keep both files, or overwrite"),
        ({"metadata": "full"}, "Enterprise Manager restores everything, or permissions-only"),
        ({"metadata": "permissions-only", "on_conflict": "keep"}, "on_conflict does not go with permissions-only"),
        ({"point": "all"}, "each would replace the one before"),
        ({"road": "share", "on_conflict": "keep"}, "for copies rename keeps both"),
        ({"road": "share", "guest_credentials": "fs"}, "nobody else logs on to the guest"),
        ({"paths": ["C:\\"]}, "C:\\ is a whole volume"),
        ({"paths": ["*"]}, "* is a whole volume"),
        ({"vm": "lx01", "os": "linux", "paths": ["/etc"]}, "no guest 'lx01' (targets.guests: FS*)"),
        ({"guest_credentials": "nobody"}, "the config has no 'nobody' in [[guest_credentials]]; it has fs"),
    ],
)
async def test_what_em_cannot_do_or_must_not_is_refused_before_anything_is_mounted(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", job(em, PLAN, **more))
        assert done.code == 2, done.everything
        assert said in " ".join(done.err.split())
        em.assert_untouched()


async def test_the_same_files_are_not_asked_for_twice(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(targets={"guests": ["*"]})
        entry = {"vm": "fs01", "road": "original"}
        name = em.job({**entry, "paths": [FINANCE]}, {**entry, "paths": ["c:\\shares"], "on_conflict": "overwrite"})
        done = await em.run("run", name)
        assert done.code == 2, done.everything
        assert "entry 1 has Enterprise Manager put the same files of fs01 back" in " ".join(done.err.split())
        em.assert_untouched()


async def test_the_plan_tells_where_it_goes_and_is_not_frozen(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        name = job(em, PLAN, guest_credentials="fs")
        plan = await em.run("plan", name)
        assert "-> its original location, by Enterprise Manager (keep, as fs)" in plan.out
        for words in (["--out", "plan.json"], ["--deep"]):
            refused = await em.run("plan", name, *words)
            assert refused.code == 2, refused.everything
            assert "what stands in a guest cannot be looked at" in " ".join(refused.err.split())
        em.assert_untouched()


async def test_after_a_kill_the_known_task_is_followed_and_em_not_asked_again(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with flow(tmp_path, small, Fault("browse_action", 2, HeldTask(go))) as em:
        running = await em.start("run", job(em, TOP, PLAN, FINANCE))
        await running.event("original_asked", guest_path=PLAN)
        await running.until(lambda: em.requests()[-1].route == "task")
        running.signal(signal.SIGKILL)
        await running.process.wait()
        resuming, asked = await em.start("resume"), em.count("task")
        await resuming.until(lambda: em.count("task") > asked + 2)
        assert len(em.simulator.open_mounts()) == 1
        go.set()
        resumed = await resuming.done()
        assert resumed.code == 0, resumed.everything
        assert em.count("browse_action") == 3
        assert {path: one[0] for path, one in told(em).items()} == dict.fromkeys((TOP, PLAN, FINANCE), "restored")
        assert em.report()["totals"]["restored"] == 3
        em.assert_nothing_left()


async def test_after_a_kill_between_the_question_and_its_record_the_task_is_found(tmp_path: Path) -> None:
    faults = [Fault("browse_action", action=Drop(after=True)), Fault("tasks", 2, Hang())]
    async with flow(tmp_path, small, *faults) as em:
        stand(em)
        running = await em.start("run", job(em, PLAN))
        await running.event("original_asked")
        await running.until(lambda: not em.simulator.unfired())
        running.signal(signal.SIGKILL)
        await running.process.wait()
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        assert em.count("browse_action") == 1
        assert told(em) == {PLAN: ("restored", 1, 12)}
        assert {one.name for one in (guest(em) / "Shares").iterdir()} == {"plan.txt", "RESTORED-plan.txt"}
        em.assert_nothing_left()


async def test_the_first_stop_lets_em_end_what_it_is_at_and_asks_for_no_more(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with flow(tmp_path, small, Fault("browse_action", action=HeldTask(go))) as em:
        running = await em.start("run", job(em, PLAN, TOP))
        await running.event("original_asked")
        running.signal(signal.SIGTERM)
        await running.event("stopping")
        go.set()
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert told(em) == {PLAN: ("restored", 1, 12)}
        em.assert_nothing_left()
        assert (await em.run("resume")).code == 0
        assert em.count("browse_action") == 2
        assert told(em) == {PLAN: ("restored", 1, 12), TOP: ("restored", 1, 3)}


async def test_the_second_stop_stops_em_and_what_became_of_the_path_is_told_as_unknown(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", action=StuckTask())) as em:
        running = await em.start("run", job(em, PLAN, TOP))
        await running.until(lambda: em.requests() and em.requests()[-1].route == "task" and em.count("browse_action"))
        running.signal(signal.SIGTERM)
        await running.event("stopping", how="drain")
        running.signal(signal.SIGTERM)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        routes = [entry.route for entry in em.requests()]
        assert routes.index("task_delete") < routes.index("mount_delete")
        em.assert_nothing_left()
        resumed = await em.run("resume")
        assert resumed.code == 3, resumed.everything
        assert {path: one[0] for path, one in told(em).items()} == {PLAN: "unknown", TOP: "restored"}
        assert [one["reason"] for one in em.report()["problems"]] == ["end-unknown"]
        assert "residual" not in em.report()["files"]
        assert em.count("browse_action") == 2
        em.assert_nothing_left()


async def test_a_session_that_ends_leaves_one_path_unknown_and_the_others_are_restored(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with flow(tmp_path, small, Fault("browse_action", action=HeldTask(go))) as em:
        running = await em.start("run", job(em, PLAN, TOP))
        await running.until(lambda: em.count("browse_action") and em.requests()[-1].route == "task")
        await em.simulator.end_session()
        done = await running.done()
        assert done.code == 3, done.everything
        assert {path: one[0] for path, one in told(em).items()} == {PLAN: "unknown", TOP: "restored"}
        assert em.count("browse_action") == 2
        em.assert_nothing_left()


async def test_what_em_refuses_and_what_fails_is_told_in_its_words_and_the_rest_is_asked_for(tmp_path: Path) -> None:
    faults = [Fault("browse_action", 1, Status(403)), Fault("browse_action", 2, FailTask("The guest is off."))]
    async with flow(tmp_path, small, *faults) as em:
        em.configure(limits={"original_timeout": 60})
        done = await em.run("run", job(em, PLAN, TOP, FINANCE))
        assert done.code == 3, done.everything
        assert {path: one[0] for path, one in told(em).items()} == {PLAN: "failed", TOP: "failed", FINANCE: "restored"}
        messages = {one["guest_path"]: one["message"] for one in em.report()["problems"]}
        assert messages[TOP] == "The guest is off"
        assert "Enterprise Manager denies" in messages[PLAN]
        em.assert_nothing_left()


async def test_what_em_did_not_begin_because_its_session_had_ended_is_asked_for_under_the_next(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", action=EndSession())) as em:
        done = await em.run("run", job(em, PLAN))
        assert done.code == 0, done.everything
        assert told(em) == {PLAN: ("restored", 1, 12)}
        assert em.report()["sessions"] == 2
        em.assert_nothing_left()


async def test_a_paused_run_asks_for_nothing_until_it_goes_on(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with flow(tmp_path, small, Fault("browse_action", action=HeldTask(go))) as em:
        running = await em.start("run", job(em, PLAN, TOP))
        await running.event("original_asked")
        run = (await running.event("run_started"))["run"]
        assert (await em.run("pause", run)).code == 0
        go.set()
        await running.event("original_ended", result="restored")
        await running.event("files_done")
        assert em.count("browse_action") == 1
        assert (await em.run("unpause", run)).code == 0
        done = await running.done()
        assert done.code == 0, done.everything
        assert em.count("browse_action") == 2
        em.assert_nothing_left()


async def test_the_example_of_the_reference_does_what_its_chapter_says(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", section(REFERENCE, "To the original location"), re.DOTALL)
    assert example
    async with flow(tmp_path, small) as em:
        stand(em)
        em.configure(targets={"guests": ["fs01"]})
        (tmp_path / "back-again.toml").write_text(example[1])
        done = await em.run("run", "back-again.toml")
        assert done.code == 0, done.everything
        assert told(em) == {FINANCE: ("restored", None, None), TOP: ("restored", 1, 3)}
        assert (guest(em) / "Shares/plan.txt").read_bytes() == b"of today"
        em.assert_nothing_left()
