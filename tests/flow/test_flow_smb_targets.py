"""Destinations that are named by UNC path and served by a real Samba."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.paths import HOLDING
from tests.flow.test_flow_bag import files_below, validated
from tests.flow.test_flow_drills import drill_of
from tests.flow.test_flow_fidelity import ENTRY as LINUX
from tests.flow.test_flow_fidelity import linux
from tests.flow.test_flow_shares import in_hundreds_of_ns
from tests.support.flow import Done, Flow, flow, seeded, small
from tests.support.samba import PASSWORD, Samba, samba, wire

pytestmark = pytest.mark.flow
ENV = {"SHARE_PASSWORD": PASSWORD}


@asynccontextmanager
async def served(folder: Path, *build: Any, sources: bool = False, **options: str) -> AsyncIterator[tuple[Flow, Samba]]:
    """A flow whose destination is the share `restore$` of a Samba; with `sources` the mount shares are its too."""
    async with flow(folder, *build) as em:
        shares = {"restore$": em.target, **(em.estate.shares if sources else {})}
        with samba(shares, **{"mangled_names": "no", **options}) as server:
            configure(em, server, sources=sources)
            yield em, server


def configure(
    em: Flow, server: Samba, *, sources: bool = False, port: int = 0, allow: Sequence[str] = (), **sections: Any
) -> None:
    share = {
        "path": "\\\\127.0.0.1", "username": server.user, "password_env": "SHARE_PASSWORD",
        "port": port or server.port,
    }  # fmt: skip
    served = {"backup_servers": [{"name": name, "shares": [server.unc(name)]} for name in em.estate.shares]}
    em.configure(
        shares=[share], targets={"allow": [server.unc("Restore$"), *allow]}, **(served if sources else {}), **sections
    )


async def run(em: Flow, server: Samba, *, password: str = PASSWORD, **defaults: Any) -> Done:
    job = em.job(**{"to": server.unc("restore$", "{vm}"), **defaults})
    return await em.run("run", job, env={"SHARE_PASSWORD": password})


@pytest.mark.parametrize("sources", [False, True])
@pytest.mark.parametrize("durable", ["batch", "file"])
async def test_what_is_restored_to_a_unc_path_is_what_is_in_the_backup(
    tmp_path: Path, sources: bool, durable: str
) -> None:
    async with served(tmp_path, seeded(machines=2, files=40), sources=sources) as (em, server):
        configure(em, server, sources=sources, copy={"durable": durable})
        done = await run(em, server)
        report = em.report()
        unusable = {one["reason"] for one in report["problems"]}
        assert (done.code, unusable) in ((0, set()), (3, {"name-unusable"})), done.everything
        expected, found = in_hundreds_of_ns(em.expected()), in_hundreds_of_ns(em.restored())
        assert found.items() <= expected.items()
        assert len(expected) - len(found) == len(report["problems"])
        em.assert_nothing_left()
        again = await run(em, server)
        assert em.report()["totals"]["restored"] == 0
        verified = await em.run("verify", report["run"], env=ENV)
        assert verified.code == 0, verified.everything
        assert PASSWORD not in done.everything + again.everything + verified.everything


async def test_verify_finds_what_was_changed_on_the_share(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        done = await run(em, server)
        assert done.code == 0, done.everything
        (em.target / "fs01" / "C" / "Shares" / "plan.txt").write_bytes(b"newest plan?")
        (em.target / "fs01" / "C" / "top.txt").unlink()
        verified = await em.run("--json", "verify", em.report()["run"], env=ENV)
        assert verified.code == 3
        told = {one["target_path"]: one["message"] for one in verified.json["differences"]}
        assert list(told) == [
            server.unc("restore$", "fs01", "C", "Shares", "plan.txt"),
            server.unc("restore$", "fs01", "C", "top.txt"),
        ]
        assert "No such file" in told[server.unc("restore$", "fs01", "C", "top.txt")]


async def test_a_drill_on_a_share_leaves_nothing_there(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        configure(em, server, drill={"folder": server.unc("restore$", "drills")})
        (tmp_path / "drill.toml").write_text(drill_of(em))
        done = await em.run("--json", "run", "drill.toml", env=ENV)
        assert done.code == 0, done.everything
        assert done.json["totals"]["restored"] == 9
        assert os.listdir(em.target / "drills") == []


async def test_plan_tells_of_a_destination_that_cannot_be_reached_before_anything_is_mounted(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        done = await run(em, server, password="wrong")
        assert done.code == 2
        assert f"refuses the logon of {server.user} (password from $SHARE_PASSWORD)" in done.err
        with wire(server.port) as dead:
            dead.close()
            configure(em, server, port=dead.port)
        planned = await em.run("plan", em.job(to=server.unc("restore$", "{vm}")), env=ENV)
        assert planned.code == 2
        assert f"127.0.0.1 cannot be reached on port {dead.port}" in planned.everything
        em.assert_untouched()


async def test_a_destination_on_a_share_without_an_account_names_the_table_to_add(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(targets={"allow": ["\\\\fs02\\restore$\\night"]})
        done = await em.run("validate", em.job(to="\\\\fs02\\restore$\\night\\{vm}"))
        assert done.code == 2
        assert "targets.allow" in done.err
        assert "add a table [[shares]] with path = '\\\\fs02\\restore$'" in done.err


async def test_a_connection_that_is_cut_again_and_again_loses_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, seeded(machines=2, files=300)) as (em, server):
        with wire(server.port) as line:
            configure(em, server, port=line.port)
            line.cut_after, line.cuts = 60_000, 4
            done = await run(em, server)
            assert line.cuts == 0
            assert done.code == 0, done.everything
        assert in_hundreds_of_ns(em.restored()) == in_hundreds_of_ns(em.expected())
        em.assert_nothing_left()


MINE = b"what the operator has made of it"
LONG_AGO = 1_000_000_000_123_456_700


async def test_what_is_replaced_on_a_share_is_kept_there_and_an_undo_puts_everything_back(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        for relative in ("fs01/C/top.txt", "fs01/C/Shares/plan.txt"):
            (em.target / relative).parent.mkdir(parents=True, exist_ok=True)
            (em.target / relative).write_bytes(MINE)
            os.utime(em.target / relative, ns=(LONG_AGO, LONG_AGO))
        before = em.restored()
        done = await run(em, server, on_conflict="aside")
        assert done.code == 0, done.everything
        report = em.report()
        name = report["run"]
        assert (em.target / "fs01" / HOLDING / name / "C" / "top.txt").read_bytes() == MINE
        shown = await em.run("report", name, env=ENV)
        assert f"aside     2 files, 64 B, in {server.unc('restore$', 'fs01', HOLDING, name)}" in shown.out
        restored = em.restored()

        trial = await em.run("--json", "undo", name, "--dry-run", env=ENV)
        told = {"returned": 2, "removed": report["totals"]["restored"] - 2, "left": 0}
        assert (trial.code, {key: trial.json[key] for key in told}) == (0, told), trial.everything
        assert em.restored() == restored

        undone = await em.run("--json", "undo", name, env=ENV)
        assert (undone.code, {key: undone.json[key] for key in told}) == (0, told), undone.everything
        assert em.restored() == before
        folders = {str(path.relative_to(em.target)) for path in em.target.rglob("*") if path.is_dir()}
        assert folders == {"fs01", "fs01/C", "fs01/C/Shares"}
        assert PASSWORD not in shown.everything + trial.everything + undone.everything


async def test_what_was_changed_on_a_share_since_is_left_and_what_is_kept_there_can_be_discarded(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, small) as (em, server):
        top = em.target / "fs01" / "C" / "top.txt"
        top.parent.mkdir(parents=True)
        top.write_bytes(MINE)
        assert (await run(em, server, on_conflict="aside")).code == 0
        name = em.report()["run"]
        top.write_bytes(b"worked on")
        (em.target / "fs01" / "C" / "Shares" / "plan.txt").write_bytes(b"worked on too")
        undone = await em.run("--json", "undo", name, env=ENV)
        assert (undone.code, undone.json["left"]) == (3, 2), undone.everything
        assert {one["target_path"] for one in undone.json["files_left"]} == {
            server.unc("restore$", "fs01", "C", "top.txt"),
            server.unc("restore$", "fs01", "C", "Shares", "plan.txt"),
        }
        held = em.target / "fs01" / HOLDING / name / "C" / "top.txt"
        assert (top.read_bytes(), held.read_bytes()) == (b"worked on", MINE)
        discarded = await em.run("--json", "undo", name, "--discard", env=ENV)
        assert (discarded.code, discarded.json["discarded"]) == (0, 1), discarded.everything
        assert not (em.target / "fs01" / HOLDING).exists()


async def test_a_file_of_many_names_keeps_them_on_a_share_and_its_links_wait_and_an_undo_takes_them_back(
    tmp_path: Path,
) -> None:
    """The server makes no links of Windows; the names are undone at the same time, and are of one file."""
    async with served(tmp_path, linux) as (em, server):
        data = em.estate.content(em.machine("lx01").points[-1], "/") / "srv" / "data"
        for number in range(30):
            os.link(data / "3.txt", data / f"three-{number}.txt")
        os.symlink("../data/4.txt", data / "four.txt")
        em.job(LINUX, to=server.unc("restore$", "{vm}"), metadata="full", links="link")
        done = await em.run("run", "job.toml", env=ENV)
        assert done.code == 3, done.everything
        report = em.report()
        assert [(one["guest_path"], one["reason"]) for one in report["problems"]] == [("/srv/data/four.txt", "link")]
        assert report["fidelity"]["hard-link"] == {"kept": 30, "sidecar": 0, "lost": 0}
        assert report["fidelity"]["link"] == {"kept": 0, "sidecar": 1, "lost": 0}
        copy = em.target / "lx01" / "srv" / "data"
        assert (copy / "3.txt").stat().st_nlink == 31
        undone = await em.run("--json", "undo", report["run"], env=ENV)
        assert (undone.code, undone.json["left"]) == (0, 0), undone.everything
        assert not (em.target / "lx01" / "srv").exists()


async def test_what_was_restored_to_a_share_is_packed_from_there_and_anothers_tool_proves_it(tmp_path: Path) -> None:
    async with served(tmp_path, small) as (em, server):
        handover = tmp_path / "handover"
        handover.mkdir()
        configure(em, server, allow=[str(handover)])
        done = await run(em, server)
        assert done.code == 0, done.everything
        report, before = em.report(), files_below(em.target)
        packed = await em.run("bag", report["run"], str(handover / "bag"), env=ENV)
        assert packed.code == 0, packed.everything
        assert files_below(handover / "bag" / "data") == before
        assert (await validated(handover / "bag"))[0] == 0

        (em.target / "fs01" / "C" / "Shares" / "plan.txt").write_bytes(b"newest plan?")
        (em.target / "fs01" / "C" / "top.txt").unlink()
        again = await em.run("--json", "bag", report["run"], str(handover / "again"), env=ENV)
        assert again.code == 3, again.everything
        kept = files_below(handover / "again" / "data")
        assert before.keys() - kept.keys() == {"fs01/C/Shares/plan.txt", "fs01/C/top.txt"}
        assert (await validated(handover / "again"))[0] == 0
        assert PASSWORD not in packed.everything + again.everything


async def test_permissions_that_wait_for_files_of_a_share_are_told_as_such_by_an_undo(tmp_path: Path) -> None:
    async with served(tmp_path, linux) as (em, server):
        for more in ({}, {"metadata": "permissions-only", "name": "permissions"}):
            done = await em.run("run", em.job(LINUX, to=server.unc("restore$", "{vm}"), **more), env=ENV)
            assert done.code == 0, done.everything
        report, before = em.report(), em.restored()
        assert report["fidelity"]["mode"] == {"kept": 0, "sidecar": 7 + 2, "lost": 0}  # files, and their folders
        undone = await em.run("--json", "undo", report["run"], env=ENV)
        assert (undone.code, undone.json["left"], undone.json["removed"]) == (3, 7, 0), undone.everything
        assert all("only its permissions were put on" in one["message"] for one in undone.json["files_left"])
        assert em.restored() == before
