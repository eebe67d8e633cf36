"""Jobs over several workers: real processes, a real PostgreSQL, and Enterprise Manager simulated."""

import os
import signal
from pathlib import Path

import anyio
import psycopg
import pytest

from orchestrator.simulator import Estate
from tests.support.fleet import LEASE, SHORT, done_by, fleet, in_fleet, told, worker
from tests.support.flow import PARTIAL, Command, Flow, flow, seeded, small

pytestmark = [pytest.mark.flow, pytest.mark.timeout(120)]

BIG = 768 << 20
"""Bytes of a file that is copied long enough to be met in the middle; it is all holes at the source."""


def with_a_big_file(folder: Path) -> Estate:
    """Three machines on one backup server; one of them has a file that takes long."""
    estate = small(folder)
    huge = estate.add_machine("big01", points=[{"C:": {"Data/small.txt": b"small", "Data/huge.bin": b""}}])
    file = estate.content(huge.points[0], "C:") / "Data/huge.bin"
    os.truncate(file, BIG)
    os.utime(file, ns=(1_600_000_000_123_456_700, 1_600_000_000_123_456_700))
    return estate


async def until_the_big_file_is_half_copied(em: Flow, running: Command) -> None:
    huge = em.target / "big01/C/Data"
    await running.until(lambda: huge.is_dir() and any(PARTIAL in name for name in os.listdir(huge)))


async def test_a_job_is_restored_by_the_workers_of_a_fleet_and_reported_by_who_submitted_it(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, seeded(8, 200)) as em:
        first, second = await worker(em, "w1", mounts=2), await worker(em, "w2", mounts=2)
        submitted = await em.start("--json", "run", em.job())
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert done_by(first) | done_by(second) == {machine.name for machine in em.estate.machines}
        assert done_by(first)
        assert done_by(second)
        files = sum(one is not None for one in em.expected().values())
        assert done.json["totals"]["restored"] == files
        assert sum(one["totals"]["restored"] for one in submitted.events() if one["event"] == "files_done") == files
        assert len(done.json["groups"]) == len(em.estate.machines)
        run = done.json["run"]
        assert (await em.run("verify", run)).code == 0
        assert run in (await em.run("status")).out
        assert (await em.run("--json", "report", run)).json["totals"] == done.json["totals"]
        assert (await em.run("sweep")).code == 0
        for one in (first, second):
            one.signal(signal.SIGTERM)
            assert (await one.done()).code == 0
        em.assert_nothing_left()


async def test_what_a_killed_worker_had_mounted_is_deleted_under_its_session_and_done_by_another(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, with_a_big_file) as em:
        in_fleet(em, database, SHORT)
        doomed = await worker(em, "doomed")
        submitted = await em.start("--json", "run", em.job())
        await until_the_big_file_is_half_copied(em, submitted)
        doomed.signal(signal.SIGKILL)
        assert not (em.target / "big01/C/Data/huge.bin").exists(), "too late: the file was already whole"
        await doomed.done()
        heir = await worker(em, "heir")
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert told(heir, "a member of the fleet died")
        assert "big01" in done_by(heir)
        heir.signal(signal.SIGTERM)
        assert (await heir.done()).code == 0
        em.assert_nothing_left()


async def test_a_worker_that_only_seemed_dead_writes_nothing_more_and_ends_itself(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, with_a_big_file) as em:
        in_fleet(em, database, SHORT)
        frozen = await worker(em, "frozen")
        submitted = await em.start("--json", "run", em.job())
        await until_the_big_file_is_half_copied(em, submitted)
        frozen.signal(signal.SIGSTOP)
        assert not (em.target / "big01/C/Data/huge.bin").exists(), "too late: the file was already whole"
        heir = await worker(em, "heir")
        done = await submitted.done()
        assert done.code == 0, done.everything
        before = em.restored()
        frozen.signal(signal.SIGCONT)
        ended = await frozen.done()
        assert ended.code == 5, ended.everything
        assert f"not heard of for {SHORT:g} s" in ended.err
        assert em.restored() == before == em.expected()
        heir.signal(signal.SIGTERM)
        assert (await heir.done()).code == 0
        em.assert_nothing_left()


async def test_a_worker_that_is_told_to_stop_hands_back_what_it_has_not_done(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, with_a_big_file) as em:
        leaving = await worker(em, "leaving")
        submitted = await em.start("--json", "run", em.job())
        await until_the_big_file_is_half_copied(em, submitted)
        leaving.signal(signal.SIGTERM, signal.SIGTERM)
        assert (await leaving.done()).code == 0
        staying = await worker(em, "staying")
        done = await submitted.done()
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        assert not told(staying, "a member of the fleet died")
        staying.signal(signal.SIGTERM)
        await staying.done()
        em.assert_nothing_left()


async def test_a_submitter_that_is_stopped_stops_the_workers_and_resume_goes_on(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, with_a_big_file) as em:
        in_fleet(em, database, limits={"bandwidth": "20 MB/s"})
        slow = await worker(em, "slow")
        submitted = await em.start("--json", "run", em.job())
        await until_the_big_file_is_half_copied(em, submitted)
        submitted.signal(signal.SIGINT, signal.SIGINT)
        done = await submitted.done()
        assert done.code == 6, done.everything
        assert em.simulator.open_mounts() == []
        slow.signal(signal.SIGTERM)
        assert (await slow.done()).code == 0
        in_fleet(em, database)
        quick = await worker(em, "quick")
        again = await em.run("--json", "resume")
        assert again.code == 0, again.everything
        assert em.restored() == em.expected()
        quick.signal(signal.SIGTERM)
        assert (await quick.done()).code == 0
        em.assert_nothing_left()


async def test_a_run_that_is_paused_by_who_submitted_it_rests_at_the_workers_until_it_goes_on(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, seeded(4, 60)) as em:
        submitted = await em.start("run", em.job())
        await submitted.event("run_started")
        paused = await em.run("pause", (await submitted.event("run_started"))["run"])
        assert paused.code == 0, paused.everything
        await submitted.until(lambda: any(one["event"] == "run_paused" for one in submitted.events()))
        limited = await em.run("limit", "--mounts", "1", "--bandwidth", "900 MB/s")
        assert limited.code == 0, limited.everything
        await until_it_is_ordered(database)
        first, second = await worker(em, "w1"), await worker(em, "w2")
        for one in (first, second):
            changed = await one.event("limit_changed", what="bandwidth")
            assert (changed["value"], changed["cause"], changed["who"]) == ("900 MB/s", "by hand", "the fleet")
        assert em.simulator.mounts_made == 0
        going = await em.run("unpause", (await submitted.event("run_started"))["run"])
        assert going.code == 0, going.everything
        assert (await submitted.done()).code == 0
        assert em.restored() == em.expected()
        assert em.simulator.peak_mounts() == 1, "the limit that was changed by hand holds over both workers"


async def until_it_is_ordered(database: str) -> None:
    """Who has submitted passes on what is wanted within half a second: the pause, and both limits."""
    async with await psycopg.AsyncConnection.connect(
        database, autocommit=True, options="-c search_path=orchestrator"
    ) as connection:
        while True:
            found = await connection.execute("SELECT paused, jsonb_array_length(by_hand) FROM orders")
            if await found.fetchall() == [(True, 2)]:
                return
            await anyio.sleep(0.02)


async def test_a_unit_that_has_no_place_for_its_mount_after_all_waits_and_its_server_is_blamed_for_nothing(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, seeded(4, 60)) as em:
        crowded = await worker(em, "crowded")
        await anyio.to_thread.run_sync(take_the_seats_away, database)
        done = await em.run("--json", "run", em.job())
        assert done.code == 0, done.everything
        assert em.restored() == em.expected()
        put_off = [one for one in crowded.events() if one["event"] == "group_put_off"]
        assert sorted(one["vm"] for one in put_off) == sorted(2 * [machine.name for machine in em.estate.machines])
        assert all("no place for one more mount" in one["message"] for one in put_off)
        assert not told(crowded, "mounts keep failing")


def take_the_seats_away(database: str) -> None:
    """Whoever is given a unit the first and the second time has no seat for it when it comes to the mount."""
    with psycopg.connect(database, autocommit=True, options="-c search_path=orchestrator") as connection:
        connection.execute("""
            CREATE FUNCTION take_seats() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.seats = jsonb_build_object('all', CASE WHEN NEW.number <= 2 THEN 0 ELSE 20 END);
                RETURN NEW;
            END $$
        """)
        connection.execute("""
            CREATE TRIGGER take_seats BEFORE UPDATE ON units FOR EACH ROW WHEN (NEW.state = 'taken')
            EXECUTE FUNCTION take_seats()
        """)


async def test_a_unit_goes_to_the_site_of_its_backup_server_and_falls_back_when_nobody_is_there(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, seeded(6, 60, backup_servers=2)) as em:
        shares = list(em.estate.shares.items())
        servers = [
            {"name": name, "shares": [str(at)], "site": site, "fall_back_sites": more}
            for (name, at), (site, more) in zip(shares, [("berlin", []), ("munich", ["berlin"])], strict=True)
        ]
        in_fleet(em, database, backup_servers=servers)
        berlin, munich = await worker(em, "b1", "--site", "berlin"), await worker(em, "m1", "--site", "munich")
        assert (await em.run("run", em.job())).code == 0
        of = {name: {one.name for one in em.estate.machines if one.backup_server == name} for name, _ in shares}
        assert done_by(berlin) == of[shares[0][0]]
        assert done_by(munich) == of[shares[1][0]]
        munich.signal(signal.SIGTERM)
        await munich.done()
        assert (await em.run("run", em.job(name="again", on_conflict="overwrite"))).code == 0
        assert done_by(berlin) == of[shares[0][0]] | of[shares[1][0]]


async def test_a_worker_that_cannot_reach_a_share_says_so_and_another_does_the_work(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, small) as em:
        [name] = em.estate.shares
        in_fleet(em, database, backup_servers=[{"name": name, "shares": [str(tmp_path / "not there")]}])
        blind = await worker(em, "blind")
        in_fleet(em, database)
        submitted = await em.start("run", em.job())
        stuck = await submitted.event("groups_stuck", groups=2)
        assert "blind refuses" in stuck["why"][0]
        standing = (await em.run("--json", "fleet", "status")).json
        assert standing["waiting"] == {"machines": 2, "stuck": [{"machines": 2, "why": stuck["why"][0]}]}
        assert any("not there" in one["message"] for one in submitted.events() if one["event"] == "notice")
        seeing = await worker(em, "seeing")
        assert (await submitted.done()).code == 0
        assert em.restored() == em.expected()
        assert done_by(blind) == set()
        assert len(done_by(seeing)) == 2


async def test_who_submits_is_told_that_no_worker_serves(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, small) as em:
        submitted = await em.start("run", em.job())
        stuck = await submitted.event("groups_stuck")
        assert stuck["why"] == ["no worker is serving; start one: orchestrator worker"]
        assert "nobody can take 2 of them: no worker is serving" in (await em.run("fleet", "status")).out
        submitted.signal(signal.SIGINT)
        assert (await submitted.done()).code == 6
        em.assert_untouched()


async def test_what_no_worker_comes_for_in_time_fails_with_its_reason_and_is_done_when_one_is_there(
    tmp_path: Path, database: str
) -> None:
    async with fleet(tmp_path, database, seeded(4, 60, backup_servers=2)) as em:
        shares = list(em.estate.shares.items())
        servers = [
            {"name": name, "shares": [str(at)], "site": site}
            for (name, at), site in zip(shares, ["berlin", "bonn"], strict=True)
        ]
        patience = {"dsn": database, "heartbeat": 0.5, "lease": LEASE, "worker_timeout": 0.5}
        em.configure(fleet=patience, backup_servers=servers)
        berlin = await worker(em, "b1", "--site", "berlin")
        done = await em.run("--json", "run", em.job())
        assert done.code == 4, done.everything
        in_bonn = {one.name for one in em.estate.machines if one.backup_server == shares[1][0]}
        assert {one["vm"] for one in done.json["groups"] if one["state"] == "failed"} == in_bonn
        assert set(done.json["problems_by_reason"]) == {"no-worker"}
        said = [one["message"] for one in done.json["groups"] if one["state"] == "failed"]
        assert all("no worker of bonn is serving; start one: orchestrator worker --site bonn" in one for one in said)
        assert not done_by(berlin) & in_bonn
        bonn = await worker(em, "b2", "--site", "bonn")
        again = await em.run("--json", "resume", done.json["run"])
        assert again.code == 0, again.everything
        assert done_by(bonn) == in_bonn
        assert em.restored() == em.expected()


async def test_two_workers_of_one_name_are_one_too_many(tmp_path: Path, database: str) -> None:
    async with fleet(tmp_path, database, small) as em:
        await worker(em, "twin")
        em.configure(fleet={"dsn": database}, state={"folder": "elsewhere"})
        second = await em.run("worker", "--name", "twin")
        assert second.code == 2, second.everything
        assert "a worker named twin is serving already" in second.err.lower()
        status = await em.run("--json", "fleet", "status")
        assert [(one["name"], one["state"]) for one in status.json["members"]] == [("twin", "serving")]
        assert [(one["site"], one["workers"]) for one in status.json["sites"]] == [("", 1)]
        assert "twin" in (await em.run("fleet", "status")).out


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({}, 2, "fleet.dsn"),
        ({"dsn": "postgresql://me:geheim@127.0.0.1/x"}, 2, "must hold no password"),
        ({"dsn": "postgresql://me@127.0.0.1:1/x", "patience": 0.1}, 5, "127.0.0.1"),
    ],
)
async def test_a_worker_without_its_database_says_why_in_plain_words(
    settings: dict[str, object], code: int, words: str, tmp_path: Path
) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(fleet=settings)
        for command in (["worker", "--name", "w"], ["fleet", "status"]):
            done = await em.run(*command)
            assert done.code == code, done.everything
            assert words in done.err
            assert "geheim" not in done.everything
        em.assert_untouched()
