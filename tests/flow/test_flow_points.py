"""`orchestrator points`, and jobs that say which machines and which restore points."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate
from tests.support.flow import Flow, copies, entry_of, flow

FRIDAY = datetime(2026, 11, 20, 2, tzinfo=UTC)
NAMES = (
    'a "quoted" name',
    "semi;colon, comma",
    "brackets (1) [x]",
    "Büro-日本",
    "R&D <test>",
    "at@home",
    "100%41",
    "a'b",
)
SEEING = ("File Restore Operator", "Portal User")


def estate(folder: Path) -> Estate:
    """Machines whose names break careless filters, two that share one, and a replica."""
    made = Estate.empty(folder, ("vbr01", "vbr02"))
    days = [FRIDAY - timedelta(days=back) for back in (2, 1, 0)]
    content = [{"C:": {"x.txt": str(day).encode()}} for day in days]
    made.add_machine("fs01", points=content, created=days, job="Nightly")
    made.add_machine("fs01", points=content, created=days, backup_server="vbr02", job="Offsite")
    made.add_machine("fs02", points=content[:1], created=days[:1])
    made.add_machine("fs03", points=content[:1], created=days[:1])
    made.add_machine("fs03", points=content[:1], created=days[:1], twin=1)
    made.add_machine("fs01", points=content[:1], created=days[:1], kind="replica", backup_server="vbr02")
    for name in NAMES:
        made.add_machine(name, points=content[:1], created=days[:1])
    return made


async def points(em: Flow, *options: str, code: int = 0) -> list[dict[str, Any]]:
    done = await em.run("--json", "points", *options)
    assert done.code == code, done.everything
    found: list[dict[str, Any]] = json.loads(done.out)["points"]
    return found


async def test_restore_points_are_listed_by_the_filters_of_a_job(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        assert len(await points(em)) == 9 + len(NAMES)
        span = ("--not-before", "2026-11-19T03:00:00", "--time-zone", "Europe/Berlin", "--point", "oldest")
        found = await points(
            em, "--vm", "FS*", "--backup-server", "VBR02", "--source", "vm", "--source", "replica", *span
        )
        assert [(one["vm"], one["source"], one["created"]) for one in found] == [("fs01", "vm", "2026-11-19T02:00:00Z")]
        [one] = await points(em, "--vm", "fs01", "--backup-job", "Nightly", "--point", "oldest")
        assert (one["created"], one["backup_job"], one["mountable"]) == ("2026-11-18T02:00:00Z", "Nightly", True)
        em.assert_untouched()


async def test_a_name_is_found_whatever_it_holds_and_the_id_that_is_listed_can_be_restored(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        (tmp_path / "all.txt").write_bytes("\0".join(NAMES).encode())
        found = await points(em, "--vms-from", "all.txt", "--vm", NAMES[0])
        assert sorted(one["vm"] for one in found) == sorted(NAMES)
        entries = [{"restore_point": one["restore_point"], "paths": ["C:\\"]} for one in found[:2]]
        done = await em.run("run", em.job(*entries))
        assert done.code == 0, done.everything
        assert em.report()["totals"]["restored"] == 2


async def test_the_table_shows_twins_and_names_that_stand_for_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        done = await em.run("points", "--vm", "fs03", "--vm", "fs09")
        assert done.code == 2, done.everything
        assert 'fs03 on vbr01 is 2 machines; say in the job which one:\n  hierarchy = "urn:VMware:Vm:' in done.out
        assert "2 restore points of 1 machine" in done.out
        assert "there is no machine 'fs09' with a restore point" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--as-of", "yesterday"), "--as-of: 'yesterday' is no date and time; write it as 2026-11-20T18:00:00Z"),
        (("--as-of", "2026-11-20", "--time-zone", "Europe/Berlin"), "--as-of: 2026-11-20 is a day without a time"),
        (("--as-of", "2026-11-20T18:00:00"), "as_of: 2026-11-20 18:00:00 has no time zone"),
        (("--as-of", "2026-11-20T18:00:00", "--time-zone", "Berlin"), "did you mean Europe/Berlin?"),
        (("--vms-from", "no.txt"), "the list no.txt is not there"),
        (("--as-of", "2026-11-20T18:00:00Z", "--not-before", "2026-11-21T18:00:00Z"), "not_before is later than as_of"),
    ],
)
async def test_options_that_make_no_sense_are_refused_in_plain_words(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    async with flow(tmp_path, estate) as em:
        done = await em.run("points", *options)
        assert done.code == 2, done.everything
        assert said in done.err


async def test_a_job_restores_the_machines_of_its_list_as_they_were(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        (tmp_path / "list.txt").write_text("fs01\nfs02\n")
        entry = {"vms_from": "list.txt", "backup_server": "vbr01", "paths": ["C:\\"]}
        done = await em.run("run", em.job({**entry, "as_of": FRIDAY - timedelta(days=1)}))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, em.machine("fs01"), point=1) | copies(em.estate, em.machine("fs02"))
        assert (await em.run("validate", "job.toml")).code == 0
        (tmp_path / "list.txt").write_bytes(b"B\xfcro")
        refused = await em.run("validate", "job.toml")
        assert (refused.code, "not UTF-8 text" in refused.err) == (2, True)


async def test_a_dropped_job_finds_its_list_in_the_drop_folder_and_no_other(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        em.configure(watch={"folder": "jobs", "settle": 0.05})
        (tmp_path / "list.txt").write_text("root:x:0:0\n")
        (tmp_path / "jobs" / "lists").mkdir(parents=True)
        (tmp_path / "jobs" / "lists" / "list.txt").write_text("fs02\n")
        watcher = await em.start("watch")
        await watcher.event("watcher_ready")
        for name, at in (("inside", "list.txt"), ("outside", "../../list.txt")):
            text = (tmp_path / em.job({"vms_from": at, "paths": ["C:\\"]}, name=name)).read_text()
            em.drop(text, f"{name}.toml")
            await watcher.event("job_ended", job=name)
        assert em.restored() == copies(em.estate, em.machine("fs02"))
        told = em.ended("failed")["outside"]
        assert "where the lists of dropped jobs must be" in told
        assert "root:x" not in told


async def test_refresh_brings_in_what_em_has_not_collected_yet(tmp_path: Path) -> None:
    async with flow(tmp_path, estate, roles=SEEING) as em:
        em.configure(enterprise_manager={"refresh_wait": 0})
        machine = em.machine("fs02")
        em.estate.uncollected.add(machine.points[0].uid)
        stale = await em.run("plan", em.job(entry_of(machine)))
        assert (stale.code, "may not have been collected by EM yet (refresh = true)" in stale.out) == (2, True)
        done = await em.run("run", em.job(entry_of(machine, refresh=True, backup_server="vbr01")))
        assert done.code == 0, done.everything
        assert em.count("backup_server_action") == 1
        assert em.restored() == copies(em.estate, machine)


async def test_an_account_that_may_not_refresh_is_told_so_and_nothing_is_mounted(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        done = await em.run("run", em.job(entry_of(em.machine("fs02"), refresh=True)))
        assert done.code == 4, done.everything
        assert "it needs the role Portal User or Portal Administrator too" in done.err
        em.assert_untouched()
