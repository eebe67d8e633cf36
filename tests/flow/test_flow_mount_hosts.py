"""EM does not say where it mounts: several mount hosts, Windows and Linux ones, behind one backup server."""

import shutil
import signal
import tomllib
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread

from orchestrator.core.whereabouts import Answer
from orchestrator.journal import open_journal
from orchestrator.simulator import Estate, Fault, SlowTask
from orchestrator.simulator.mount_hosts import Kind
from tests.support.flow import Flow, Tree, copies, flow

pytestmark = pytest.mark.flow

CLONES = ("web01", "web02", "web03", "web04")
"""Machines whose roots hold the same."""


def estate(folder: Path) -> Estate:
    made = Estate.empty(folder)
    files: dict[str, bytes | None] = {f"Shares/{number}.txt": b"%d" % number for number in range(20)}
    made.add_machine("fs01", points=[{"C:": files, "D:": {"Data/list.csv": b"1;2;3"}}])
    made.add_machine("fs02", points=[{"C:": {**files, "Users/ann.txt": b"ann"}}])
    for name in CLONES:
        made.add_machine(name, os="linux", points=[{"/": {"srv/who": name.encode(), "etc/hosts": b"1"}}])
    return made


async def hosts(em: Flow, sizes: dict[str, Any] | None = None, **kinds: Kind) -> None:
    """Mount hosts beside the backup server, in the estate and in the config, each of these sizes."""
    tables: list[dict[str, Any]] = []
    for name, kind in kinds.items():
        share = (await to_thread.run_sync(em.estate.add_mount_host, name, kind)).share
        tables.append({"name": name, "os": kind.split(maxsplit=1)[0], "shares": [str(share)], **(sizes or {})})
    shares = [str(em.estate.shares["vbr01"])]
    em.configure(backup_servers=[{"name": "vbr01", "shares": shares, "mount_hosts": tables}])


def answers(em: Flow) -> list[Answer]:
    """What the journal remembers."""
    with open_journal(em.state, read_only=True) as journal:
        return journal.answers()


def lead(name: Path, to: Path) -> None:
    """Make the folder `name` another name of `to`."""
    name.rmdir()
    name.symlink_to(to)


def below_volumes(found: Tree) -> Tree:
    """Files by what follows the folders of their machine and volume."""
    return {"/".join(path.split("/")[2:]): file for path, file in found.items() if file is not None}


async def test_machines_of_one_backup_server_are_found_on_whichever_of_its_mount_hosts_they_are(tmp_path: Path) -> None:
    async with flow(tmp_path, estate, stale_folders=True) as em:
        await hosts(em, mount02="windows", mount03="windows")
        em.estate.mounted_on |= {"fs01": "mount02", "web01": "mount02", "web02": "mount03"}
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_where_a_mount_appeared_is_told_and_expected_next_time(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, mount02="windows")
        em.estate.mounted_on["fs01"] = "mount02"
        job = em.job({"vm": "fs01", "paths": ["D:\\"]})
        shown = await em.run("plan", job)
        assert f"expected on {em.estate.shares['vbr01']} or mount02: 1 mount" in shown.out
        [planned] = (await em.run("--json", "plan", job)).json["groups"]
        assert planned["expected_hosts"] == [str(em.estate.shares["vbr01"]), "mount02"]
        done = await em.run("run", job)
        assert done.code == 0, done.everything
        [group] = em.report()["groups"]
        assert [mount["host"] for mount in group["mounts"]] == ["mount02"]
        [answer] = await to_thread.run_sync(answers, em)
        assert (answer.backup_server, answer.chain) == ("vbr01", "files")
        assert answer.share == str(em.estate.mount_hosts["mount02"].share)
        assert "expected on mount02: 1 mount" in (await em.run("plan", job)).out
        for words in (["plan"], ["plan", "--deep"]):
            [planned] = (await em.run("--json", *words, job)).json["groups"]
            assert planned["expected_hosts"] == ["mount02"]


async def test_a_wrong_memory_of_where_mounts_appear_fails_nothing_and_is_mended(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, mount02="windows", mount03="windows")
        job = em.job({"vm": "fs01", "paths": ["D:\\"]})
        for host in ("mount02", "mount03"):
            em.estate.mounted_on["fs01"] = host
            done = await em.run("run", job)
            assert done.code == 0, done.everything
            [group] = em.report()["groups"]
            assert [mount["host"] for mount in group["mounts"]] == [host]
            [answer] = await to_thread.run_sync(answers, em)
            assert answer.share == str(em.estate.mount_hosts[host].share)


async def test_a_mount_host_and_a_chain_get_no_more_mounts_than_they_may_have(tmp_path: Path) -> None:
    async with flow(tmp_path, estate, task_seconds=0.1) as em:
        await hosts(em, {"max_mounts": 2}, mount02="windows")
        em.estate.mounted_on |= dict.fromkeys(("fs01", "fs02", *CLONES), "mount02")
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.simulator.peak_mounts() == 2
    async with flow(tmp_path / "chain", estate, task_seconds=0.1) as em:
        shares = [str(em.estate.shares["vbr01"])]
        em.configure(backup_servers=[{"name": "VBR01", "shares": shares, "max_mounts_per_chain": 1}])
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert em.simulator.peak_mounts() == 1


@pytest.mark.parametrize("kind", ["linux", "linux volumes"])
async def test_on_a_linux_mount_host_machines_that_look_alike_get_their_own_files(tmp_path: Path, kind: Kind) -> None:
    """All at once, and each folder appears late: only that one mount is made after the other tells whose it is."""
    async with flow(tmp_path, estate, folder_delay=0.1) as em:
        await hosts(em, lin01=kind)
        em.estate.mounted_on |= dict.fromkeys(CLONES, "lin01")
        done = await em.run("run", em.job(*({"vm": name, "os": "linux", "paths": ["/srv"]} for name in CLONES)))
        assert done.code == 0, done.everything
        for name in CLONES:
            assert (em.target / name / "srv/who").read_bytes() == name.encode()
        em.assert_nothing_left()


@pytest.mark.parametrize("kind", ["linux", "linux volumes"])
async def test_on_a_linux_mount_host_every_volume_of_a_windows_machine_is_restored(tmp_path: Path, kind: Kind) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, lin01=kind)
        em.estate.mounted_on["fs01"] = "lin01"
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["*"]}))
        assert done.code == 0, done.everything
        restored = {Path(*Path(path).parts[2:]).as_posix(): what for path, what in em.restored().items() if what}
        whole = {
            Path(*Path(path).parts[2:]).as_posix(): what for path, what in copies(em.estate, em.machine("fs01")).items()
        }
        assert restored == {path: what for path, what in whole.items() if what}
        em.assert_nothing_left()


@pytest.mark.parametrize("kind", ["linux", "linux volumes"])
async def test_on_a_linux_mount_host_a_letter_is_the_one_volume_that_holds_what_is_asked_for(
    tmp_path: Path, kind: Kind
) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, lin01=kind)
        em.estate.mounted_on["fs01"] = "lin01"
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["C:\\Shares", "D:\\data"]}))
        assert done.code == 0, done.everything
        assert em.restored() == copies(em.estate, em.machine("fs01"), "C:/Shares", "D:/Data")
        assert "fs01: EM shows no drive letters; C: is taken to be the volume" in done.err
        em.assert_nothing_left()


@pytest.mark.parametrize("paths", [["C:\\Shares\\1.txt", "D:\\Shares\\2.txt"], ["C:\\"], ["C:\\Nowhere"]])
async def test_on_a_linux_mount_host_no_letter_is_guessed_that_cannot_be_told(tmp_path: Path, paths: list[str]) -> None:
    """No volume is C: and D: at once, a whole volume has nothing to be told by, and what is nowhere is on none."""
    async with flow(tmp_path, estate) as em:
        await hosts(em, lin01="linux")
        em.estate.mounted_on["fs01"] = "lin01"
        done = await em.run("run", em.job({"vm": "fs01", "paths": paths}))
        assert done.code == 3, done.everything
        assert "EM shows no drive letters, as with a Linux mount host" in done.out
        assert em.restored() == {}
        em.assert_nothing_left()


async def test_a_share_that_the_config_has_under_two_names_is_told_once_and_fails_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, mount02="windows")
        share, again = em.estate.shares["vbr01"], em.estate.mount_hosts["mount02"].share
        await to_thread.run_sync(lead, again, share)
        done = await em.run("run", em.job({"vm": "fs*", "paths": ["C:\\"]}))
        assert done.code == 0, done.everything
        assert done.err.count(f"{again} shows the same folder as {share}; keep one of them in the config") == 1


async def test_a_mount_that_two_shares_show_restores_nothing_and_names_both(tmp_path: Path) -> None:
    async with flow(tmp_path, estate, folder_delay=0.3) as em:
        await hosts(em, mount02="windows")
        share, other = em.estate.shares["vbr01"], em.estate.mount_hosts["mount02"].share
        running = await em.start("run", em.job({"vm": "fs02", "paths": ["C:\\"]}))
        await running.until(lambda: em.simulator.mounts_made)
        running.signal(signal.SIGSTOP)  # so that it sees both at the same time
        content = em.estate.content(em.machine("fs02").points[-1], "C:")
        await to_thread.run_sync(shutil.copytree, content, other / "fs02_12345678" / "Volume1")
        await running.until(lambda: em.simulator.open_mounts()[0].folder)
        running.signal(signal.SIGCONT)
        done = await running.done()
        assert done.code == 4, done.everything
        assert f"{share}/fs02_" in done.out
        assert f"{other}/fs02_12345678" in done.out
        assert em.restored() == {}
        em.assert_nothing_left()


@pytest.mark.parametrize("kind", ["linux", "linux volumes"])
async def test_a_volume_without_a_letter_is_browsed_and_looked_at_by_the_letter_of_the_guest(
    tmp_path: Path, kind: Kind
) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, lin01=kind)
        em.estate.mounted_on["fs01"] = "lin01"
        done = await em.run("--json", "browse", "--vm", "fs01", "d:/data")
        assert done.code == 0, done.everything
        assert [(one["path"], one["size"]) for one in done.json["entries"]] == [("D:\\Data\\list.csv", 5)]
        assert "fs01: EM shows no drive letters; D: is taken to be the volume" in done.err
        found = await em.run("--json", "browse", "--vm", "fs01", "--find", "1*.txt", "C:\\Shares")
        assert [one["path"] for one in found.json["entries"]] == [
            f"C:\\Shares\\{number}.txt" for number in (1, *range(10, 20))
        ]
        plan = await em.run("--json", "plan", "--deep", em.job({"vm": "fs01", "paths": ["C:\\Shares", "D:\\data"]}))
        assert plan.code == 0, plan.everything
        [look] = plan.json["deep"]["looks"]
        assert (look["files"], look["bytes"]) == (21, 35)
        em.assert_nothing_left()


@pytest.mark.parametrize("path", ["C:\\", "C:\\Nowhere"])
async def test_a_letter_that_cannot_be_told_is_not_guessed_when_browsing_and_what_helps_is_said(
    tmp_path: Path, path: str
) -> None:
    async with flow(tmp_path, estate) as em:
        await hosts(em, lin01="linux")
        em.estate.mounted_on["fs01"] = "lin01"
        done = await em.run("browse", "--vm", "fs01", path)
        assert done.code == 2, done.everything
        said = " ".join(done.err.split())
        assert "EM shows no drive letters, as with a Linux mount host" in said
        assert "look into every volume: --find PATTERN '*'" in said
        everywhere = await em.run("--json", "browse", "--vm", "fs01", "--find", "list.csv", "*")
        assert [one["path"].partition("\\")[2] for one in everywhere.json["entries"]] == ["Data\\list.csv"]
        plan = await em.run("plan", "--deep", em.job({"vm": "fs01", "paths": [path]}))
        assert plan.code == 3, plan.everything
        assert "EM shows no drive letters, as with a Linux mount host" in " ".join(plan.everything.split())
        em.assert_nothing_left()


@pytest.mark.parametrize("road", ["share-then-download", "download"])
async def test_a_mount_that_is_downloaded_is_not_taken_for_that_of_a_machine_that_looks_alike(
    tmp_path: Path, road: str
) -> None:
    """Its folder appears on the share while the files of the other are looked for there."""
    slow = Fault("mount_post", 2, SlowTask(0.6))
    async with flow(tmp_path, estate, slow, folder_delay=0.6, restore_seconds=1.5) as em:
        await hosts(em, lin01="linux volumes")
        em.estate.mounted_on |= dict.fromkeys(CLONES, "lin01")
        [server] = tomllib.loads((em.folder / "config.toml").read_text())["backup_servers"]
        if road == "share-then-download":  # of the first the folder has not appeared when it is given up
            server["road"] = road
        em.configure(backup_servers=[server], limits={"folder_timeout": 0.3 if road != "download" else 5})
        entries: list[dict[str, Any]] = [{"vm": name, "os": "linux", "paths": ["/srv"]} for name in CLONES[:2]]
        if road == "download":
            entries[0]["road"] = road
        done = await em.run("run", em.job(*entries))
        assert done.code == 0, done.everything
        for name in CLONES[:2]:
            assert (em.target / name / "srv/who").read_bytes() == name.encode()
        em.assert_nothing_left()
