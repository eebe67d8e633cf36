"""Restore points of replicas and of agents: restored, given back and swept with the same promises as those of VMs."""

import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Drop, Estate, Fault, Machine
from tests.support.flow import Flow, copies, entry_of, flow, small

pytestmark = pytest.mark.flow

ROLES = ("File Restore Operator", "Portal User")
KINDS = ["replica", "agent"]


def of_every_kind(folder: Path) -> Estate:
    """One name that is a VM, its replica and an agent's computer, each with files of its own."""
    estate = small(folder)
    for kind in KINDS:
        points = [{"C:": {"Shares/plan.txt": f"{kind} {age}".encode(), "top.txt": b"t"}} for age in ("elder", "newest")]
        estate.add_machine("fs01", points=points, kind=kind)
    return estate


def of(em: Flow, kind: str) -> Machine:
    return next(one for one in em.estate.machines if one.kind == kind)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_newest_point_of_a_replica_or_an_agent_is_restored(tmp_path: Path, kind: str) -> None:
    async with flow(tmp_path, of_every_kind, roles=ROLES) as em:
        machine = of(em, kind)
        done = await em.run("--json", "run", em.job(entry_of(machine, source=kind)))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, machine)
        [group] = done.json["groups"]
        assert group["state"] == "done"
        assert f"Point:{machine.points[-1].uid}" in group["restore_point"]
        [mount] = group["mounts"]
        assert mount["state"] in ("released", "confirmed")
        assert not [one.note for one in em.requests() if one.note]
        em.assert_nothing_left()


async def test_a_machine_its_replica_and_its_agent_are_restored_side_by_side(tmp_path: Path) -> None:
    async with flow(tmp_path, of_every_kind, roles=ROLES) as em:
        entries = [
            entry_of(of(em, kind), source=kind, to=str(em.target / kind), paths=["C:\\"]) for kind in ("vm", *KINDS)
        ]
        done = await em.run("run", em.job(*entries))
        assert done.code == 0, done.everything
        for kind in ("vm", *KINDS):
            wanted = copies(em.estate, of(em, kind), "C:", to=kind)
            assert {name: file for name, file in em.restored().items() if name.split("/")[0] == kind} == wanted
        em.assert_nothing_left()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"task_related": False}], ids=["linked", "without a link to the mount"])
async def test_a_mount_whose_answer_is_lost_is_adopted_and_not_made_again(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    fault = Fault("mount_post", action=Drop(after=True))
    async with flow(tmp_path, of_every_kind, fault, roles=ROLES, **settings) as em:
        machine = of(em, kind)
        done = await em.run("run", em.job(entry_of(machine, source=kind)))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, machine)
        assert em.simulator.mounts_made == em.count("mount_post") == 1
        em.assert_nothing_left()


@pytest.mark.parametrize("kind", KINDS)
async def test_after_a_kill_the_mount_of_a_replica_or_an_agent_is_swept(tmp_path: Path, kind: str) -> None:
    async with flow(tmp_path, of_every_kind, roles=ROLES) as em:
        machine = of(em, kind)
        running = await em.start("run", em.job(entry_of(machine, source=kind)))
        await running.event("mount_opened")
        running.signal(signal.SIGKILL)
        await running.process.wait()
        assert len(em.simulator.open_mounts()) == 1
        swept = await em.run("--json", "sweep")
        assert swept.code == 0, swept.everything
        assert swept.json["cleared"] == 1
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        assert em.restored() == copies(em.estate, machine)
        em.assert_nothing_left()


async def test_the_link_from_the_task_of_a_replica_may_lead_below_the_points_of_vms(tmp_path: Path) -> None:
    async with flow(tmp_path, of_every_kind, replica_related="vm") as em:
        machine = of(em, "replica")
        done = await em.run("run", em.job(entry_of(machine, source="replica")))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, machine)
        em.assert_nothing_left()


async def test_an_agent_point_without_a_mount_is_refused_in_plain_words(tmp_path: Path) -> None:
    async with flow(tmp_path, of_every_kind, roles=ROLES, agent_create=False) as em:
        done = await em.run("run", em.job(entry_of(of(em, "agent"), source="agent")))
        assert done.code == 4, done.everything
        assert "offers no mount for the restore point of fs01" in " ".join(done.everything.split())
        em.assert_untouched()


async def test_an_agent_point_of_a_backup_server_without_a_share_is_refused_before_anything_is_mounted(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, of_every_kind, roles=ROLES) as em:
        em.configure(backup_servers=[{"name": "other", "shares": [str(em.estate.shares["vbr01"])]}])
        done = await em.run("run", em.job(entry_of(of(em, "agent"), source="agent")))
        assert done.code == 2, done.everything
        assert "vbr01" in done.everything
        em.assert_untouched()


async def test_who_may_not_list_agents_is_told_to_name_a_point_and_then_gets_it(tmp_path: Path) -> None:
    async with flow(tmp_path, of_every_kind) as em:
        machine = of(em, "agent")
        refused = await em.run("run", em.job(entry_of(machine, source="agent")))
        assert refused.code == 4, refused.everything
        assert "may mount them, but neither list nor query them" in " ".join(refused.everything.split())
        em.assert_untouched()
        entry = entry_of(machine, source="agent", restore_point=machine.points[-1].uid)
        done = await em.run("run", em.job(entry))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, machine)
        em.assert_nothing_left()
