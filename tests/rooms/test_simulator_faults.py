"""Faults by script: each kind fires, and one that never fired is an error."""

import os
from pathlib import Path

import aiohttp
import anyio
import pytest

from orchestrator.simulator import (
    Delay,
    Drop,
    EndSession,
    FailedTaskButMounted,
    FailTask,
    Fault,
    Garbage,
    Hang,
    Status,
    VanishFolder,
)
from tests.rooms.test_simulator_kit import box, until


async def test_a_status_replaces_the_answer_on_the_nth_call_and_as_often_as_said(tmp_path: Path) -> None:
    fault = Fault("tasks", nth=2, action=Status(503, b"<html/>", {"Retry-After": "1"}), times=2)
    async with box(tmp_path, fault) as (simulator, client):
        client = await client.logged_on()
        replies = [await client.get("tasks") for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 503, 503, 200]
        assert replies[1].headers["Retry-After"] == "1"
        assert replies[1].headers["Content-Type"] == "text/html"
        assert simulator.unfired() == []


async def test_the_work_may_be_done_although_the_answer_is_an_error_or_none(tmp_path: Path) -> None:
    faults = Fault("mount_post", action=Status(500, after=True)), Fault("mount_post", 2, Drop(after=True))
    async with box(tmp_path, *faults) as (simulator, client):
        client = await client.logged_on()
        path = f"vmRestorePoints/{simulator.estate.machines[0].points[0].uid}/mounts"
        assert (await client.call("POST", path)).status == 500
        with pytest.raises(aiohttp.ClientError):
            await client.call("POST", path)
        await until(lambda: len(simulator.open_mounts()) == 2)
        assert [one.status for one in simulator.log if one.route == "mount_post"] == [500, 0]


async def test_a_drop_before_the_work_leaves_it_undone(tmp_path: Path) -> None:
    async with box(tmp_path, Fault("mount_post", action=Drop())) as (simulator, client):
        client = await client.logged_on()
        with pytest.raises(aiohttp.ClientError):
            await client.call("POST", f"vmRestorePoints/{simulator.estate.machines[0].points[0].uid}/mounts")
        assert (await client.get("tasks")).all("Task") == []
        assert simulator.log[-2].note == "drop"


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("html", b"<html"),
        ("half_xml", b"<?xml"),
        ("empty", b""),
        ("doctype", b'<?xml version="1.0"?><!DOCTYPE'),
        ("wrong_namespace", b"<?xml"),
    ],
)
async def test_garbage_keeps_the_status_of_the_real_answer(tmp_path: Path, kind: str, start: bytes) -> None:
    fault = Fault("mount_post", action=Garbage(kind))  # type: ignore[arg-type]
    async with box(tmp_path, fault) as (simulator, client):
        client = await client.logged_on()
        reply = await client.call("POST", f"vmRestorePoints/{simulator.estate.machines[0].points[0].uid}/mounts")
        assert reply.status == 202
        assert reply.body.startswith(start)
        await until(simulator.open_mounts)


async def test_the_session_ends_under_the_caller(tmp_path: Path) -> None:
    async with box(tmp_path, Fault("task", action=EndSession())) as (simulator, client):
        client = await client.logged_on()
        path = f"vmRestorePoints/{simulator.estate.machines[0].points[0].uid}/mounts"
        task = await client.call("POST", path)
        assert (await client.get(task.root.get("Href"))).status == 401
        assert simulator.open_sessions() == []
        assert simulator.open_mounts() == []


async def test_a_task_fails_with_or_without_a_mount_behind_it(tmp_path: Path) -> None:
    faults = (
        Fault("mount_post", 1, FailTask("no licence")),
        Fault("mount_post", 2, FailedTaskButMounted("timed out")),
    )
    async with box(tmp_path, *faults) as (simulator, client):
        client = await client.logged_on()
        path = f"vmRestorePoints/{simulator.estate.machines[0].points[0].uid}/mounts"
        for message, mounts in (("no licence", 0), ("timed out", 1)):
            task = await client.finished(await client.call("POST", path))
            assert (task.text("Message"), task.hrefs("Related")) == (message, [])
            assert task.all("Result")[0].get("Success") == "false"
            assert len((await client.get(path)).all("VmRestorePointMount")) == mounts


async def test_the_folder_vanishes_while_the_mount_stays(tmp_path: Path) -> None:
    async with box(tmp_path, Fault("mount_get", action=VanishFolder())) as (simulator, client):
        client = await client.logged_on()
        uid = simulator.estate.machines[0].points[0].uid
        kept, href = await client.mounted(uid), await client.mounted(uid)
        assert (await client.get(href)).status == 200
        assert len(os.listdir(simulator.estate.shares["vbr01"])) == 1
        assert len(simulator.open_mounts()) == 2
        assert (await client.call("DELETE", href)).status == 204
        assert (await client.get(kept)).status == 200


async def test_a_hang_lasts_until_the_server_stops_and_a_delay_passes(tmp_path: Path) -> None:
    faults = Fault("query", action=Hang(), match="RestoreSession"), Fault("query", action=Delay(0.01))
    async with box(tmp_path, *faults) as (simulator, client):
        client = await client.logged_on()
        assert (await client.query("VmRestorePoint")).status == 200
        async with anyio.create_task_group() as asking:
            asking.start_soon(client.query, "RestoreSession")
            await until(lambda: simulator.log[-1].note == "hang")
            asking.cancel_scope.cancel()


async def test_a_fault_that_never_fired_fails_the_test(tmp_path: Path) -> None:
    fault = Fault("mount_delete", nth=2)
    with pytest.raises(AssertionError, match=r"never fired.*mount_delete"):
        async with box(tmp_path, fault) as (simulator, _):
            assert simulator.unfired() == [fault]


async def test_an_exception_in_flight_is_not_hidden_by_unfired_faults(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with box(tmp_path, Fault("mount_delete")):
            raise ZeroDivisionError


async def test_faults_can_be_added_while_it_runs(tmp_path: Path) -> None:
    async with box(tmp_path) as (simulator, client):
        client = await client.logged_on()
        assert (await client.get("tasks")).status == 200
        simulator.inject(Fault("*", action=Status(418)))
        assert (await client.get("tasks")).status == 418


@pytest.mark.parametrize("wrong", [{"nth": 0}, {"times": 0}, {"action": FailTask()}])
def test_a_fault_that_cannot_fire_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"count from 1|belongs to"):
        Fault("task", **wrong)  # type: ignore[arg-type]
