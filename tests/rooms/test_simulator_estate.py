"""The seeded estate, the files written for an operator, and the simulator as a process."""

import asyncio
import hashlib
import json
import os
import ssl
import tomllib
import unicodedata
from pathlib import Path

import aiohttp
import pytest

from orchestrator.simulator import (
    Estate,
    EstateSpec,
    Settings,
    build_estate,
    render_config,
    render_job,
    simulate,
)
from orchestrator.simulator.mount_hosts import Kind

SPEC = EstateSpec(seed=7, backup_servers=2, machines=5, files=300, points=2)


def fingerprint(estate: Estate) -> str:
    """Every path, mode, time and byte of the volumes, pristine."""
    digest = hashlib.sha256()
    volumes = sorted((estate.folder / "points").glob("*/*"))
    for folder, folders, files in (step for volume in volumes for step in os.walk(volume)):
        folders.sort()
        for name in ("", *sorted(files)):
            path = Path(folder, name)
            stat = path.stat()
            digest.update(f"{path.relative_to(estate.folder)}|{stat.st_mode}|{stat.st_mtime_ns}|".encode())
            digest.update(path.read_bytes() if name else b"")
    return digest.hexdigest()


def files_of(estate: Estate, point: int) -> list[Path]:
    return [
        path
        for machine in estate.machines
        for volume in machine.points[point].volumes
        if not volume.root.startswith("Volume$")
        for path in estate.content(machine.points[point], volume.root).rglob("*")
        if path.is_file()
    ]


def test_the_same_spec_gives_the_same_estate_and_is_reused(tmp_path: Path) -> None:
    one, two = build_estate(tmp_path / "1", SPEC), build_estate(tmp_path / "2", SPEC)
    assert one.machines == two.machines
    assert fingerprint(one) == fingerprint(two)
    (tmp_path / "1/points/kept").touch()
    assert build_estate(tmp_path / "1", SPEC).machines == one.machines
    assert (tmp_path / "1/points/kept").exists()


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    build_estate(tmp_path / "1", EstateSpec(machines=1, files=1, points=1))
    with pytest.raises(FileExistsError, match="another"):
        build_estate(tmp_path / "1", EstateSpec(machines=1, files=2, points=1))
    (tmp_path / "2/shares").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="no estate"):
        build_estate(tmp_path / "2", SPEC)


def test_the_estate_holds_what_breaks_careless_copiers(tmp_path: Path) -> None:
    estate = build_estate(tmp_path, SPEC)
    newest, elder = files_of(estate, -1), files_of(estate, 0)
    assert len(newest) >= SPEC.files
    names = {path.name for path in newest}
    assert all(any(mark in name for name in names) for mark in " #%&+;'")
    assert any(name != unicodedata.normalize("NFC", name) for name in names)
    assert any(name != unicodedata.normalize("NFD", name) for name in names)
    stats = [path.stat() for path in newest]
    assert {stat.st_mode & 0o777 for stat in stats} == {0o444, 0o644}
    assert any(stat.st_mtime_ns % 1_000_000_000 and stat.st_mtime < 5e8 for stat in stats)
    assert max(stat.st_size for stat in stats) > 2 << 20
    assert min(stat.st_size for stat in stats) == 0
    assert max(len(path.relative_to(estate.folder).parts) for path in newest) > 15
    assert {path.read_bytes() for path in newest} != {path.read_bytes() for path in elder}
    assert [machine.name for machine in estate.machines][1:3] == ["app1", "app10"]
    assert estate.machines[1].backup_server == estate.machines[2].backup_server


def test_windows_guests_have_a_reserved_partition_and_swapped_volumes(tmp_path: Path) -> None:
    estate = build_estate(tmp_path, SPEC)
    roots = {volume.root: volume.folder for volume in estate.machines[0].points[-1].volumes}
    assert roots == {"Volume$0:": "Volume1", "C:": "Volume3", "D:": "Volume2"}
    times = [point.created for point in estate.machines[0].points]
    assert (times[1] - times[0]).days >= 2
    assert {(time.year, time.month) for time in times} == {(2026, 11)}


def test_content_does_not_move_when_the_point_is_shown(tmp_path: Path) -> None:
    estate = Estate.empty(tmp_path)
    machine = estate.add_machine("fs01", points=[{"C:": {"a/b.txt": b"x", "e/": None}}])
    point, host = machine.points[0], estate.host_of(machine)
    shown = estate.show(point, estate.take_twin(point), host, "fs01", "0123abcd")
    assert shown == {"Volume1": estate.shares["vbr01"] / "fs01_0123abcd" / "Volume1"}
    for folder in (estate.content(point, "C:"), shown["Volume1"]):
        assert sorted(path.name for path in folder.rglob("*")) == ["a", "b.txt", "e"]
    estate.hide(point, host, shown)
    assert not shown["Volume1"].parent.exists()
    estate.hide(point, host, shown)
    with pytest.raises(KeyError):
        estate.content(point, "D:")


@pytest.mark.parametrize(("kind", "depth"), [("linux", 2), ("linux volumes", 1)])
def test_a_linux_mount_host_shows_volumes_under_ids_and_gives_them_back(tmp_path: Path, kind: Kind, depth: int) -> None:
    estate = Estate.empty(tmp_path)
    machine = estate.add_machine("fs01", points=[{"C:": {"a.txt": b"c"}, "D:": {"a.txt": b"d"}}])
    point, host = machine.points[0], estate.add_mount_host("lin01", kind)
    estate.mounted_on["fs01"] = "lin01"
    assert estate.host_of(machine) == host
    for _ in range(2):
        shown = estate.show(point, estate.take_twin(point), host, "fs01", "0123abcd")
        assert [(path / "a.txt").read_bytes() for path in shown.values()] == [b"c", b"d"]
        assert {len(path.relative_to(host.share).parts) for path in shown.values()} == {depth}
        assert not any("fs01" in str(path) or "Volume" in str(path) for path in shown.values())
        estate.hide(point, host, shown)
        assert list(host.share.iterdir()) == []
        estate.hide(point, host, shown)


def test_two_estates_over_one_folder_do_not_meet(tmp_path: Path) -> None:
    spec = EstateSpec(machines=1, files=1, points=1)
    for _ in range(2):
        estate = build_estate(tmp_path, spec)
        machine = estate.machines[0]
        point, host = machine.points[0], estate.host_of(machine)
        estate.hide(point, host, estate.show(point, estate.take_twin(point), host, "fs01", None))
    assert list(estate.shares["vbr01"].iterdir()) == []


def test_the_job_covers_every_machine_and_both_files_are_toml(tmp_path: Path) -> None:
    estate = build_estate(tmp_path / "it's", SPEC)
    config = tomllib.loads(
        render_config(
            url="https://127.0.0.1:1",
            username="CORP\\restore",
            password_file=tmp_path / "password",
            ca_file=tmp_path / "ca.pem",
            shares=estate.shares,
            targets=[tmp_path / "out"],
            state=tmp_path / "state",
        )
    )
    assert config["enterprise_manager"]["username"] == "CORP\\restore"
    assert [one["name"] for one in config["backup_servers"]] == ["vbr01", "vbr02"]
    assert config["backup_servers"][0]["shares"] == [str(estate.shares["vbr01"])]
    job = tomllib.loads(render_job(estate.machines, to="/out/{vm}"))
    assert [one["vm"] for one in job["restore"]] == [machine.name for machine in estate.machines]
    assert job["restore"][0]["paths"] == ["C:\\", "D:\\"]
    assert (job["restore"][1]["os"], job["restore"][1]["paths"]) == ("linux", ["/"])


async def test_the_process_serves_announces_and_logs_until_cancelled(tmp_path: Path) -> None:
    said: list[str] = []
    ready = asyncio.Event()

    def announce(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            ready.set()

    job = asyncio.create_task(
        simulate(
            tmp_path,
            EstateSpec(machines=2, files=1, points=1),
            Settings(),
            host="127.0.0.1",
            port=0,
            log_file=tmp_path / "requests.jsonl",
            write_config=True,
            announce=announce,
        )
    )
    await ready.wait()
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    em = config["enterprise_manager"]
    assert em["url"] in said[0]
    assert said[2] == f"orchestrator --config {tmp_path}/config.toml run {tmp_path}/job.toml"
    assert Path(em["password_file"]).read_text() == "restore\n"
    assert tomllib.loads((tmp_path / "job.toml").read_text())["defaults"]["to"] == f"{tmp_path}/restored/{{vm}}"
    context = ssl.create_default_context(cafile=em["ca_file"])
    async with aiohttp.ClientSession() as http, http.get(f"{em['url']}/api/", ssl=context) as reply:
        assert reply.status == 200
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    entries = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert [(one["route"], one["status"]) for one in entries] == [("entry", 200)]
