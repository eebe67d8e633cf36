"""`plan --deep`: everything is mounted and listed, nothing is copied, and no mount is left, however it ends."""

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.simulator import Estate, FailTask, Fault
from tests.support.flow import Flow, entry_of, flow, seeded, small

pytestmark = pytest.mark.flow


def odd(folder: Path) -> Estate:
    """Files that a destination takes, refuses, or has already."""
    estate = Estate.empty(folder)
    files = {"new.txt": b"12345", "same.txt": b"same", "other.txt": b"backup", "held/.orchestrator-aside/x": b"x"}
    estate.add_machine("fs01", points=[{"C:": {f"Data/{name}": content for name, content in files.items()}}])
    return estate


async def test_files_conflicts_names_room_and_time_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    async with flow(tmp_path, odd) as em:
        job = em.job(entry_of(em.machine("fs01")), on_conflict="overwrite")
        assert (await em.run("run", job)).code == 3
        (em.target / "fs01/C/Data/new.txt").unlink()
        (em.target / "fs01/C/Data/other.txt").write_text("somebody else's")
        before = em.restored()
        done = await em.run("--json", "plan", "--deep", job)
        assert done.code == 0, done.everything
        [look] = done.json["deep"]["looks"]
        told = {key: look[key] for key in ("files", "new", "replaced", "skipped", "refused", "needed", "freed")}
        assert told == {
            "files": 3, "new": 1, "replaced": 1, "skipped": 1, "refused": 2, "needed": 11, "freed": 15,
        }  # fmt: skip
        assert ".orchestrator-aside" in look["refusals"][0]
        [room] = done.json["deep"]["rooms"]
        assert (room["folder"], room["needed"], room["fits"]) == (str(em.target), 0, True)
        assert done.json["deep"]["past_runs"] == 1
        assert done.json["deep"]["lock_minutes"] > 0
        assert em.restored() == before
        em.assert_nothing_left()
        status = await em.run("--json", "status")
        assert len(status.json) == 1
        said = await em.run("plan", "--deep", job)
        assert "3 files, 15 B, 1 new, 1 replaced, 1 skipped, 2 refused; 11 B to be written" in said.out
        assert "fs01: listed, 3 files" in said.err
        assert "run job-" not in said.err


async def test_too_little_room_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(limits={"reserve_mib": 1 << 40})
        done = await em.run("plan", "--deep", em.job())
        assert done.code == 0
        assert "NOT ENOUGH" in done.out


async def test_backup_windows_are_held_against_the_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        job = em.job()
        em.configure(backup_windows={"windows": ["00:00-24:00"]})
        done = await em.run("plan", "--deep", job)
        assert "Backup window: open" in done.out
        soon = datetime.now(UTC) + timedelta(hours=2)
        em.configure(backup_windows={"windows": [f"{soon:%H:%M}-{soon + timedelta(hours=1):%H:%M}"]})
        done = await em.run("--json", "plan", "--deep", job)
        assert done.json["deep"]["backup_window"] == f"{soon:%Y-%m-%dT%H:%M}:00+00:00"
        assert done.json["deep"]["collides"] is False
        em.configure(backup_windows={"windows": ["25:00-26:00"]})
        done = await em.run("plan", job)
        assert done.code == 2
        assert "backup_windows" in done.err


async def test_a_mount_that_fails_and_a_path_that_is_not_there_are_told_and_freeze_nothing(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("mount_post", action=FailTask("no disk"), match=None, times=2)) as em:
        done = await em.run("plan", "--deep", "--out", "plan.json", em.job(entry_of(em.machine("fs01"))))
        assert done.code == 3
        assert "no disk" in done.out
        assert not (em.folder / "plan.json").exists()
        job = em.job(entry_of(em.machine("fs01"), paths=["C:\\Shares", "C:\\nowhere"]))
        done = await em.run("plan", "--deep", "--out", "plan.json", job)
        assert done.code == 3
        assert r"C:\nowhere does not exist in the restore point of fs01" in done.out
        assert "not written" in done.err
        em.assert_nothing_left()


async def test_a_plan_that_was_looked_at_closely_is_listed_again_before_it_is_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("plan", "--deep", "--out", "plan.json", em.job())
        assert done.code == 0, done.everything
        mounts = em.simulator.mounts_made
        done = await em.run("run", "plan.json")
        assert done.code == 0, done.everything
        assert em.simulator.mounts_made == mounts + 4
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_a_plan_whose_files_are_not_those_that_were_listed_is_refused(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("plan", "--deep", "--out", "plan.json", em.job(entry_of(em.machine("fs01"))))
        assert done.code == 0, done.everything
        [(name, share)] = em.estate.shares.items()
        swapped = {"C:": "Volume1", "D:": "Volume2"}
        em.configure(backup_servers=[{"name": name, "shares": [str(share)], "volumes": swapped}])
        done = await em.run("run", "plan.json")
        assert done.code == 2, done.everything
        assert "the files of fs01: 7 files of 46 bytes" in done.err
        assert em.restored() == {}
        em.assert_nothing_left()


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]], ids=["drain", "cancel"])
async def test_a_look_that_is_stopped_deletes_its_mounts(tmp_path: Path, signals: list[signal.Signals]) -> None:
    async with flow(tmp_path, seeded(4, 60), browse_extra_latency=0.2) as em:
        look = await em.start("plan", "--deep", em.job())
        await look.until(lambda: em.simulator.mounts_made)
        look.signal(*signals)
        done = await look.done()
        assert done.code == 6, done.everything
        await em.settled()
        em.assert_nothing_left()
        assert em.restored() == {}
        assert (await em.run("resume")).code == 2


async def test_the_mounts_of_a_look_that_was_killed_are_swept_and_nothing_of_it_is_resumed(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(4, 60), browse_extra_latency=0.2) as em:
        look = await em.start("plan", "--deep", em.job())
        await look.until(lambda: em.simulator.open_mounts())
        look.signal(signal.SIGKILL)
        await look.process.communicate()
        refused = await em.run("resume")
        assert refused.code == 2, refused.everything
        assert "there is no unfinished run" in refused.err
        swept = await em.run("sweep")
        assert swept.code == 0, swept.everything
        await em.settled()
        assert em.simulator.open_mounts() == []
        done = await em.run("run", em.job())
        assert done.code == 0, done.everything
        assert len((await em.run("--json", "status")).json) == 1


async def test_no_more_mounts_are_open_at_once_than_may_be(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(6, 60)) as em:
        em.configure(limits={"mounts": 2})
        done = await em.run("plan", "--deep", em.job())
        assert done.code == 0, done.everything
        assert em.simulator.mounts_made == 6
        assert most_at_once(em) <= 2


def most_at_once(em: Flow) -> int:
    """The most mounts that were asked for and not yet deleted."""
    held = most = 0
    for entry in em.requests():
        held += {"mount_post": 1, "mount_delete": -1}.get(entry.route, 0)
        most = max(most, held)
    return most
