"""`orchestrator browse`: what a restore point holds, and no mount left."""

import signal
from pathlib import Path

import pytest

from orchestrator.simulator import Fault, Hang
from tests.support.flow import flow, small

pytestmark = pytest.mark.flow

HERE = ["browse", "--vm", "fs01"]


async def test_folders_files_and_volumes_are_listed_and_the_mount_deleted(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        volumes = await em.run(*HERE)
        assert volumes.code == 0, volumes.everything
        assert [line.split()[-1] for line in volumes.out.splitlines()[1:]] == ["C:\\", "D:\\"]
        done = await em.run("--json", *HERE, "c:/shares")
        assert done.code == 0, done.everything
        assert [(one["path"], one["kind"], one["size"]) for one in done.json["entries"]] == [
            ("C:\\Shares\\Finance", "folder", None),
            ("C:\\Shares\\empty", "folder", None),
            ("C:\\Shares\\plan.txt", "file", 12),
        ]
        assert done.json["vm"] == "fs01"
        assert not done.json["more"]
        text = await em.run(*HERE, "C:\\Shares")
        assert "      12 B  2020-02-03 " in text.out
        assert em.simulator.mounts_made == em.count("mount_delete") == 3
        assert em.restored() == {}
        em.assert_nothing_left()
        assert (await em.run("resume")).code == 2


async def test_a_pattern_finds_names_at_any_depth_and_a_time_another_point(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("--json", *HERE, "--find", "*.XLSX", "C:\\")
        assert [one["path"] for one in done.json["entries"]] == [
            "C:\\Shares\\Finance\\a.xlsx",
            "C:\\Shares\\Finance\\Temp\\c.xlsx",
        ]
        elder = await em.run("--json", *HERE, "--as-of", "2026-11-18T00:00:00Z", "--find", "gone*", "*")
        assert [one["path"] for one in elder.json["entries"]] == ["C:\\Shares\\gone since.txt"]
        cut = await em.run("--json", *HERE, "--find", "*", "--limit", "2", "*")
        assert (len(cut.json["entries"]), cut.json["more"]) == (2, True)
        linux = await em.run("--json", "browse", "--vm", "lx01", "--os", "linux", "/srv/data/x y.txt")
        assert [(one["path"], one["kind"]) for one in linux.json["entries"]] == [("/srv/data/x y.txt", "file")]
        em.assert_nothing_left()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["browse"], 2, "say which machine: --vm NAME, or --restore-point ID"),
        (["browse", "--vm", "fs09"], 2, "there is no machine 'fs09'"),
        (["browse", "--vm", "?*"], 2, "2 machines match (fs01, lx01); name one"),
        ([*HERE, "--as-of", "2026-11-20T18:00:00"], 2, "has no time zone; add Z"),
        ([*HERE, "--as-of", "yesterday"], 2, "'yesterday' is no date and time; write it as 2026-11-20T18:00:00Z"),
        ([*HERE, "Shares"], 2, "'Shares' is not an absolute guest path"),
        ([*HERE, "C:\\gone"], 2, "C:\\gone is not in the restore point of fs01"),
        ([*HERE, "E:\\"], 2, "E:\\ is not in the restore point of fs01: it has C:, D:"),
        (["browse", "--vm", "lx01", "/etc"], 4, "no Windows file system was found"),
    ],
)
async def test_words_that_name_nothing_are_told_and_leave_no_mount(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run(*words)
        assert done.code == code, done.everything
        assert said in " ".join(done.err.split())
        em.assert_nothing_left()


async def test_a_signal_while_listing_deletes_the_mount(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse", action=Hang())) as em:
        running = await em.start(*HERE, "C:\\")
        await running.until(lambda: em.count("browse"))
        running.signal(signal.SIGINT)
        done = await running.done()
        assert done.code == 6, done.everything
        em.assert_nothing_left()


async def test_after_a_kill_while_listing_the_mount_is_swept(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse", action=Hang())) as em:
        running = await em.start(*HERE, "C:\\")
        await running.until(lambda: em.count("browse"))
        running.signal(signal.SIGKILL)
        await running.process.wait()
        assert len(em.simulator.open_mounts()) == 1
        swept = await em.run("--json", "sweep")
        assert swept.code == 0, swept.everything
        assert swept.json["cleared"] == 1
        em.assert_nothing_left()


@pytest.mark.parametrize("words", [[*HERE, "C:\\"], ["put-back", "--vm", "fs01", "--yes", "C:\\Shares"]])
async def test_beside_a_watcher_nothing_is_mounted_and_what_can_be_seen_beside_it_is_said(
    tmp_path: Path, words: list[str]
) -> None:
    async with flow(tmp_path, small) as em:
        watcher = await em.start("watch")
        await watcher.event("watcher_ready")
        refused = await em.run(*words)
        assert refused.code == 5, refused.everything
        assert f"`{words[0]}` mounts, and the mount must be in the journal there" in " ".join(refused.err.split())
        for beside in (["points", "--vm", "fs01"], ["plan", em.job()]):
            seen = await em.run(*beside)
            assert seen.code == 0, seen.everything
        assert em.simulator.mounts_made == 0
        watcher.signal(signal.SIGTERM)
        assert (await watcher.done()).code in (0, 6)
        em.assert_nothing_left()
