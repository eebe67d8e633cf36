"""Exit codes 5, 6 and 7: state folders, signals, kills, and mounts that will not go."""

import asyncio
import fcntl
import os
import re
import signal
import sqlite3
from pathlib import Path

import pytest

from orchestrator.simulator import Delay, Estate, Fault, Hang, HeldTask, SlowTask, Status
from tests.support.flow import PARTIAL, Command, Flow, flow, seeded, small

pytestmark = pytest.mark.flow

BIG = 192 << 20
"""Bytes of a file that is copied long enough to be met in the middle; it is all holes at the source."""


def with_a_big_file(folder: Path) -> Estate:
    """Three machines on one backup server; one of them has a file that takes long."""
    estate = small(folder)
    huge = estate.add_machine("big01", points=[{"C:": {"Data/small.txt": b"small", "Data/huge.bin": b""}}])
    file = estate.content(huge.points[0], "C:") / "Data/huge.bin"
    os.truncate(file, BIG)
    os.utime(file, ns=(1_600_000_000_123_456_700, 1_600_000_000_123_456_700))
    return estate


async def in_the_middle_of_the_big_file(em: Flow, *words: str) -> Command:
    """A run that is stopped by SIGSTOP, so that nothing hurries the test, with a half-copied file."""
    running = await em.start(*words)
    huge = em.target / "big01/C/Data"
    await running.until(lambda: huge.is_dir() and any(PARTIAL in name for name in os.listdir(huge)))
    running.signal(signal.SIGSTOP)
    assert not (huge / "huge.bin").exists(), "too late: the file was already whole"
    return running


async def test_a_state_folder_that_is_a_file_ends_with_5(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.state.write_text("not a folder")
        done = await em.run("run", em.job())
        assert done.code == 5, done.everything
        assert str(em.state) in done.err
        em.assert_untouched()


async def test_a_damaged_journal_ends_with_5_and_stays_as_it_is(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        assert (await em.run("run", em.job())).code == 0
        [journal] = em.state.glob("*.db")
        journal.write_bytes(b"Not a database at all. " * 4096)
        made = em.simulator.mounts_made
        for words in (["run", "job.toml"], ["status"]):
            done = await em.run(*words)
            assert done.code == 5, done.everything
            assert journal.name in done.err
            assert "move it away" in done.err
        assert em.simulator.mounts_made == made
        assert journal.read_bytes().startswith(b"Not a database")


def said(command: Command, what: str) -> bool:
    """Whether a notice of it holds these words."""
    return any(one["event"] == "notice" and what in one["message"] for one in command.events())


def halt(em: Flow, command: Command) -> None:
    """Stop a process where it is, but not while it writes the audit trail: whoever comes then waits for that."""
    with (em.state / "audit" / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command.signal(signal.SIGSTOP)


async def test_a_second_orchestrator_on_the_same_state_folder_ends_with_5_and_the_first_goes_on(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        first = await em.start("run", em.job())
        await first.event("mount_opened")
        halt(em, first)
        for words in (["run", "job.toml"], ["resume"], ["sweep"]):
            second = await em.run(*words)
            assert second.code == 5, second.everything
            assert f"process {first.process.pid}" in second.err
            assert "orchestrator stop" in second.err
        assert em.count("logon") == 1
        first.signal(signal.SIGCONT)
        assert (await first.done()).code == 0
        assert em.restored() == em.expected()
        em.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_drains_and_resume_completes(tmp_path: Path, number: signal.Signals) -> None:
    async with flow(tmp_path, seeded(machines=6, files=300, backup_servers=1)) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.event("files_located")
        running.signal(number)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert [one["how"] for one in running.events() if one["event"] == "stopping"] == ["drain"]
        assert "orchestrator resume" in stopped.everything
        em.assert_nothing_left()
        assert em.simulator.mounts_made < 6
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        assert em.restored() == em.expected()
        em.assert_nothing_left()
        assert em.simulator.peak_mounts() == 1
        nothing = await em.run("resume")
        assert nothing.code == 2
        assert "no unfinished run" in nothing.err


async def test_a_resumed_run_keeps_its_kind_of_checksum_when_the_config_has_changed(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=6, files=300, backup_servers=1)) as em:
        em.configure(limits={"mounts": 1}, copy={"checksum": "sha256"})
        running = await em.start("run", em.job())
        await running.event("group_ended")
        running.signal(signal.SIGINT)
        assert (await running.done()).code == 6
        em.configure(copy={"checksum": "blake3"})
        resumed = await em.run("--json", "resume")
        assert resumed.code == 0, resumed.everything
        assert Path(resumed.json["files"]["manifest"]).name == "manifest.sha256"
        verified = await em.run("--json", "verify", resumed.json["run"])
        assert verified.json == {
            "files": resumed.json["totals"]["restored"],
            "bytes": resumed.json["totals"]["bytes"],
            "differences": [],
            "compared": "content",
        }


async def test_a_resumed_run_says_how_much_of_it_was_done_before(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=4, files=100, backup_servers=1), task_seconds=0.2) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.event("group_ended", state="done")
        running.signal(signal.SIGTERM)
        assert (await running.done()).code == 6
        through = [one for one in running.events() if one["event"] == "group_ended" and one["state"] == "done"]
        resuming = await em.start("resume")
        begun = await resuming.event("run_started")
        assert (begun["groups"], begun["done"], begun["resumed"]) == (4, len(through), True)
        assert (await resuming.done()).code == 0


@pytest.mark.parametrize("signals", [1, 2])
async def test_a_stop_while_a_mount_is_being_made_says_what_it_waits_for(tmp_path: Path, signals: int) -> None:
    go = asyncio.Event()
    late = Fault("mounts_list", action=Delay(0.2))  # fs01 comes first, and is asked to be mounted last
    async with flow(tmp_path, small, late, Fault("mount_post", action=HeldTask(go), times=2)) as em:
        running = await em.start("run", em.job())
        await running.until(lambda: em.count("mount_post") == 2)
        for how in ("drain", "cancel")[:signals]:
            running.signal(signal.SIGINT)
            await running.event("stopping", how=how)
        await running.until(lambda: said(running, "may still be mounting" if signals == 2 else "the stop waits for"))
        go.set()
        done = await running.done()
        assert done.code == 6, done.everything
        assert "the stop waits for Enterprise Manager to mount fs01, lx01, and deletes it then" in done.err
        assert "after 30 s (limits.grace) or at a second request files in flight are given up" in done.err
        told = re.search(r"may still be mounting fs01: that is waited for, [0-9]+ s at most \(limits.unmount", done.err)
        assert bool(told) == (signals == 2)
        em.assert_nothing_left()


@pytest.mark.parametrize("route", ["logon", "query"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_is_enough_while_enterprise_manager_keeps_the_plan_waiting(
    tmp_path: Path, route: str, number: signal.Signals
) -> None:
    async with flow(tmp_path, small, Fault(route, action=Hang())) as em:
        running = await em.start("run", em.job())
        await running.until(lambda: em.count(route))
        running.signal(number)
        done = await running.done()
        assert done.code == 6, done.everything
        assert "before anything was mounted or written" in done.err
        em.assert_untouched()
        assert (await em.run("run", "job.toml")).code == 0
        assert em.restored() == em.expected()


async def test_a_drain_finishes_the_file_in_flight(tmp_path: Path) -> None:
    async with flow(tmp_path, with_a_big_file) as em:
        em.configure(limits={"mounts": 1})
        running = await in_the_middle_of_the_big_file(em, "run", em.job())
        running.signal(signal.SIGINT, signal.SIGCONT)
        stopped = await running.done()
        assert stopped.code in (0, 6), stopped.everything
        assert em.restored()["big01/C/Data/huge.bin"] == em.expected(em.machine("big01"))["big01/C/Data/huge.bin"]
        em.assert_nothing_left()


async def test_two_signals_give_up_the_file_in_flight_and_resume_completes(tmp_path: Path) -> None:
    async with flow(tmp_path, with_a_big_file) as em:
        running = await in_the_middle_of_the_big_file(em, "run", em.job())
        running.signal(signal.SIGINT, signal.SIGTERM, signal.SIGCONT)
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert [one["how"] for one in running.events() if one["event"] == "stopping"] == ["drain", "cancel"]
        assert not (em.target / "big01/C/Data/huge.bin").exists()
        em.assert_nothing_left()
        assert (await em.run("resume")).code == 0
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_two_signals_while_a_mount_is_being_made_leave_none(tmp_path: Path) -> None:
    go = asyncio.Event()
    async with flow(tmp_path, small, Fault("mount_post", action=HeldTask(go))) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.until(lambda: em.count("mount_post"))
        running.signal(signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT)
        await running.event("stopping", how="cancel")
        go.set()
        stopped = await running.done()
        assert stopped.code == 6, stopped.everything
        assert em.simulator.mounts_made == 1
        em.assert_nothing_left()
        assert em.restored() == {}
        assert (await em.run("resume")).code == 0
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_after_a_kill_in_the_middle_of_copying_resume_sweeps_and_completes(tmp_path: Path) -> None:
    async with flow(tmp_path, with_a_big_file) as em:
        running = await in_the_middle_of_the_big_file(em, "run", em.job())
        running.signal(signal.SIGKILL)
        assert (await running.done()).code == -signal.SIGKILL
        left = [(one.machine, one.session) for one in em.simulator.open_mounts()]
        assert ("big01", "session-1") in left
        assert [one.label for one in em.simulator.open_sessions()] == ["session-1"]
        assert any(PARTIAL in path for path in em.restored())
        assert _sessions(em) == 1
        em.simulator.log.clear()
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        swept = [(entry.route, entry.status) for entry in em.requests() if entry.session == "session-1"]
        assert swept.count(("mount_delete", 204)) == len(left)
        assert swept[-1] == ("logoff", 204)
        assert em.restored() == em.expected()
        em.assert_nothing_left()
        assert _sessions(em) == 0
        assert "left 0" in resumed.out.rstrip().splitlines()[-1]


async def test_after_a_kill_while_a_mount_is_being_made_resume_waits_for_it_and_deletes_it(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("mount_post", action=SlowTask(1.5))) as em:
        em.configure(limits={"mounts": 1})
        running = await em.start("run", em.job())
        await running.until(lambda: em.count("mount_post"))
        running.signal(signal.SIGKILL)
        await running.done()
        resumed = await em.run("resume")
        assert resumed.code == 0, resumed.everything
        assert em.simulator.mounts_made == 3
        assert em.restored() == em.expected()
        em.assert_nothing_left()


async def test_after_a_kill_a_new_run_sweeps_before_it_mounts(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        running = await em.start("run", em.job())
        await running.event("mount_opened")
        running.signal(signal.SIGKILL)
        await running.done()
        em.simulator.log.clear()
        assert (await em.run("run", "job.toml")).code == 0
        routes = [entry.route for entry in em.requests()]
        assert routes.index("mount_delete") < routes.index("mount_post")
        assert em.restored() == em.expected()
        em.assert_nothing_left()


def _sessions(em: Flow) -> int:
    """How many sealed sessions the journal holds."""
    [file] = em.state.glob("*.db")
    with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as connection:
        count = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
    connection.close()
    return int(count)


@pytest.mark.parametrize("action", [Status(500), Hang()])
async def test_a_mount_that_cannot_be_deleted_ends_with_7_until_it_is_swept(
    tmp_path: Path, action: Status | Hang
) -> None:
    async with flow(tmp_path, small, Fault("mount_delete", action=action, times=10_000)) as em:
        em.configure(limits={"unmount_timeout": 0.5})
        done = await em.run("run", em.job(em_entry(em)))
        assert done.code == 7, done.everything
        assert done.out.rstrip().splitlines()[-1] == "mounts opened 1, deleted 0, left 1"
        assert "orchestrator sweep" in done.out
        [left] = em.report()["mounts_left"]
        uid = em.machine("fs01").points[-1].uid
        assert (left["vm"], left["restore_point"].endswith(uid), left["backup_server"]) == ("fs01", True, "vbr01")
        assert left["href"].endswith(f"/{uid}/mounts/1")
        assert left["folder"] == em.simulator.open_mounts()[0].folder
        assert em.restored() == em.expected(em.machine("fs01"))
        still = await em.run("sweep", "--within", "0.1")
        assert still.code == 7, still.everything
        assert "fs01" in still.out
        em.lift_faults()
        em.configure()
        swept = await em.run("--json", "sweep")
        assert swept.code == 0, swept.everything
        assert swept.json == {"cleared": 1, "mounts_left": []}
        em.assert_nothing_left()
        assert _sessions(em) == 0


def em_entry(em: Flow) -> dict[str, object]:
    return {"vm": "fs01", "paths": ["C:\\", "D:\\"]}


async def test_sweep_with_nothing_to_do_says_so(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("sweep")
        assert (done.code, done.out) == (0, "mounts cleared 0, left 0\n")
        em.assert_untouched()
