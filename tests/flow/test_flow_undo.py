"""The wrong folder was restored: `on_conflict = "aside"` and `orchestrator undo`, from end to end."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.paths import HOLDING
from tests.flow.test_flow_fidelity import ENTRY as LINUX
from tests.flow.test_flow_fidelity import enrich, linux
from tests.support.filesystems import whole_seconds
from tests.support.flow import Flow, Tree, entry_of, files_of, flow, small

pytestmark = [pytest.mark.flow, pytest.mark.timeout(60)]

MINE = b"what the operator has made of it"
LONG_AGO = 1_000_000_000_123_456_789
TOP = "fs01/C/top.txt"
PLAN = "fs01/C/Shares/plan.txt"


def mine(em: Flow, relative: str, data: bytes = MINE) -> Path:
    path = em.target / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def without_holding(found: Tree) -> Tree:
    return {path: file for path, file in found.items() if HOLDING not in path}


async def restored_over(em: Flow, policy: str = "aside") -> str:
    """A run over two files of the operator's; its id."""
    for path in (TOP, PLAN):
        mine(em, path)
    em.job(entry_of(em.machine("fs01")), on_conflict=policy)
    done = await em.run("--json", "run", "job.toml")
    assert done.code == 0, done.everything
    return str(done.json["run"])


async def test_a_replaced_file_is_kept_with_its_time_and_an_undo_puts_everything_back(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        top = mine(em, TOP)
        number = top.stat().st_ino
        run = await restored_over(em)
        before = {TOP, PLAN}
        expected = files_of(em.expected(em.machine("fs01")))
        assert files_of(without_holding(em.restored())) == expected
        held = em.target / "fs01" / HOLDING / run / "C/top.txt"
        assert (held.read_bytes(), held.stat().st_mtime_ns, held.stat().st_ino) == (MINE, LONG_AGO, number)
        assert (em.target / "fs01" / HOLDING).stat().st_mode & 0o777 == 0o700

        shown = await em.run("report", run)
        assert f"aside     2 files, 64 B, in {em.target}/fs01/{HOLDING}/{run}" in shown.out

        again = await em.run("--json", "run", "job.toml")
        assert (again.code, again.json["totals"]["restored"]) == (0, 0)

        trial = await em.run("--json", "undo", run, "--dry-run")
        assert (trial.code, trial.json["returned"], trial.json["removed"]) == (0, 2, len(expected) - 2)
        assert files_of(without_holding(em.restored())) == expected

        undone = await em.run("--json", "undo", run)
        assert undone.code == 0, undone.everything
        assert (undone.json["returned"], undone.json["removed"], undone.json["left"]) == (2, len(expected) - 2, 0)
        assert set(files_of(em.restored())) == before
        assert (top.read_bytes(), top.stat().st_mtime_ns, top.stat().st_ino) == (MINE, LONG_AGO, number)
        folders = {str(path.relative_to(em.target)) for path in em.target.rglob("*") if path.is_dir()}
        assert folders == {"fs01", "fs01/C", "fs01/C/Shares"}

        nothing = await em.run("--json", "undo", run)
        assert (nothing.code, nothing.json["returned"], nothing.json["removed"]) == (0, 0, 0)
        assert "undone" in (await em.run("report", run)).out
        em.assert_nothing_left()


async def test_what_somebody_has_changed_since_is_left_and_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        run = await restored_over(em)
        (em.target / TOP).write_bytes(b"edited after the restore")
        added = next(path for path in files_of(em.expected(em.machine("fs01"))) if path not in (TOP, PLAN))
        (em.target / added).write_bytes(b"edited too")
        gone = next(path for path in files_of(em.expected(em.machine("fs01"))) if path not in (TOP, PLAN, added))
        (em.target / gone).unlink()
        undone = await em.run("--json", "undo", run)
        assert undone.code == 3, undone.everything
        assert (undone.json["returned"], undone.json["left"], undone.json["gone"]) == (1, 2, 1)
        left = {one["target_path"]: one["message"] for one in undone.json["files_left"]}
        assert "stays at" in left[str(em.target / TOP)]
        assert set(left) == {str(em.target / TOP), str(em.target / added)}
        assert (em.target / PLAN).read_bytes() == MINE
        assert (em.target / TOP).read_bytes() == b"edited after the restore"
        held = em.target / "fs01" / HOLDING / run / "C/top.txt"
        assert held.read_bytes() == MINE
        (em.target / TOP).unlink()
        again = await em.run("undo", run)
        assert again.code == 3
        assert (em.target / TOP).read_bytes() == MINE


async def test_an_undo_says_that_files_which_were_overwritten_are_not_there_any_more(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        run = await restored_over(em, "overwrite")
        undone = await em.run("undo", run)
        assert undone.code == 3, undone.everything
        assert f"left: {em.target / TOP}: it replaced a file, and what was replaced is not kept" in undone.out
        assert set(files_of(em.restored())) == {TOP, PLAN}
        assert (em.target / TOP).read_bytes() != MINE


async def test_a_run_that_holds_files_aside_is_not_pruned_until_they_are_discarded(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        run = await restored_over(em)
        assert (await em.run("run", "job.toml")).code == 0
        with closing(sqlite3.connect(em.state / "journal.db")) as journal, journal:
            journal.execute("UPDATE runs SET ended = '2026-01-01T00:00:00.000000+00:00'")
        kept = await em.run("prune", "--older-than", "1")
        assert f"orchestrator undo {run} --discard" in kept.everything
        assert (await em.run("report", run)).code == 0
        discarded = await em.run("--json", "undo", run, "--discard")
        assert (discarded.code, discarded.json["discarded"], discarded.json["returned"]) == (0, 2, 0)
        assert not (em.target / "fs01" / HOLDING).exists()
        assert (await em.run("prune", "--older-than", "1")).code == 0
        assert (await em.run("report", run)).code != 0
        assert files_of(em.restored()) == files_of(em.expected(em.machine("fs01")))


async def test_an_undo_of_an_unknown_run_and_one_whose_destination_is_gone_say_so(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        run = await restored_over(em)
        assert (await em.run("undo", "nobody")).code == 2
        (em.target / "fs01").rename(em.target / "elsewhere")
        undone = await em.run("--json", "undo", run)
        assert undone.code == 3, undone.everything
        assert (undone.json["left"], undone.json["returned"]) == (2, 0)
        assert all("is not at" in one["message"] for one in undone.json["files_left"])


async def test_a_run_with_all_that_files_are_is_taken_back_but_for_its_links(tmp_path: Path) -> None:
    async with flow(tmp_path, linux) as em:
        data = enrich(em)
        os.symlink("nowhere", data / "dead.txt")
        old = mine(em, "lx01/srv/data/1.txt")
        old.chmod(0o604)
        os.setxattr(old, "user.colour", b"red")
        done = await em.run("run", em.job(LINUX, metadata="full", links="link", on_conflict="aside"))
        assert done.code == 0, done.everything
        run = em.report()["run"]
        trial = await em.run("--json", "undo", run, "--dry-run")
        undone = await em.run("--json", "undo", run)
        for one in (trial, undone):
            assert (one.code, one.json["returned"], one.json["left"]) == (3, 1, 2), one.everything
            assert one.json["removed"] == em.report()["totals"]["restored"] - 3
        left = {one["target_path"]: one["message"] for one in undone.json["files_left"]}
        links = {em.target / "lx01/srv/data" / name for name in ("four.txt", "dead.txt")}
        assert set(left) == {str(link) for link in links}
        assert all("a symbolic link" in message for message in left.values())
        assert {path for path in (em.target / "lx01").rglob("*") if not path.is_dir() or path.is_symlink()} == {
            *links, old,
        }  # fmt: skip
        assert (old.read_bytes(), old.stat().st_mtime_ns, old.stat().st_mode & 0o777) == (MINE, LONG_AGO, 0o604)
        assert os.getxattr(old, "user.colour") == b"red"
        for link in links:
            link.unlink()
        assert (await em.run("undo", run)).code == 3, "what was left is named until it is gone"


async def test_permissions_that_were_put_on_are_not_taken_back_and_no_file_goes(tmp_path: Path) -> None:
    async with flow(tmp_path, linux) as em:
        enrich(em)
        await em.run("run", em.job(LINUX))
        before = em.restored()
        (em.target / "lx01/srv/data/run.sh").chmod(0o600)
        assert (await em.run("run", em.job(LINUX, metadata="permissions-only", name="permissions"))).code == 3
        report = em.report()
        undone = await em.run("--json", "undo", report["run"])
        assert (undone.code, undone.json["left"]) == (3, report["totals"]["restored"]), undone.everything
        assert (undone.json["removed"], undone.json["returned"]) == (0, 0)
        assert all("only its permissions were put on" in one["message"] for one in undone.json["files_left"])
        assert files_of(em.restored()) == files_of(before)
        assert (em.target / "lx01/srv/data/run.sh").stat().st_mode & 0o777 == 0o755


async def test_what_was_put_on_later_keeps_no_file_from_being_taken_back(tmp_path: Path) -> None:
    async with flow(tmp_path, linux) as em:
        em.configure(limits={"reserve_mib": 0})
        enrich(em)
        with whole_seconds(em.target / "small"):
            entry = {**LINUX, "to": str(em.target / "small" / "lx01"), "exclude": ["sparse.img", "four.txt"]}
            old = mine(em, "small/lx01/srv/data/2.txt")
            kept = old.stat().st_mtime_ns
            done = await em.run("run", em.job(entry, metadata="full", on_conflict="aside"))
            assert done.code == 0, done.everything
            report = em.report()
            assert report["fidelity"]["times"]["sidecar"] >= 7
            applied = await em.run("apply-metadata", report["run"])
            assert "left over" in applied.out
            again = (await em.run("--json", "report", report["run"])).json["fidelity"]["times"]
            assert again == report["fidelity"]["times"], "what this file system cannot hold still waits"
            undone = await em.run("--json", "undo", report["run"])
            assert (undone.code, undone.json["returned"], undone.json["left"]) == (0, 1, 0), undone.everything
            assert (old.read_bytes(), old.stat().st_mtime_ns) == (MINE, kept)
            assert [path for path in (em.target / "small/lx01").rglob("*") if path.is_file()] == [old]
