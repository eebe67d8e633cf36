"""A Linux machine restored with all that its files are beside their bytes, by the command line, over a whole run."""

import os
from pathlib import Path

import pytest

from orchestrator.simulator import Estate
from tests.support.disk import MTIME_NS
from tests.support.filesystems import ACCESS, whole_seconds
from tests.support.flow import Flow, flow

pytestmark = pytest.mark.flow

ENTRY = {"vm": "lx01", "os": "linux", "paths": ["/srv"]}


def linux(folder: Path) -> Estate:
    estate = Estate.empty(folder)
    files: dict[str, bytes | None] = {f"srv/data/{number}.txt": b"%d" % number for number in range(6)}
    lx: dict[str, bytes | None] = {**files, "srv/data/run.sh": b"#!/bin/sh", "etc/hosts": b"1"}
    estate.add_machine("lx01", os="linux", points=[{"/": lx}])
    return estate


def enrich(em: Flow) -> Path:
    """The guest's files as Linux has them; their folder."""
    data = em.estate.content(em.machine("lx01").points[-1], "/") / "srv" / "data"
    (data / "run.sh").chmod(0o4755)
    os.setxattr(data / "1.txt", "user.colour", b"blue")
    os.setxattr(data / "2.txt", "system.posix_acl_access", ACCESS)
    (data / "2.txt").chmod(0o640)
    os.link(data / "3.txt", data / "three.txt")
    os.symlink("../data/4.txt", data / "four.txt")
    with (data / "sparse.img").open("wb") as file:
        file.truncate(8 << 20)
    for name in os.listdir(data):
        os.utime(data / name, ns=(MTIME_NS + 7, MTIME_NS), follow_symlinks=False)
    data.chmod(0o2750)
    os.utime(data, ns=(MTIME_NS, MTIME_NS))
    return data


async def test_a_machine_comes_back_with_all_that_its_files_are(tmp_path: Path) -> None:
    async with flow(tmp_path, linux) as em:
        enrich(em)
        done = await em.run("run", em.job(ENTRY, metadata="full", links="link"))
        assert done.code == 0, done.everything
        copy = em.target / "lx01" / "srv" / "data"
        assert (copy / "run.sh").stat().st_mode & 0o7777 == 0o4755
        assert os.getxattr(copy / "1.txt", "user.colour") == b"blue"
        assert os.getxattr(copy / "2.txt", "system.posix_acl_access") == ACCESS
        assert (copy / "3.txt").stat().st_ino == (copy / "three.txt").stat().st_ino
        assert os.readlink(copy / "four.txt") == "../data/4.txt"
        assert (copy / "sparse.img").stat().st_blocks * 512 < 1 << 20
        status = copy.stat()
        assert (status.st_mode & 0o7777, status.st_mtime_ns) == (0o2750, MTIME_NS)
        assert (copy / "1.txt").stat().st_atime_ns == MTIME_NS + 7
        card = em.report()["fidelity"]
        assert all(counts["sidecar"] == counts["lost"] == 0 for counts in card.values()), card
        assert card["mode"]["kept"] == 7 + 2 + 1  # files, their folders, the sparse one
        assert (card["acl"]["kept"], card["xattrs"]["kept"], card["hard-link"]["kept"]) == (1, 1, 1)
        assert (card["link"]["kept"], card["sparse"]["kept"]) == (1, 1)
        verified = await em.run("verify", em.report()["run"])
        assert (verified.code, "0 differ" in verified.out) == (0, True)
        again = await em.run("run", em.job(ENTRY, metadata="full", links="link", name="again"))
        assert again.code == 0
        assert em.report()["totals"]["restored"] == 0
        await em.settled()
        em.assert_nothing_left()


async def test_what_a_destination_cannot_hold_is_put_on_when_the_files_have_moved(tmp_path: Path) -> None:
    async with flow(tmp_path, linux) as em:
        em.configure(limits={"reserve_mib": 0})
        enrich(em)
        with whole_seconds(em.target / "small"):
            entry = {**ENTRY, "to": str(em.target / "small" / "lx01"), "exclude": ["sparse.img"]}
            done = await em.run("run", em.job(entry, metadata="full", links="link"))
            assert done.code == 0, done.everything
            assert "orchestrator apply-metadata" in done.out
            report = em.report()
            assert (report["fidelity"]["times"]["sidecar"] >= 7, report["fidelity"]["mode"]["sidecar"]) == (True, 0)
            there = em.target / "small" / "lx01" / "srv" / "data"
            moved = em.target / "large"
            moved.mkdir()
            for name in ("1.txt", "2.txt"):
                (moved / name).write_bytes((there / name).read_bytes())
                seconds = (there / name).stat().st_mtime_ns
                os.utime(moved / name, ns=(seconds, seconds))
        assert (moved / "1.txt").stat().st_mtime_ns == MTIME_NS // 10**9 * 10**9
        applied = await em.run("--json", "apply-metadata", "--target-prefix", f"{there}={moved}", report["run"])
        assert applied.code == 3, "the others have not moved along"
        assert applied.json["applied"] == 3, "two files and their folder"
        assert (moved / "1.txt").stat().st_mtime_ns == MTIME_NS
        shown = (await em.run("--json", "report", "--write", report["run"])).json["fidelity"]["times"]
        before = report["fidelity"]["times"]
        assert (shown["kept"], shown["sidecar"]) == (before["kept"] + 3, before["sidecar"] - 3)
        assert em.report()["fidelity"]["times"] == shown


async def test_permissions_come_back_and_nothing_else(tmp_path: Path) -> None:
    async with flow(tmp_path, linux) as em:
        enrich(em)
        await em.run("run", em.job(ENTRY))
        copy = em.target / "lx01" / "srv" / "data"
        (copy / "run.sh").chmod(0o600)
        (copy / "1.txt").write_bytes(b"changed since")
        (copy / "5.txt").unlink()
        done = await em.run("run", em.job(ENTRY, metadata="permissions-only", name="permissions"))
        assert done.code == 3
        report = em.report()
        assert report["problems_by_reason"] == {"not-there": 1, "link": 1}
        # To run as its owner is given to no program whose content was not written just now.
        assert (copy / "run.sh").stat().st_mode & 0o7777 == 0o755
        assert report["fidelity"]["mode"]["sidecar"] == 1
        assert (copy / "1.txt").read_bytes() == b"changed since"
        assert report["totals"]["bytes"] == 0
