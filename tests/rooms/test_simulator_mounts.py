"""Mounts, tasks and share folders of the simulated Enterprise Manager."""

import os
import re
from pathlib import Path

import anyio
import pytest

from orchestrator.simulator import Fault, SlowTask, StuckTask
from tests.rooms.test_simulator_kit import SPEC, XML, Client, box, until


async def test_a_mount_appears_as_a_folder_and_goes_with_its_delete(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        machine = simulator.estate.machines[0]
        share, point = simulator.estate.shares["vbr01"], machine.points[1]
        client = await client.logged_on()
        href = await client.mounted(point.uid)
        [folder] = share.iterdir()
        assert re.fullmatch(r"fs01_[0-9a-f]{8}", folder.name)
        assert (folder / "Volume2/Shares/a #1;x.txt").read_bytes() == b"one"
        assert (folder / "Volume1/d.txt").read_bytes() == b"d"
        pristine = simulator.estate.content(point, "C:") / "top.txt"
        assert (folder / "Volume2/top.txt").stat().st_mtime_ns == pristine.stat().st_mtime_ns
        assert simulator.open_mounts()[0].machine == "fs01"
        assert (await client.call("DELETE", href)).status == 204
        assert os.listdir(share) == []
        assert simulator.open_mounts() == []
        assert pristine.read_bytes() == b"t"
        assert (await client.call("DELETE", href)).status == 404


async def test_a_task_passes_through_its_three_states(tmp_path: Path) -> None:
    async with box(tmp_path, task_seconds=0.02, operation_finished_seconds=0.02) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        task = await client.call("POST", f"vmRestorePoints/{uid}/mounts", SPEC % b"Windows", XML)
        href, seen = task.root.get("Href"), {}
        while task.text("State") != "Finished":
            seen[task.text("State")] = task
            task = await client.get(href)
        assert list(seen) == ["Running", "OperationFinished"]
        assert seen["OperationFinished"].hrefs("Related") == []
        assert seen["OperationFinished"].text("Message") == "OperationFinished"
        assert task.hrefs("Related", "VmRestorePointMount")[0].endswith(f"/vmRestorePoints/{uid}/mounts/1")
        assert task.all("Result")[0].get("Success") == "true"
        assert (await client.call("DELETE", href)).status == 204
        assert (await client.get(href)).status == 404


async def test_a_second_post_makes_a_second_mount(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        first, second = await client.mounted(uid), await client.mounted(uid)
        assert (first[-1], second[-1]) == ("1", "2")
        listed = await client.get(f"vmRestorePoints/{uid}/mounts")
        assert len(listed.all("VmRestorePointMount")) == 2
        assert len(os.listdir(simulator.estate.shares["vbr01"])) == 2
        assert simulator.peak_mounts() == simulator.peak_mounts("vbr01") == 2
        assert simulator.mounts_made == 2


async def test_mounts_and_tasks_are_seen_by_their_own_session_only(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        mine, other = await client.logged_on(), await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        href = await mine.mounted(uid)
        assert (await other.get(href)).status == 404
        assert (await other.call("DELETE", href)).status == 404
        assert (await other.get(f"vmRestorePoints/{uid}/mounts")).all("VmRestorePointMount") == []
        assert (await other.get("tasks")).all("Task") == []
        assert (await other.query("Task")).all("Task") == []
        assert len((await mine.query("Task")).all("Task")) == 1
        assert (await mine.get(href)).status == 200


@pytest.mark.parametrize("how", ["now", "later", "never"])
async def test_the_end_of_a_session_takes_its_mounts_as_set(tmp_path: Path, how: str) -> None:
    async with box(tmp_path, session_end_unmounts=how, session_end_delay=1.0) as (simulator, client):
        first = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        href = await first.mounted(uid)
        await simulator.end_session()
        assert (await first.get(href)).status == 401
        assert (await (await client.logged_on()).get(href)).status == 404
        if how == "later":
            assert [mount.session_alive for mount in simulator.open_mounts()] == [False]
            await until(lambda: not simulator.open_mounts())
        assert len(os.listdir(simulator.estate.shares["vbr01"])) == len(simulator.open_mounts())
        assert bool(simulator.open_mounts()) == (how == "never")


async def test_restore_sessions_tell_from_outside_what_became_of_a_mount(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        mine, other = await client.logged_on(), await client.logged_on()
        href = await mine.mounted(simulator.estate.machines[0].points[0].uid)
        working = 'VmDisplayName=="fs01";Type==FileLevelRestore;State==Working'
        assert (await other.query("RestoreSession", working)).text("JobType") == "FileLevelRestore"
        await mine.call("DELETE", href)
        assert (await other.query("RestoreSession", working)).all("RestoreSession") == []
        stopped = await other.query("RestoreSession", 'VmDisplayName=="fs01";State==Stopped')
        assert stopped.text("Result") == "Success"
        assert stopped.text("EndTimeUTC").endswith("Z")


async def test_above_the_limit_of_a_backup_server_the_task_fails(tmp_path: Path) -> None:
    async with box(tmp_path, max_mounts_per_server=1) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        href = await client.mounted(uid)
        task = await client.finished(await client.call("POST", f"vmRestorePoints/{uid}/mounts"))
        assert task.all("Result")[0].get("Success") == "false"
        assert "maximum number of mounts" in task.text("Message")
        await client.call("DELETE", href)
        assert (await client.mounted(uid)).endswith("/2")
        assert simulator.peak_mounts("vbr01") == 1


async def test_a_linux_guest_mounted_as_windows_fails_or_shows_nothing(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[1].points[0].uid
        task = await client.finished(await client.call("POST", f"vmRestorePoints/{uid}/mounts"))
        assert task.all("Result")[0].get("Success") == "false"
    async with box(tmp_path, estate=simulator.estate, os_mismatch="empty") as (simulator, client):
        client = await client.logged_on()
        assert (await client.get(await client.mounted(uid))).all("DirectoryEntry") == []


async def test_deleting_a_running_task_stops_the_mount_or_not_as_set(tmp_path: Path) -> None:
    estate = None
    for stops in (True, False):
        fault = Fault("mount_post", action=SlowTask(0.5))
        async with box(tmp_path, fault, estate=estate, task_delete_stops=stops) as (simulator, client):
            estate, client = simulator.estate, await client.logged_on()
            uid = estate.machines[0].points[0].uid
            task = await client.call("POST", f"vmRestorePoints/{uid}/mounts")
            assert (await client.call("DELETE", task.root.get("Href"))).status == 204
            if stops:
                await anyio.sleep(0.6)
                assert simulator.open_mounts() == []
            else:
                await until(lambda: simulator.open_mounts())


async def test_a_deleted_stuck_task_gives_its_seat_back(tmp_path: Path) -> None:
    fault = Fault("mount_post", action=StuckTask())
    async with box(tmp_path, fault, max_mounts_per_server=1) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        task = await client.call("POST", f"vmRestorePoints/{uid}/mounts")
        await anyio.sleep(0.01)
        assert (await client.get(task.root.get("Href"))).text("State") == "Running"
        await client.call("DELETE", task.root.get("Href"))
        assert (await client.mounted(uid)).endswith("/mounts/1")


async def test_folder_names_delays_and_stale_siblings_are_switches(tmp_path: Path) -> None:
    async with box(tmp_path, folder_suffix=False, folder_delay=0.02) as (simulator, client):
        share = simulator.estate.shares["vbr01"]
        client = await client.logged_on()
        await client.mounted(simulator.estate.machines[0].points[0].uid)
        assert os.listdir(share) == []
        await until(lambda: os.listdir(share) == ["fs01"])
    assert os.listdir(share) == []
    async with box(tmp_path, estate=simulator.estate, stale_folders=True, folder_suffix=False) as (_, client):
        assert sorted(os.listdir(share)) == ["app 1", "app 10", "fs01", "fs010"]
        client = await client.logged_on()
        await client.mounted(simulator.estate.machines[0].points[0].uid)
        assert len(os.listdir(share)) == 5


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_delete_answers_as_set(tmp_path: Path, status: int) -> None:
    async with box(tmp_path, delete_status=status) as (simulator, client):
        client = await client.logged_on()
        href = await client.mounted(simulator.estate.machines[0].points[0].uid)
        reply = await client.call("DELETE", href)
        assert reply.status == status
        if status == 202:
            await client.finished(reply)
        assert simulator.open_mounts() == []
        assert (await client.get(href)).status == 404


async def test_disks_may_outlive_the_answer_to_the_delete(tmp_path: Path) -> None:
    async with box(tmp_path, unmount_seconds=0.02) as (simulator, client):
        client = await client.logged_on()
        href = await client.mounted(simulator.estate.machines[0].points[0].uid)
        assert (await client.call("DELETE", href)).status == 204
        assert (await client.get(href)).status == 404
        assert len(os.listdir(simulator.estate.shares["vbr01"])) == 1
        await until(lambda: not simulator.open_mounts())
        assert os.listdir(simulator.estate.shares["vbr01"]) == []


async def test_a_finished_task_may_lack_its_related_link_or_wear_a_wrapper(tmp_path: Path) -> None:
    async with box(tmp_path, task_related=False, task_wrapped=True) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        href = (await client.call("POST", f"vmRestorePoints/{uid}/mounts")).root.get("Href")
        await until(lambda: simulator.open_mounts())
        task = await client.get(href)
        assert etree_name(task) == "Tasks"
        assert task.hrefs("Related") == []


def etree_name(reply: object) -> str:
    return str(reply.root.tag).rpartition("}")[2]  # type: ignore[attr-defined]


async def test_the_mounts_collection_before_the_first_mount_is_empty_or_404(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        path = f"vmRestorePoints/{simulator.estate.machines[0].points[0].uid}/mounts"
        assert (await (await client.logged_on()).get(path)).status == 200
    async with box(tmp_path, estate=simulator.estate, collection_404_when_empty=True) as (_, client):
        assert (await (await client.logged_on()).get(path)).status == 404


async def test_the_books_outlive_the_server_but_no_folder_does(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        await logged_on_and_mounted(client, simulator.estate.machines[0].points[0].uid)
    assert len(simulator.open_mounts()) == 1
    assert os.listdir(simulator.estate.shares["vbr01"]) == []


async def logged_on_and_mounted(client: Client, uid: str) -> None:
    await (await client.logged_on()).mounted(uid)
