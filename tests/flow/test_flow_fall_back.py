"""When a restore point cannot be mounted, the next in the order of the job is, and everything that is told says so."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate, FailTask, Fault, Machine, Point, Status
from tests.support.flow import Flow, copies, flow, small

ALWAYS = 99


def on_three(folder: Path) -> Estate:
    """A machine of three restore points on one backup server, its replica on another, and an agent on it."""
    estate = Estate.empty(folder, ("vbr01", "vbr02"))
    estate.add_machine("fs01", points=[{"C:": {"a/x.txt": bytes([65 + age]) * 9, "a/y.txt": b"y"}} for age in range(3)])
    estate.add_machine("fs01", kind="replica", backup_server="vbr02", points=[{"C:": {"a/x.txt": b"replica"}}])
    estate.add_machine("fs01", kind="agent", points=[{"C:": {"a/x.txt": b"agent"}}])
    return estate


def fs01(em: Flow, kind: str = "vm") -> Machine:
    return next(one for one in em.estate.machines if (one.name, one.kind) == ("fs01", kind))


def unmountable(*points: Point, times: int = ALWAYS) -> list[Fault]:
    return [Fault("mount_post", action=FailTask("Disk 7 is damaged."), times=times, match=one.uid) for one in points]


def entry(*order: str, **more: Any) -> dict[str, Any]:
    return {"vm": "fs01", "paths": ["C:\\"], "fall_back": list(order), **more}


def group(em: Flow) -> Any:
    [one] = em.report()["groups"]
    return one


def guid(urn: str) -> str:
    return urn.rpartition(":")[2]


async def test_an_older_point_is_restored_when_the_newest_cannot_be_mounted_at_either_turn(tmp_path: Path) -> None:
    async with flow(tmp_path, on_three, strict=False) as em:
        elder, older, newest = fs01(em).points
        for fault in unmountable(newest):
            em.simulator.inject(fault)
        job = em.job(entry("older"))
        planned = await em.run("plan", job)
        told = f"when it cannot be mounted: the restore point of {older.created:%Y-%m-%d %H:%M:%S} UTC, the restore"
        assert told in planned.out
        running = await em.start("run", job)
        turned = await running.event("other_point_taken")
        done = await running.done()
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, fs01(em), point=1)
        asked = [one["event"] for one in running.events() if one["event"] in ("group_put_off", "other_point_taken")]
        assert asked == ["group_put_off", "other_point_taken"]
        assert (guid(turned["restore_point"]), guid(turned["instead_of"])) == (older.uid, newest.uid)
        assert "Disk 7 is damaged" in turned["message"]
        assert guid(group(em)["restore_point"]) == older.uid
        assert [guid(one) for one in group(em)["instead_of"]] == [newest.uid]
        assert "Mounted instead of the first choice:\n  fs01: the restore point of" in done.out
        assert "instead of 1 that could not be mounted" in Path(em.report()["files"]["html"]).read_text()
        assert elder.uid not in {one.match for one in unmountable(older)}
        em.assert_nothing_left()


async def test_a_point_that_is_gone_since_the_plan_is_not_tried_twice(tmp_path: Path) -> None:
    async with flow(tmp_path, on_three, strict=False) as em:
        newest = fs01(em).points[-1]
        em.simulator.inject(Fault("mount_post", action=Status(404), times=ALWAYS, match=newest.uid))
        running = await em.start("run", em.job(entry("older")))
        done = await running.done()
        assert done.code == 0, done.everything
        assert not [one for one in running.events() if one["event"] == "group_put_off"]
        assert em.restored() == copies(em.estate, fs01(em), point=1)
        em.assert_nothing_left()


async def test_without_a_fall_back_a_point_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    async with flow(tmp_path, on_three, strict=False) as em:
        em.simulator.inject(Fault("mount_post", action=Status(404), times=ALWAYS, match=fs01(em).points[-1].uid))
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["C:\\"]}))
        assert done.code == 4, done.everything
        assert "removed by retention since the plan was made; run the job again, or say fall_back" in done.out
        assert em.restored() == {}
        em.assert_nothing_left()


@pytest.mark.parametrize(
    ("order", "kind"),
    [(["agent", "replica"], "agent"), (["replica", "agent"], "replica"), (["older", "replica"], "replica")],
)
async def test_the_replica_and_the_agent_take_their_turn_in_the_order_of_the_job(
    tmp_path: Path, order: list[str], kind: str
) -> None:
    roles = ("File Restore Operator", "Portal User")
    async with flow(tmp_path, on_three, strict=False, roles=roles) as em:
        for fault in unmountable(*fs01(em).points):
            em.simulator.inject(fault)
        done = await em.run("run", em.job(entry(*order)))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, fs01(em, kind))
        assert group(em)["kind"] == kind
        assert group(em)["backup_server"] == fs01(em, kind).backup_server
        assert len(group(em)["instead_of"]) == (3 if order[0] == "older" else 1)
        em.assert_nothing_left()


async def test_when_none_can_be_mounted_the_group_fails_and_nothing_is_missing_from_the_report(tmp_path: Path) -> None:
    async with flow(tmp_path, on_three, strict=False) as em:
        for fault in unmountable(*fs01(em).points):
            em.simulator.inject(fault)
        done = await em.run("run", em.job(entry("older")))
        assert done.code == 4, done.everything
        assert "2 other restore points could not be mounted before" in done.out
        assert [(one["guest_path"], one["reason"]) for one in em.report()["problems"]] == [("C:\\", "mount-failed")]
        assert em.restored() == {}
        em.assert_nothing_left()


async def test_a_run_that_goes_on_stays_with_the_point_from_which_it_has_restored(tmp_path: Path) -> None:
    async with flow(tmp_path, on_three, strict=False) as em:
        _, older, newest = fs01(em).points
        em.configure(copy={"processes": 0}, limits={"copies": 1})
        for fault in unmountable(newest, times=2):
            em.simulator.inject(fault)
        running = await em.start("run", em.job(entry("older")))
        await running.event("files_done")
        running.process.kill()
        await running.done()
        tried = len([one for one in em.requests() if one.route == "mount_post" and newest.uid in one.path])
        assert tried == 2
        done = await em.run("resume")
        assert done.code == 0, done.everything
        assert len([one for one in em.requests() if one.route == "mount_post" and newest.uid in one.path]) == tried
        assert em.restored() == copies(em.estate, fs01(em), point=1)
        assert guid(group(em)["restore_point"]) == older.uid


async def test_what_was_restored_from_one_point_is_never_gone_on_with_from_another(tmp_path: Path) -> None:
    async with flow(tmp_path, small, strict=False) as em:
        newest = em.machine("fs01").points[-1]
        running = await em.start("run", em.job(entry("older")))
        await running.event("files_done")
        running.process.kill()
        await running.done()
        for fault in unmountable(newest):
            em.simulator.inject(fault)
        done = await em.run("resume")
        finished = done.code == 0 and em.restored() == copies(em.estate, em.machine("fs01"), "C:")
        assert finished or done.code == 4, done.everything
        assert not any("gone since" in path for path in em.restored())
        assert group(em)["instead_of"] == []
