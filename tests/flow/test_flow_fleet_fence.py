"""What must not go wrong when the members of a fleet die, come back, or do the same thing twice."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Drop, Estate, Fault, Hang, HeldTask, Status
from tests.flow.test_flow_fleet import until_the_big_file_is_half_copied
from tests.flow.test_flow_original import ACCOUNT, FINANCE, PLAN, SECRET, TOP, guest
from tests.flow.test_flow_original import told as told_of
from tests.support.fleet import SHORT, fleet, in_fleet, told, worker
from tests.support.flow import Command, Flow, entry_of, small
from tests.support.lossy import lossy_way

pytestmark = [pytest.mark.flow, pytest.mark.timeout(120)]


def with_a_slow_file(folder: Path) -> Estate:
    """Three machines on one backup server; one of them has a file that takes a while at a low bandwidth."""
    estate = small(folder)
    big = estate.add_machine("big01", points=[{"C:": {"Data/small.txt": b"small", "Data/huge.bin": b""}}])
    file = estate.content(big.points[0], "C:") / "Data/huge.bin"
    os.truncate(file, 48 << 20)
    os.utime(file, ns=(1_600_000_000_123_456_700, 1_600_000_000_123_456_700))
    return estate


def original(em: Flow, *paths: str, **more: Any) -> str:
    """A job that has Enterprise Manager put paths of fs01 back into the machine."""
    return em.job({"vm": "fs01", "paths": list(paths), "road": "original", **more}, to=None)


SLOWLY: dict[str, Any] = {"limits": {"bandwidth": "8 MB/s"}}
"""Six seconds for the file of `with_a_slow_file`."""

GUESTS: dict[str, Any] = {"targets": {"guests": ["fs01"]}, "guest_credentials": [ACCOUNT]}


def said_stuck(command: Command, *words: str) -> bool:
    """Whether a process has told that nobody can take a group, with all these words."""
    told_of = (" ".join(one["why"]) for one in command.events() if one["event"] == "groups_stuck")
    return any(all(word in why for word in words) for why in told_of)


async def test_a_guest_restore_of_a_killed_worker_is_followed_by_its_heir_and_asked_for_once(
    tmp_path: Path, database: str
) -> None:
    go = asyncio.Event()
    async with fleet(tmp_path, database, small, Fault("browse_action", 2, HeldTask(go))) as em:
        in_fleet(em, database, SHORT, **GUESTS)
        doomed = await worker(em, "doomed")
        submitted = await em.start("--json", "run", original(em, TOP, PLAN, FINANCE))
        await submitted.event("original_asked", guest_path=PLAN)
        await submitted.until(lambda: em.requests()[-1].route == "task")
        in_fleet(em, database, SHORT, state={"folder": "elsewhere"}, **GUESTS)
        swept = await em.run("sweep")
        assert swept.code == 0, swept.everything
        in_fleet(em, database, SHORT, **GUESTS)
        assert len(em.simulator.open_mounts()) == 1, "it is a living worker's"
        doomed.signal(signal.SIGKILL)
        await doomed.done()
        heir, asked = await worker(em, "heir"), em.count("task")
        await submitted.until(lambda: em.count("task") > asked + 2)
        assert len(em.simulator.open_mounts()) == 1, "a mount is not deleted under a restore"
        go.set()
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.count("browse_action") == 3
        assert {path: one[0] for path, one in told_of(em).items()} == dict.fromkeys((TOP, PLAN, FINANCE), "restored")
        assert {one.name for one in (guest(em) / "Shares").iterdir()} == {"plan.txt", "Finance"}
        heir.signal(signal.SIGTERM)
        assert (await heir.done()).code == 0
        em.assert_nothing_left()


async def test_a_worker_that_may_not_or_cannot_restore_into_a_guest_says_so_and_another_does(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, small, guest_credentials=("fs01\\restore", SECRET)) as em:
        in_fleet(em, database, **GUESTS)
        bare = await worker(em, "bare")
        in_fleet(em, database, targets={"guests": ["db*"]}, guest_credentials=[ACCOUNT])
        strange = await worker(em, "strange")
        in_fleet(em, database, **GUESTS)
        entries = [{"vm": "fs01", "paths": [path], "road": "original"} for path in (TOP, PLAN)]
        job = em.job(entries[0], {**entries[1], "guest_credentials": "fs"}, to=None)
        submitted = await em.start("--json", "run", job, env={"GUEST_PASSWORD": SECRET})
        await submitted.until(lambda: said_stuck(submitted, "strange refuses", "GUEST_PASSWORD is not set"))
        able = await worker(em, "able", env={"GUEST_PASSWORD": SECRET})
        done = await submitted.done()
        assert done.code == 3, "one entry has no account, which this guest wants"
        assert told_of(em)[PLAN][0] == "restored"
        for one in (bare, strange, able):
            one.signal(signal.SIGTERM)
            assert (await one.done()).code == 0
        assert not any(SECRET in text for text in em.said)
        em.assert_nothing_left()


async def test_a_worker_whose_way_to_the_database_is_cut_stops_writing_and_deletes_its_mounts(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, with_a_slow_file) as em:
        server, _, rest = database.partition("127.0.0.1:")
        port, _, name = rest.partition("/")
        with lossy_way(int(port)) as way:
            in_fleet(em, f"{server}127.0.0.1:{way.port}/{name}", SHORT, **SLOWLY)
            cut = await worker(em, "cut")
            in_fleet(em, database, SHORT)
            submitted = await em.start("--json", "run", em.job())
            await until_the_big_file_is_half_copied(em, submitted)
        ended = await cut.done()
        assert ended.code == 5, ended.everything
        assert em.simulator.open_mounts() == [], "nobody else was there who could delete them"
        assert not (em.target / "big01/C/Data/huge.bin").exists()
        heir = await worker(em, "heir")
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        heir.signal(signal.SIGTERM)
        assert (await heir.done()).code == 0
        em.assert_nothing_left()


async def test_a_worker_that_has_lost_a_session_serves_on_when_the_run_is_over(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, with_a_slow_file) as em:
        in_fleet(em, database, **SLOWLY)
        one = await worker(em, "one")
        submitted = await em.start("--json", "run", em.job())
        await until_the_big_file_is_half_copied(em, submitted)
        await em.simulator.end_session()
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        again = await em.run("run", em.job(name="again"))
        assert again.code == 0, again.everything
        one.signal(signal.SIGTERM)
        assert (await one.done()).code == 0


async def test_a_run_is_not_undone_while_workers_may_go_on_with_it(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, small) as em:
        submitted = await em.start("run", em.job())
        run = (await submitted.event("run_started"))["run"]
        await submitted.until(lambda: said_stuck(submitted, "no worker is serving"))
        submitted.signal(signal.SIGKILL)
        await submitted.done()
        undone = await em.run("undo", run)
        assert undone.code == 5, undone.everything
        assert f"2 machine(s) of {run} are with workers" in " ".join(undone.err.split())
        assert (await em.run("undo", run, "--dry-run")).code == 0


async def test_a_run_is_resumed_while_workers_go_on_with_it_and_its_events_add_up(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, with_a_slow_file) as em:
        in_fleet(em, database, SHORT, **SLOWLY)
        one = await worker(em, "one")
        submitted = await em.start("run", em.job())
        await until_the_big_file_is_half_copied(em, submitted)
        submitted.signal(signal.SIGKILL)
        await submitted.done()
        resumed = await em.start("--json", "resume")
        done = await resumed.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        files = sum(found is not None for found in em.expected().values())
        assert done.json["totals"]["restored"] == files
        assert sum(found["totals"]["restored"] for found in resumed.events() if found["event"] == "files_done") == files
        one.signal(signal.SIGTERM)
        assert (await one.done()).code == 0
        em.assert_nothing_left()


async def test_a_mount_that_the_heir_cannot_delete_is_told_as_left_and_can_be_swept(
    tmp_path: Path, database: str
) -> None:
    refusing = Fault("mount_delete", action=Status(500), times=10_000)
    async with fleet(tmp_path, database, with_a_slow_file, refusing) as em:
        in_fleet(em, database, SHORT, limits={"unmount_timeout": 0.5, "bandwidth": "8 MB/s"})
        doomed = await worker(em, "doomed")
        submitted = await em.start("--json", "run", em.job(entry_of(em.machine("big01"))))
        await until_the_big_file_is_half_copied(em, submitted)
        doomed.signal(signal.SIGKILL)
        await doomed.done()
        in_fleet(em, database, limits={"unmount_timeout": 0.5})
        heir = await worker(em, "heir")
        await heir.until(lambda: told(heir, "0 of its mounts deleted, 1 left"))
        em.lift_faults()
        done = await submitted.done()
        assert done.code == 7, done.everything
        assert [one["vm"] for one in done.json["mounts_left"]] == ["big01"]
        assert em.restored() == em.expected(em.machine("big01"))
        swept = await em.run("--json", "sweep")
        assert swept.code == 0, swept.everything
        assert swept.json["cleared"] == 1
        heir.signal(signal.SIGTERM)
        assert (await heir.done()).code == 0
        em.assert_nothing_left()


async def test_a_mount_that_was_made_and_told_nobody_is_found_by_the_heir(tmp_path: Path, database: str) -> None:
    faults = Fault("mount_post", action=Drop(after=True)), Fault("tasks", action=Hang())
    async with fleet(tmp_path, database, small, *faults) as em:
        in_fleet(em, database, SHORT)
        doomed = await worker(em, "doomed")
        submitted = await em.start("--json", "run", em.job(entry_of(em.machine("fs01"))))
        await submitted.until(lambda: not em.simulator.unfired())
        doomed.signal(signal.SIGKILL)
        await doomed.done()
        await submitted.until(em.simulator.open_mounts)
        heir = await worker(em, "heir")
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected(em.machine("fs01"))
        assert em.simulator.mounts_made == 2
        heir.signal(signal.SIGTERM)
        assert (await heir.done()).code == 0
        em.assert_nothing_left()


async def test_an_heir_with_another_account_leaves_the_mounts_to_one_that_can_delete_them(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, with_a_slow_file) as em:
        in_fleet(em, database, SHORT, **SLOWLY)
        doomed = await worker(em, "doomed")
        submitted = await em.start("--json", "run", em.job(entry_of(em.machine("big01"))))
        await until_the_big_file_is_half_copied(em, submitted)
        account = em.simulator.settings.username.swapcase()
        em.configure(enterprise_manager={"username": account}, fleet={"dsn": database, "heartbeat": 0.2, "lease": 20})
        odd = await worker(em, "odd", mounts=1)
        em.configure(fleet={"dsn": database, "heartbeat": 2, "lease": 20})
        able = await worker(em, "able")
        doomed.signal(signal.SIGKILL)
        await doomed.done()
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert told(able, "1 of its mounts deleted, 0 left")
        assert not told(odd, "a member of the fleet died")
        for one in (odd, able):
            one.signal(signal.SIGTERM)
            assert (await one.done()).code == 0
        em.assert_nothing_left()
