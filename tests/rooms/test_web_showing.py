"""The status page beside a watcher: what it knows from the start, and that it ends nothing when it fails."""

from datetime import timedelta
from pathlib import Path

import pytest
from anyio import to_thread

from orchestrator.config import load_config
from orchestrator.config_web import WebSettings
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.events import Event, Notice
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.lifecycle import LeaseState
from orchestrator.journal import Journal, open_journal
from orchestrator.showing import opened_page
from orchestrator.watching import Watch
from tests.support.boards import NOW

CONFIG = """
[enterprise_manager]
url = "https://em:9398"
username = "x"
password_env = "P"
[[backup_servers]]
name = "*"
shares = ["/mnt"]
[targets]
allow = ["/restore"]
"""


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def watcher(tmp_path: Path, told: list[Event]) -> Watch:
    (tmp_path / "config.toml").write_text(CONFIG)
    return Watch(load_config(tmp_path / "config.toml"), told.append)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = open_journal(tmp_path / "state")
    point = RestorePoint("u", "fs01", NOW, "vbr01", "/m", "/m?action=create")
    journal.begin(RunRow("r", "night", RunState.RUNNING, NOW, "{}"))
    journal.write_lease(LeaseRow("l", "r", "g", "s", point, LeaseState.HELD, NOW, mount_href="/m/1"))
    return journal


def test_the_page_begins_with_the_runs_and_the_open_mounts_of_the_journal(watcher: Watch, journal: Journal) -> None:
    with journal, opened_page(WebSettings(), journal, watcher) as page:
        snapshot = page._sources.snapshot()
        assert [(one.job, one.run, one.ended) for one in snapshot.history] == [("night", "r", None)]
        assert [(one.vm, one.href, one.run) for one in snapshot.mounts_left] == [("fs01", "/m/1", "r")]
        watcher.hear(Notice(NOW + timedelta(hours=1), "heard"))
        assert [one.message for one in page._sources.snapshot().recent] == ["heard"]
        assert list(page._sources.ready()) == ["the watcher is not at work"]


async def test_a_page_that_fails_is_told_of_and_ends_nothing(
    watcher: Watch, journal: Journal, told: list[Event]
) -> None:
    with journal:
        opening = opened_page(WebSettings(listen="127.0.0.1:0"), journal, watcher)
        page = await to_thread.run_sync(opening.__enter__)
        assert page._listeners.tcp
        page._listeners.tcp.close()
        await page.serve()
        assert next(one.message for one in told if isinstance(one, Notice)).startswith("the status page has ended, ")
        await to_thread.run_sync(opening.__exit__, None, None, None)


async def test_orders_to_a_watcher_that_has_ended_come_to_nothing(watcher: Watch, journal: Journal) -> None:
    with journal:
        opening = opened_page(WebSettings(), journal, watcher)
        page = await to_thread.run_sync(opening.__enter__)
        actions = page._sources.actions
        assert actions
        assert not await actions.stop_run("r", now=True)
        await actions.pause(True)
        await to_thread.run_sync(opening.__exit__, None, None, None)
