"""The main job: many machines, every byte, nothing left behind, and nothing asked of EM that is not needed."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.flow import entry_of, files_of, flow, seeded, small

pytestmark = pytest.mark.flow

REPORT_KEYS = {"run", "job", "started", "ended", "exit_code", "totals", "groups", "problems", "mounts_left"}
GROUP_KEYS = {"vm", "restore_point", "backup_server", "state", "mounts", "totals"}


async def test_twelve_machines_are_restored_byte_for_byte_and_a_second_run_copies_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded()) as em:
        em.configure(copy={"checksum": "sha256"})
        job = em.job(name="estate")
        done = await em.run("run", job, cold=True)
        assert done.code == 0, done.everything
        expected = em.expected()
        assert em.restored() == expected
        em.assert_nothing_left()
        assert done.out.rstrip().splitlines()[-1] == "mounts opened 12, deleted 12, left 0"
        report = em.report()
        assert report.keys() >= REPORT_KEYS
        assert all(group.keys() >= GROUP_KEYS for group in report["groups"])
        mounts = [mount for group in report["groups"] for mount in group["mounts"]]
        assert [mount.keys() for mount in mounts] == [{"href", "state", "host"}] * 12
        assert report["exit_code"] == 0
        assert report["mounts_left"] == report["problems"] == []
        count = len(files_of(expected))
        size = sum(file.stat().st_size for file in em.target.rglob("*") if file.is_file())
        assert report["totals"] == {"restored": count, "skipped": 0, "refused": 0, "failed": 0, "bytes": size}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["ended"])
        manifest = Path(report["files"]["manifest"])
        check = await asyncio.create_subprocess_exec(
            "sha256sum", "--check", "--strict", str(manifest), stdout=asyncio.subprocess.PIPE, cwd=manifest.parent
        )
        out, _ = await check.communicate()
        assert (check.returncode, out.count(b": OK\n")) == (0, count)

        again = await em.run("--json", "run", job)
        assert again.code == 0
        assert again.json["totals"] == {"restored": 0, "skipped": count, "refused": 0, "failed": 0, "bytes": 0}
        assert em.restored() == expected
        em.assert_nothing_left()


async def test_enterprise_manager_is_asked_for_exactly_what_is_needed(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        windows, linux = em.machine("fs01"), em.machine("lx01")
        twice = [entry_of(windows, paths=["C:\\Shares"]), entry_of(windows, paths=["D:\\"]), entry_of(linux)]
        done = await em.run("run", em.job(*twice))
        assert done.code == 0, done.everything
        log = em.requests()
        asked = Counter(entry.route for entry in log)
        polls = asked.pop("task")
        assert asked == {
            "entry": 1, "logon": 1, "query": 1, "mounts_list": 2, "mount_post": 2, "mount_get": 2, "browse": 3,
            "mount_delete": 2, "logoff": 1,
        }  # fmt: skip
        assert 2 <= polls <= 6
        assert (log[0].route, log[-1].route) == ("logon", "logoff")
        assert {entry.note for entry in log} == {""}
        assert {entry.status for entry in log} == {200, 201, 202, 204}
        for machine, roots in ((windows, 2), (linux, 1)):
            mine = [entry.route for entry in log if machine.points[-1].uid in entry.path]
            assert mine == ["mounts_list", "mount_post", "mount_get", *["browse"] * roots, "mount_delete"]
        browsed = [entry.path.partition("/mounts/1/")[2] for entry in log if entry.route == "browse"]
        assert sorted(browsed) == ["/", "C:", "D:"]


async def test_a_question_with_more_answers_than_a_page_holds_is_asked_page_by_page(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(enterprise_manager={"page_size": 1})
        done = await em.run("run", em.job(entry_of(em.machine("fs01"))))
        assert done.code == 0, done.everything
        pages = [re.findall(r"\bpage=(\d+)", entry.query) for entry in em.requests() if entry.route == "query"]
        assert pages == [["1"], ["2"]]
        assert em.restored() == em.expected(em.machine("fs01"))


async def test_no_action_on_a_whole_machine_is_ever_asked_for_although_its_links_stand_beside(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=4, files=100)) as em:
        em.job()
        assert (await em.run("run", "job.toml")).code == 0
        assert [entry for entry in em.requests() if "DANGER" in entry.note or entry.method == "PUT"] == []
        posts = [entry.path for entry in em.requests() if entry.method == "POST"]
        assert posts[0] == "/api/sessionMngr/"
        assert len(posts) == 5
        assert all(path.endswith("/mounts") for path in posts[1:])
