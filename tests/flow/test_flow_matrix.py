"""Every source over every road, with three mount hosts behind one backup server: a Windows one, and Linux ones on which
folders, and volumes, carry ids for names."""

from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from orchestrator.simulator import Estate
from orchestrator.simulator.mount_hosts import Kind
from tests.support.flow import Flow, Tree, copies, files_of, flow

pytestmark = pytest.mark.flow

ROLES = ("File Restore Operator", "Portal User")
SOURCES = ("vm", "replica", "agent")
HOSTS: dict[str, Kind] = {"win02": "windows", "lin01": "linux", "lin02": "linux volumes"}
ROADS = {
    "the share": "share",
    "a download": "download",
    "a download instead of shares that are not there": "share-then-download",
    "a download instead of a folder that does not appear": "share-then-download",
}


def estate(folder: Path) -> Estate:
    """Of every source two machines for each mount host: a Windows and a Linux guest, each with files of its own."""
    made = Estate.empty(folder)
    for source in SOURCES:
        for host in HOSTS:
            windows, linux = f"{source}-{host}", f"{source}-{host}-lx"
            files = {"Shares/plan.txt": windows.encode(), "Shares/Finance/a.xlsx": b"sheet", "Windows/win.ini": b"[]"}
            made.add_machine(windows, kind=source, points=[{"C:": files, "D:": {"Data/d.txt": windows.encode()}}])
            made.add_machine(linux, kind=source, os="linux", points=[{"/": {"srv/who": linux.encode()}}])
    return made


async def reach(em: Flow, road: str) -> None:
    """The mount hosts in the estate and the config, and the road of their backup server."""
    shares = {"vbr01": em.estate.shares["vbr01"]}
    for name, kind in HOSTS.items():
        shares[name] = (await to_thread.run_sync(em.estate.add_mount_host, name, kind)).share
    for machine in em.estate.machines:
        em.estate.mounted_on[machine.name] = next(host for host in HOSTS if f"-{host}" in machine.name)
    if road.endswith("are not there"):
        shares = {name: em.folder / "nowhere" / name for name in shares}
    tables = [{"name": name, "os": HOSTS[name].split()[0], "shares": [str(shares[name])]} for name in HOSTS]
    server = {"name": "vbr01", "shares": [str(shares["vbr01"])], "mount_hosts": tables, "road": ROADS[road]}
    waited = {"folder_timeout": 0.3} if road.endswith("does not appear") else {}
    em.configure(enterprise_manager={"requests_per_second": 1000}, backup_servers=[server], limits=waited)


def seconds(found: Tree) -> Tree:
    """Files with whole seconds, which is all that Enterprise Manager tells; without folders."""
    return {path: file and (file[0], file[1] // 10**9) for path, file in files_of(found).items()}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("source", SOURCES)
async def test_machines_on_every_kind_of_mount_host_get_their_own_files(tmp_path: Path, source: str, road: str) -> None:
    folder_delay = 1000.0 if road.endswith("does not appear") else 0.02
    async with flow(tmp_path, estate, roles=ROLES, folder_delay=folder_delay) as em:
        await reach(em, road)
        mine = [one for one in em.estate.machines if one.kind == source]
        entries: list[dict[str, Any]] = [
            {"vm": one.name, "source": source, "paths": ["c:/shares", "D:\\Data"], "os": None}
            if one.os == "windows"
            else {"vm": one.name, "source": source, "paths": ["/srv"], "os": "linux"}
            for one in mine
        ]
        done = await em.run("--json", "run", em.job(*entries))
        assert done.code == 0, done.everything
        wanted: Tree = {}
        for one in mine:
            wanted |= copies(em.estate, one, *(["C:/Shares", "D:/Data"] if one.os == "windows" else ["/srv"]))
        assert seconds(em.restored()) == seconds(wanted)
        hosts = {mount["host"] for group in done.json["groups"] for mount in group["mounts"]}
        assert hosts == (set(HOSTS) if ROADS[road] == "share" else {""})
        downloaded = em.count("browse_action")
        assert downloaded == (0 if ROADS[road] == "share" else len(seconds(wanted)))
        assert em.simulator.mounts_made == len(mine)
        em.assert_nothing_left()
