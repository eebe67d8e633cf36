"""`orchestrator bag`: what a run restored, packed so that another tool can prove it."""

import asyncio
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.bagging import bag_run
from orchestrator.config import Config
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.errors import WordsError
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import MountGroup, Plan, Selection, plan_to_json
from orchestrator.journal import open_journal
from orchestrator.opening import now
from tests.flow.test_flow_commands import flip_a_bit
from tests.support.flow import flow, small


async def validated(bag: Path) -> tuple[int, str]:
    """What the Library of Congress' own tool says of a bag."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bagit", "--validate", str(bag), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def files_below(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


async def test_a_bag_holds_what_was_restored_and_anothers_tool_proves_it(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        report = (await em.run("--json", "run", em.job())).json
        before = files_below(em.target)
        bag = em.target / "handover" / "bag"
        done = await em.run("bag", report["run"], str(bag))
        assert done.code == 0, done.everything
        assert f"packed {report['totals']['restored']} files" in done.out
        assert files_below(bag / "data") == before
        assert {file.name for file in (bag / "orchestrator").iterdir()} == {"report.json", "report.html", "job.toml"}
        assert (await validated(bag))[0] == 0
        flip_a_bit(next(file for file in (bag / "data").rglob("plan.txt")))
        code, said = await validated(bag)
        assert (code, "plan.txt" in said) == (1, True)
        again = await em.run("bag", report["run"], str(bag))
        assert (again.code, "is there already" in again.everything) == (2, True)


async def test_what_is_not_what_was_restored_stays_out_of_the_bag_and_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        report = (await em.run("--json", "run", em.job())).json
        flip_a_bit(em.target / "fs01/C/Shares/plan.txt")
        (em.target / "lx01/etc/hosts").unlink()
        bag = em.target / "bag"
        done = await em.run("--json", "bag", "--link", report["run"], str(bag))
        assert done.code == 3, done.everything
        assert sorted(Path(one["target_path"]).name for one in done.json["differences"]) == ["hosts", "plan.txt"]
        assert done.json["packed"] == report["totals"]["restored"] - 2
        assert not {"fs01/C/Shares/plan.txt", "lx01/etc/hosts"} & files_below(bag / "data").keys()
        assert (await validated(bag))[0] == 0
        assert all(file.stat().st_nlink == 2 for file in (bag / "data").rglob("*") if file.is_file())


async def test_a_bag_goes_nowhere_but_below_the_allowed_folders_and_leaves_nothing_when_it_cannot(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, small) as em:
        report = (await em.run("--json", "run", em.job())).json
        outside = await em.run("bag", report["run"], str(tmp_path / "elsewhere" / "bag"))
        assert (outside.code, "targets.allow" in outside.everything) == (3, True)
        assert not (tmp_path / "elsewhere").exists()
        unknown = await em.run("bag", "no-such-run", str(em.target / "bag"))
        assert (unknown.code, "no-such-run" in unknown.everything) == (2, True)
        assert [one.name for one in em.target.iterdir() if one.name.startswith(".") or one.name == "bag"] == []


@pytest.mark.parametrize(
    ("shares", "link", "said"),
    [
        ([], False, "no table \\[\\[shares\\]\\]"),
        ([{"path": r"\\fs02\restore$", "username": "x", "password_env": "NOT_READ"}], True, "leave out --link"),
    ],
)
def test_what_lies_at_a_share_and_cannot_be_packed_is_told_so(
    tmp_path: Path, shares: list[dict[str, str]], link: bool, said: str
) -> None:
    config = Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "x", "password_env": "NOT_READ"},
            "backup_servers": [{"name": "*", "shares": [str(tmp_path)]}],
            "targets": {"allow": [*(one["path"] for one in shares), str(tmp_path)]},
            "shares": shares,
            "state": {"folder": tmp_path / "state"},
        }
    )
    row = RunRow("run-1", "job", RunState.FINISHED, now(), plan_to_json(plan_to(r"\\fs02\restore$\fs01")))
    with closing(open_journal(config.state.folder)) as journal:
        journal.begin(row)
        journal.record("run-1", [Outcome("g0001", r"C:\a", r"\\fs02\restore$\fs01/C/a", Verdict.RESTORED, 1)])
        with pytest.raises(WordsError, match=said):
            bag_run(config, journal, row, tmp_path / "bag", link, lambda files, count: None)
    assert not (tmp_path / "bag").exists()


def plan_to(destination: str) -> Plan:
    point = RestorePoint("point-1", "fs01", now(), "vbr01", "/points/1", "/points/1/mounts")
    selection = Selection((GuestPath("C:"),), (), (), destination, Conflict.SKIP, 1)
    return Plan("run-1", "job", (MountGroup("g0001", point, None, (selection,)),))
