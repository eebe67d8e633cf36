"""What a job may ask for: paths, patterns, points, conflict policies; and how much of it happens at once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate
from tests.support.flow import Flow, Tree, copies, entry_of, files_of, flow, seeded, small

pytestmark = pytest.mark.flow

MINE = b"what the operator has made of it"
BEFORE_THE_BACKUP = 1_000_000_000_000_000_000
AFTER_THE_BACKUP = 1_900_000_000_000_000_000
TOP = "fs01/C/top.txt"
RENAMED = "fs01/C/top (restored 20261120T020000Z).txt"


@pytest.mark.parametrize(
    ("policy", "mtime_ns", "mine_stays", "copied", "totals"),
    [
        ("skip", BEFORE_THE_BACKUP, True, False, (6, 1)),
        ("overwrite", AFTER_THE_BACKUP, False, True, (7, 0)),
        ("newer", BEFORE_THE_BACKUP, False, True, (7, 0)),
        ("newer", AFTER_THE_BACKUP, True, False, (6, 1)),
        ("changed", AFTER_THE_BACKUP, False, True, (7, 0)),
        ("rename", BEFORE_THE_BACKUP, True, True, (7, 0)),
    ],
)
async def test_a_file_that_stands_in_the_way_is_treated_as_the_policy_says_and_a_second_run_changes_nothing(
    tmp_path: Path, policy: str, mtime_ns: int, mine_stays: bool, copied: bool, totals: tuple[int, int]
) -> None:
    async with flow(tmp_path, small) as em:
        mine = em.target / TOP
        mine.parent.mkdir(parents=True)
        mine.write_bytes(MINE)
        os.utime(mine, ns=(mtime_ns, mtime_ns))
        stood = em.restored()[TOP]
        original = files_of(em.expected(em.machine("fs01")))
        expected = dict(original)
        if mine_stays:
            expected[TOP] = stood
        if mine_stays and copied:
            expected[RENAMED] = original[TOP]
        em.job(entry_of(em.machine("fs01")), on_conflict=policy)
        done = await em.run("--json", "run", "job.toml")
        assert done.code == 0, done.everything
        assert (done.json["totals"]["restored"], done.json["totals"]["skipped"]) == totals
        assert files_of(em.restored()) == expected
        again = await em.run("--json", "run", "job.toml")
        assert (again.code, again.json["totals"]["restored"]) == (0, 0)
        assert files_of(em.restored()) == expected
        em.assert_nothing_left()


async def test_what_differs_in_its_time_alone_is_not_copied_again_and_gets_the_time(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.job(entry_of(em.machine("fs01")), on_conflict="changed")
        first = await em.run("--json", "run", "job.toml")
        assert first.code == 0, first.everything
        expected, top = em.restored(), em.target / TOP
        number = top.stat().st_ino
        os.utime(top, ns=(AFTER_THE_BACKUP, AFTER_THE_BACKUP))
        again = await em.run("--json", "run", "job.toml")
        assert (again.code, again.json["totals"]["restored"]) == (0, 0)
        assert em.restored() == expected
        assert top.stat().st_ino == number


@pytest.mark.parametrize(("policy", "mended"), [("overwrite", True), ("changed", True), ("skip", False)])
async def test_by_content_a_file_that_has_rotted_under_its_old_size_and_time_is_found(
    tmp_path: Path, policy: str, mended: bool
) -> None:
    async with flow(tmp_path, small) as em:
        em.job(entry_of(em.machine("fs01")), on_conflict=policy)
        assert (await em.run("run", "job.toml")).code == 0
        expected, top = em.restored(), em.target / TOP
        before = top.stat()
        top.write_bytes(bytes(byte ^ 1 for byte in top.read_bytes()))
        os.utime(top, ns=(before.st_mtime_ns, before.st_mtime_ns))
        rotten = em.restored()
        by_time = await em.run("--json", "run", "job.toml")
        assert (by_time.json["totals"]["restored"], em.restored()) == (0, rotten)
        by_content = await em.run("--json", "run", "--compare", "content", "job.toml")
        assert by_content.code == 0, by_content.everything
        assert by_content.json["totals"]["restored"] == int(mended)
        assert em.restored() == (expected if mended else rotten)
        em.assert_nothing_left()


async def test_a_renamed_copy_is_called_as_the_job_says_and_found_again(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        mine = em.target / TOP
        mine.parent.mkdir(parents=True)
        mine.write_bytes(MINE)
        pattern = "{stem}.from-backup-{date}{suffix}"
        em.job(entry_of(em.machine("fs01")), on_conflict="rename", rename_pattern=pattern, compare="content")
        for restored in (7, 0):
            done = await em.run("--json", "run", "job.toml")
            assert (done.code, done.json["totals"]["restored"]) == (0, restored), done.everything
            names = sorted(path.name for path in mine.parent.iterdir() if path.name.startswith("top"))
            assert names == ["top.from-backup-2026-11-20.txt", "top.txt"]
        assert mine.read_bytes() == MINE


async def test_patterns_choose_and_leave_out(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.job({"vm": "fs01", "paths": ["C:\\"], "include": ["*.xlsx", "*.DOCX"], "exclude": ["~$*", "**/Temp/"]})
        done = await em.run("run", "job.toml")
        assert done.code == 0, done.everything
        wanted = copies(em.estate, em.machine("fs01"), "C:/Shares/Finance/a.xlsx", "C:/Shares/Finance/b.docx")
        assert em.restored() == wanted
        em.assert_nothing_left()


async def test_a_whole_volume_without_what_is_excluded(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["C:\\"], "exclude": ["Finance/"]}))
        assert done.code == 0, done.everything
        wanted = copies(em.estate, em.machine("fs01"), "C:")
        assert em.restored() == {path: file for path, file in wanted.items() if "Finance" not in path}


async def test_every_spelling_of_a_path_is_understood(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        machine = em.machine("fs01")
        spellings = {
            "file": ("C:\\Shares\\plan.txt", ["C:/Shares/plan.txt"]),
            "volume": ("D:\\", ["D:"]),
            "slashes": ("C:/Shares/Finance", ["C:/Shares/Finance"]),
            "case": ("c:\\SHARES\\finance", ["C:/Shares/Finance"]),
            "star": ("*", ["C:", "D:"]),
            "bare": ("C:", ["C:"]),
        }
        entries = [
            {"vm": "fs01", "paths": [spelt], "to": str(em.target / place)} for place, (spelt, _) in spellings.items()
        ]
        done = await em.run("run", em.job(*entries))
        assert done.code == 0, done.everything
        expected: Tree = {}
        for place, (_, guest) in spellings.items():
            expected |= copies(em.estate, machine, *guest, to=place)
        found = em.restored()
        if any("SHARES" in path for path in found):  # a guest that ignores case may keep the spelling of the job
            found = {path.replace("SHARES/finance", "Shares/Finance"): file for path, file in found.items()}
            found = {path.replace("SHARES", "Shares"): file for path, file in found.items()}
        assert found == expected
        em.assert_nothing_left()


async def test_one_mount_serves_every_entry_of_a_restore_point(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=1, files=60)) as em:
        paths = [["C:\\Shares"], ["D:\\"]]
        entries = [{"vm": "fs01", "paths": each, "to": str(em.target / str(n))} for n, each in enumerate(paths)]
        done = await em.run("run", em.job(*entries))
        assert done.code == 0, done.everything
        assert em.simulator.mounts_made == 1
        em.assert_nothing_left()


async def test_a_star_takes_reserved_partitions_too(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=1, files=60)) as em:
        machine = em.machine("fs01")
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["*"]}))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, machine, "Volume$0:", "C:", "D:")
        assert "fs01/Volume$0/bootmgr" in em.restored()


async def test_a_glob_takes_every_machine_that_it_matches_and_no_other(tmp_path: Path) -> None:
    def build(folder: Path) -> Estate:
        estate = Estate.empty(folder)
        for name in ("web1", "web2", "web10", "Web3", "db1"):
            estate.add_machine(name, points=[{"C:": {f"{name}.txt": name.encode()}}])
        return estate

    async with flow(tmp_path, build) as em:
        done = await em.run("run", em.job({"vm": "web?", "paths": ["C:\\"]}))
        assert done.code == 0, done.everything
        assert em.restored() == em.expected(em.machine("web1"), em.machine("web2"), em.machine("Web3"))
        assert em.count("query") == 1


def by_time(em: Flow) -> dict[str, Any]:
    return {"vm": "fs01", "as_of": em.machine("fs01").points[0].created}


def by_id(em: Flow) -> dict[str, Any]:
    return {"restore_point": em.machine("fs01").points[0].uid}


def by_urn(em: Flow) -> dict[str, Any]:
    return {"restore_point": f"urn:veeam:VmRestorePoint:{em.machine('fs01').points[0].uid}"}


@pytest.mark.parametrize("older", [by_time, by_id, by_urn])
async def test_an_older_restore_point_can_be_chosen(tmp_path: Path, older: Callable[[Flow], dict[str, Any]]) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("run", em.job({**older(em), "paths": ["C:\\"]}))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, em.machine("fs01"), "C:", point=0)
        em.assert_nothing_left()


async def test_each_limit_of_a_backup_server_is_reached_and_never_exceeded(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(), task_seconds=0.3) as em:
        limits = {"vbr01": 1, "vbr02": 3, "vbr03": 2}
        em.configure(
            backup_servers=[
                {"name": name, "shares": [str(share)], "max_mounts": limits[name]}
                for name, share in em.estate.shares.items()
            ]
        )
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert {name: em.simulator.peak_mounts(name) for name in limits} == limits
        assert em.simulator.peak_mounts() == 6
        assert em.restored() == em.expected()


async def test_the_limit_over_all_backup_servers_is_reached_and_never_exceeded(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(), task_seconds=0.3) as em:
        em.configure(limits={"mounts": 4})
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.simulator.peak_mounts() == 4
        assert em.restored() == em.expected()


async def test_two_restore_points_of_one_machine_are_never_mounted_at_once(tmp_path: Path) -> None:
    async with flow(tmp_path, small, task_seconds=0.2) as em:
        points = [
            {"restore_point": point.uid, "paths": ["C:\\"], "to": str(em.target / f"point{number}")}
            for number, point in enumerate(em.machine("fs01").points)
        ]
        done = await em.run("run", em.job(*points))
        assert done.code == 0, done.everything
        assert em.simulator.mounts_made == 2
        assert em.simulator.peak_mounts() == 1
        both = [copies(em.estate, em.machine("fs01"), "C:", point=number, to=f"point{number}") for number in (0, 1)]
        assert em.restored() == both[0] | both[1]
        em.simulator.enterprise.desk.peaks.clear()
        em.job(*points, entry_of(em.machine("lx01")))
        assert (await em.run("run", "job.toml")).code == 0
        assert em.simulator.peak_mounts() == 2
