"""Every way in which an Enterprise Manager is known to differ: the files are found, and the mounts deleted."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Drop, EndSession, Estate, Fault, Status, VanishFolder
from tests.support.flow import flow, small

pytestmark = pytest.mark.flow


@pytest.mark.parametrize(
    "settings",
    [
        {"stale_folders": True},
        {"stale_folders": True, "folder_suffix": False},
        {"folder_suffix": False},
        {"folder_delay": 0.3},
        {"browse_form": "entry"},
        {"task_related": False},
        {"task_wrapped": True, "operation_finished_seconds": 0.3},
        {"delete_status": 200},
        {"delete_status": 202},
        {"unmount_seconds": 0.2},
        {"collection_404_when_empty": True, "bom": True, "attribute_order": "new", "linux_root_href": "single"},
        {"empty_result": "absent", "display_name": False, "owner": False, "name_case_matters": True},
        {"advertise": "https://em.internal.example:9398"},
    ],
    ids=lambda settings: ",".join(f"{key}={value}" for key, value in settings.items()),
)
async def test_files_are_found_and_mounts_deleted_whichever_way_em_answers(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with flow(tmp_path, small, **settings) as em:
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert done.out.rstrip().splitlines()[-1] == "mounts opened 2, deleted 2, left 0"
        assert em.count("mount_post") == em.count("mount_delete") == 2
        await em.settled()
        em.assert_nothing_left()


def look_alikes(folder: Path) -> Estate:
    """Machines whose names begin alike, with volumes in every order, on one share."""
    estate = Estate.empty(folder)
    for name in ("app1", "app10", "app1_0123abcd", "APP11", "app 1"):
        estate.add_machine(
            name,
            points=[{"C:": {"c.txt": name.encode(), "same.txt": b"="}, "D:": {"d.txt": name.encode() * 2}}],
            folders={"C:": "Volume2", "D:": "Volume1"},
        )
    return estate


@pytest.mark.parametrize("folder_suffix", [True, False])
async def test_machines_with_names_that_begin_alike_never_get_each_others_files(
    tmp_path: Path, folder_suffix: bool
) -> None:
    async with flow(tmp_path, look_alikes, folder_suffix=folder_suffix, stale_folders=True, task_seconds=0.2) as em:
        em.configure(backup_servers=[{"name": "*", "shares": [str(em.estate.shares["vbr01"])], "max_mounts": 5}])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.simulator.peak_mounts() == 5
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_the_right_share_of_several_is_found(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        (tmp_path / "empty").mkdir()
        shares = [str(tmp_path / "not mounted"), str(tmp_path / "empty"), str(em.estate.shares["vbr01"])]
        em.configure(backup_servers=[{"name": "VBR01", "shares": shares}])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()


def indistinguishable(folder: Path) -> Estate:
    """Two volumes whose top folders look the same."""
    estate = Estate.empty(folder)
    same = {"C:": {"Data/c.txt": b"of C"}, "D:": {"Data/d.txt": b"of D"}}
    estate.add_machine("fs01", points=[same], folders={"C:": "Volume2", "D:": "Volume1"})
    return estate


async def test_volumes_that_look_alike_are_refused_until_the_config_names_them(tmp_path: Path) -> None:
    async with flow(tmp_path, indistinguishable) as em:
        job = em.job()
        done = await em.run("run", job)
        assert done.code == 4, done.everything
        assert 'volumes = { "C:" = "Volume2" }' in done.out
        assert em.restored() == {}
        em.assert_nothing_left()
        shares = [str(em.estate.shares["vbr01"])]
        volumes = {"C:": "Volume2", "D:": "Volume1"}
        em.configure(backup_servers=[{"name": "vbr01", "shares": shares, "volumes": volumes}])
        again = await em.run("run", job)
        assert again.code == 0, again.everything
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_volumes_that_em_names_by_random_ids_are_reached_by_their_letters_in_the_config(tmp_path: Path) -> None:
    async with flow(tmp_path, small, random_volume_ids=True) as em:
        machine = em.machine("fs01")
        job = em.job({"vm": "fs01", "paths": ["C:\\", "D:\\"]})
        done = await em.run("run", job)
        assert done.code == 3, done.everything
        assert "fs01 has no volume for C:\\" in done.out
        shares = [str(em.estate.shares["vbr01"])]
        volumes = {"C:": "Volume2", "D:": "Volume1"}
        em.configure(backup_servers=[{"name": "vbr01", "shares": shares, "volumes": volumes}])
        again = await em.run("run", job)
        assert again.code == 0, again.everything
        assert em.restored() == em.expected(machine)
        em.assert_nothing_left()


@pytest.mark.parametrize("how", ["now", "later"])
@pytest.mark.parametrize("route", ["task", "browse", "mount_delete"])
async def test_a_session_that_ends_in_between_is_renewed_and_the_files_are_complete(
    tmp_path: Path, route: str, how: str
) -> None:
    fault = Fault(route, action=EndSession())
    async with flow(tmp_path, small, fault, session_end_unmounts=how, session_end_delay=0.2) as em:
        em.configure(limits={"mounts": 1})
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert em.report()["sessions"] == 2
        await em.settled()
        em.assert_nothing_left()


async def test_a_mount_that_outlives_its_session_ends_with_7_and_is_named(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse", action=EndSession()), session_end_unmounts="never") as em:
        em.configure(limits={"mounts": 1, "folder_timeout": 2})
        done = await em.run("run", em.job())
        assert done.code == 7, done.everything
        assert em.restored() == em.expected()
        [left] = em.report()["mounts_left"]
        [open_mount] = em.simulator.open_mounts()
        assert left["vm"] == open_mount.machine
        assert "Stop-VBRWindowsFileRestore" in left["remedy"]
        assert left["remedy"] in done.out
        assert em.simulator.open_sessions() == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("mount_post", action=Drop(after=True)),
        Fault("mount_post", action=Status(500, after=True)),
        Fault("query", action=Status(503, headers={"Retry-After": "0"})),
        Fault("task", action=Drop()),
        Fault("mount_delete", action=Drop(after=True)),
        Fault("mount_delete", action=Status(503)),
        Fault("logoff", action=Status(500)),
    ],
    ids=lambda fault: f"{fault.route}-{type(fault.action).__name__}",
)
async def test_one_answer_that_goes_wrong_costs_neither_a_file_nor_a_mount(tmp_path: Path, fault: Fault) -> None:
    async with flow(tmp_path, small, fault) as em:
        em.configure(limits={"mounts": 1})
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert em.count("mount_post") == 2
        assert done.out.rstrip().splitlines()[-1] == "mounts opened 2, deleted 2, left 0"
        em.assert_nothing_left()


async def test_a_folder_that_vanishes_before_it_is_read_is_told_and_nothing_is_half_done(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("browse", action=VanishFolder(), match="C:")) as em:
        em.configure(limits={"folder_timeout": 2})
        done = await em.run("run", em.job())
        assert done.code == 4, done.everything
        assert em.restored() == em.expected(em.machine("lx01"))
        em.assert_nothing_left()
