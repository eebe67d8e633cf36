"""`orchestrator put-back`: Enterprise Manager restores into the guest, asked once for each path; no mount is left."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from orchestrator.simulator import Drop, FailTask, Fault, HeldTask, Status, StuckTask
from tests.support.flow import Flow, flow, small

pytestmark = pytest.mark.flow

HERE = ["put-back", "--vm", "fs01"]
PLAN = "C:\\Shares\\plan.txt"


def guest(em: Flow) -> Path:
    """The volume C: of the machine itself."""
    return em.estate.guest(em.machine("fs01"), "C:")


def stand(em: Flow) -> None:
    """A file of the machine where one comes back."""
    os.makedirs(guest(em) / "Shares")
    (guest(em) / "Shares/plan.txt").write_bytes(b"of today")


async def test_without_yes_nothing_is_mounted_and_the_restore_point_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run(*HERE, PLAN)
        assert done.code == 0, done.everything
        assert "restore point of 2026-11-20 02:00:00 UTC" in done.out
        assert "nothing was done. With --yes these come back (keep)" in done.out
        em.assert_untouched()


@pytest.mark.parametrize(
    ("standing", "files"),
    [
        ("keep", {"plan.txt": b"of today", "RESTORED-plan.txt": b"newest plan!"}),
        ("overwrite", {"plan.txt": b"newest plan!"}),
        ("permissions-only", {"plan.txt": b"of today"}),
    ],
)
async def test_what_stands_there_is_kept_overwritten_or_given_permissions(
    tmp_path: Path, standing: str, files: dict[str, bytes]
) -> None:
    async with flow(tmp_path, small) as em:
        stand(em)
        done = await em.run("--json", *HERE, "--yes", "--standing", standing, "c:/shares/PLAN.txt")
        assert done.code == 0, done.everything
        assert [one["result"] for one in done.json["paths"]] == ["restored"]
        assert {one.name: one.read_bytes() for one in (guest(em) / "Shares").iterdir()} == files
        assert em.count("browse_action") == 1
        assert em.restored() == {}
        em.assert_nothing_left()


async def test_folders_come_back_whole_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run(*HERE, "--yes", "C:\\Shares\\Finance", "C:\\gone")
        assert done.code == 3, done.everything
        assert "restored: C:\\Shares\\Finance" in done.out
        assert "failed: C:\\gone: it is not in the restore point" in done.out
        assert (guest(em) / "Shares/Finance/Temp/c.xlsx").read_bytes() == b"scratch"
        em.assert_nothing_left()


SECRET = 'geheim<&>"7'
ACCOUNT = {"name": "fs", "username": "fs01\\restore", "password_env": "GUEST_PASSWORD"}
AS_FS = [*HERE, "--yes", "--guest-credentials", "fs", PLAN]


async def test_guest_credentials_are_given_by_reference_and_told_nobody(tmp_path: Path) -> None:
    async with flow(tmp_path, small, guest_credentials=("fs01\\restore", SECRET)) as em:
        em.configure(guest_credentials=[ACCOUNT])
        done = await em.run(*AS_FS, env={"GUEST_PASSWORD": SECRET})
        assert done.code == 0, done.everything
        refused = await em.run(*AS_FS, env={"GUEST_PASSWORD": SECRET + "x"})
        assert refused.code == 3, refused.everything
        assert "failed: C:\\Shares\\plan.txt: Logon failure: the user name or password is incorrect" in refused.out
        files = [file.read_bytes() for file in em.state.rglob("*") if file.is_file()]
        assert not any(SECRET in text for text in em.said)
        assert not any(SECRET.encode() in text for text in files)
        em.assert_nothing_left()


async def test_guest_credentials_that_are_missing_are_asked_for(tmp_path: Path) -> None:
    async with flow(tmp_path, small, guest_credentials=("fs01\\restore", SECRET)) as em:
        em.configure(guest_credentials=[ACCOUNT])
        needed = await em.run(*HERE, "--yes", PLAN)
        assert needed.code == 3, needed.everything
        assert "guest credentials are needed" in needed.out
        unset = await em.run(*AS_FS)
        assert unset.code == 2
        assert "GUEST_PASSWORD is not set" in unset.err
        unknown = await em.run(*HERE, "--yes", "--guest-credentials", "nobody", PLAN)
        assert "the config has no 'nobody' in [[guest_credentials]]; it has fs" in unknown.err
        em.assert_nothing_left()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*HERE, "--yes", "C:\\"], "C:\\ is a whole volume; name folders or files"),
        ([*HERE, "--yes", "*"], "* is a whole volume"),
        (["put-back", "--yes", PLAN], "say which machine: --vm NAME"),
        ([*HERE, "--yes", "Shares"], "'Shares' is not an absolute guest path"),
    ],
)
async def test_words_that_must_not_be_done_are_refused_before_anything_is_mounted(
    tmp_path: Path, words: list[str], said: str
) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run(*words)
        assert done.code == 2, done.everything
        assert said in " ".join(done.err.split())
        em.assert_untouched()


async def test_what_em_refuses_is_told_and_may_be_asked_for_again(tmp_path: Path) -> None:
    faults = [Fault("browse_action", 1, Status(403)), Fault("browse_action", 2, FailTask("The guest is off."))]
    async with flow(tmp_path, small, *faults) as em:
        denied = await em.run(*HERE, "--yes", PLAN, "C:\\top.txt")
        assert denied.code == 3, denied.everything
        assert "failed: C:\\Shares\\plan.txt: Enterprise Manager denies" in denied.out
        assert "failed: C:\\top.txt: The guest is off" in denied.out
        assert (await em.run(*HERE, "--yes", PLAN)).code == 0
        em.assert_nothing_left()


async def test_after_a_lost_answer_the_task_is_found_in_the_list_and_followed(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", action=Drop(after=True))) as em:
        stand(em)
        done = await em.run(*HERE, "--yes", PLAN)
        assert done.code == 0, done.everything
        assert "restored: C:\\Shares\\plan.txt" in done.out
        assert em.count("browse_action") == 1
        assert (guest(em) / "Shares/RESTORED-plan.txt").read_bytes() == b"newest plan!"
        em.assert_nothing_left()


@pytest.mark.timeout(90)
async def test_when_no_task_shows_either_em_is_not_asked_again_until_the_operator_says_so(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", action=Drop())) as em:
        lost = await em.run(*HERE, "--yes", PLAN)
        assert lost.code == 3, lost.everything
        assert "unknown: C:\\Shares\\plan.txt: no answer was seen, and Enterprise Manager shows no task" in lost.out
        assert em.count("browse_action") == 1
        refused = await em.run(*HERE, "--yes", "c:/shares/PLAN.txt")
        assert refused.code == 2, refused.everything
        assert "Look into the guest; --again asks all the same" in " ".join(refused.err.split())
        assert em.count("browse_action") == 1
        assert (await em.run(*HERE, "--yes", "--again", PLAN)).code == 0
        assert (await em.run(*HERE, "--yes", PLAN)).code == 0
        em.assert_nothing_left()


async def test_after_a_kill_the_task_is_followed_to_its_end_before_the_mount_is_swept(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with flow(tmp_path, small, Fault("browse_action", action=HeldTask(go))) as em:
        running = await em.start(*HERE, "--yes", PLAN)
        await running.until(lambda: em.count("browse_action"))
        running.signal(signal.SIGKILL)
        await running.process.wait()
        sweeping, asked = await em.start("sweep"), em.count("task")
        await sweeping.until(lambda: em.count("task") > asked + 2)
        assert len(em.simulator.open_mounts()) == 1
        go.set()
        swept = await sweeping.done()
        assert swept.code == 0, swept.everything
        assert (guest(em) / "Shares/plan.txt").read_bytes() == b"newest plan!"
        assert em.count("browse_action") == 1
        again = await em.run(*HERE, "--yes", PLAN)  # its end is known, so that it may be asked for anew
        assert again.code == 0, again.everything
        em.assert_nothing_left()


async def test_a_task_that_em_does_not_end_in_time_is_stopped_and_its_end_is_unknown(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", action=StuckTask())) as em:
        em.configure(limits={"original_timeout": 0.5})
        done = await em.run(*HERE, "--yes", PLAN)
        assert done.code == 3, done.everything
        said = "Enterprise Manager did not end it within 0.5 s (limits.original_timeout), and was told to stop"
        assert f"unknown: C:\\Shares\\plan.txt: {said}" in " ".join(done.out.split())
        assert em.count("task_delete") == 1
        em.assert_nothing_left()


async def test_a_stop_tells_em_to_stop_before_the_mount_goes(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse_action", action=StuckTask())) as em:
        running = await em.start(*HERE, "--yes", PLAN)
        await running.until(lambda: em.count("browse_action") and em.count("task"))
        running.signal(signal.SIGTERM)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        routes = [entry.route for entry in em.requests()]
        assert routes.index("task_delete") < routes.index("mount_delete")
        em.assert_nothing_left()
