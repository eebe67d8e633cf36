"""A new version of the program meets the journal of an old one, and the other way round."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.flow import Flow, flow, small

pytestmark = pytest.mark.flow

FROZEN = Path(__file__).parent.parent / "rooms" / "journals" / "v1.sql"


def turn_back_to_version_1(journal: Path) -> None:
    """The same rows in the tables that version 1 made."""
    now = journal.with_name("now.db")
    for end in ("", "-wal", "-shm"):
        if os.path.exists(f"{journal}{end}"):
            os.rename(f"{journal}{end}", f"{now}{end}")
    with closing(sqlite3.connect(journal, isolation_level=None)) as old:
        old.executescript(FROZEN.read_text("utf-8"))
        old.execute("PRAGMA journal_mode = WAL")
        old.execute("ATTACH ? AS now", [str(now)])
        for table in ("outcomes", "groups", "leases", "sessions", "runs"):
            columns = ", ".join(row[1] for row in old.execute(f"PRAGMA table_info({table})"))
            old.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
            old.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM now.{table}")  # noqa: S608 - the same
    for file in now.parent.glob("now.db*"):
        file.unlink()


async def dead_under_version_1(em: Flow) -> None:
    """A run that version 1 began, and that was killed with a mount open."""
    running = await em.start("run", em.job())
    await running.event("mount_opened")
    running.signal(signal.SIGKILL)
    await running.done()
    turn_back_to_version_1(em.state / "journal.db")
    assert em.simulator.open_mounts() != []


async def test_a_run_that_died_under_an_old_version_is_resumed(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await dead_under_version_1(em)
        resumed = await em.run("--json", "resume")
        assert resumed.code == 0, resumed.everything
        assert em.restored() == em.expected()
        em.assert_nothing_left()
        assert (await em.run("verify", resumed.json["run"])).out.endswith("; 0 differ\n")


async def test_the_advice_for_an_old_journal_helps(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await dead_under_version_1(em)
        outdated = await em.run("status")
        assert outdated.code == 5, outdated.everything
        assert outdated.err.startswith("error: The journal in ")
        assert "`orchestrator sweep`" in outdated.err
        swept = await em.run("--json", "sweep")
        assert (swept.code, swept.json["mounts_left"]) == (0, []), swept.everything
        em.assert_nothing_left()
        status = await em.run("--json", "status")
        assert [(run["job"], run["state"]) for run in status.json] == [("job", "running")]


async def test_the_advice_for_an_old_journal_helps_while_enterprise_manager_is_away(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await dead_under_version_1(em)
        em.configure(enterprise_manager={"url": "https://127.0.0.1:9", "retry_for": 0.1})
        assert (await em.run("sweep")).code == 4
        assert (await em.run("status")).code == 0


async def test_a_journal_of_a_newer_version_is_refused_plainly_and_nothing_is_mounted(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        assert (await em.run("run", em.job())).code == 0
        with closing(sqlite3.connect(em.state / "journal.db")) as journal:
            journal.execute("PRAGMA user_version = 99")
        em.simulator.log.clear()
        for words in (["run", "job.toml"], ["resume"], ["sweep"], ["status"]):
            refused = await em.run(*words)
            assert refused.code == 5, refused.everything
            assert "has schema 99" in refused.err
            assert "Use the version of orchestrator that wrote it, or a newer one" in refused.err
        assert em.requests() == []
