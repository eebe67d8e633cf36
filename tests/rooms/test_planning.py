"""A plan is made while everything else in the process goes on."""

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
from anyio import from_thread

from orchestrator.config import Config
from orchestrator.core.catalog import Question, RestorePoint
from orchestrator.enterprise_manager import Client
from orchestrator.listing import NamedJob
from orchestrator.planning import find_plan
from tests.core.values import job, point


class Knowing:
    """Knows one restore point."""

    async def find_all(self, questions: Iterable[Question]) -> list[RestorePoint]:
        return [point("fs01")]


class Beating(dict[str, float]):
    """A history that has the event loop do something before it answers, as a heartbeat would have to be sent. On the
    loop itself that is refused, because the loop then waits for the plan."""

    beats = 0

    def get(self, vm: str, default: float = 0.0) -> float:  # type: ignore[override]  # asked for numbers only
        from_thread.run_sync(self._beat)
        return default

    def _beat(self) -> None:
        self.beats += 1


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "x", "password_env": "PASSWORD"},
            "backup_servers": [{"name": "*", "shares": [str(tmp_path)]}],
            "targets": {"allow": ["/restore"]},
        }
    )


@pytest.fixture
def named(tmp_path: Path) -> NamedJob:
    (tmp_path / "found.txt").write_text("".join(f"D:\\Data\\{number}\n" for number in range(2000)))
    return NamedJob(job({"vm": "fs01", "paths_from": "found.txt"}), "job.toml", b"", tmp_path)


async def test_heartbeats_are_sent_while_a_long_list_of_paths_is_planned(config: Config, named: NamedJob) -> None:
    history = Beating(fs01=60.0)
    plan = await find_plan(cast("Client", Knowing()), config, named, "r1", history)
    [group] = plan.groups
    assert len(group.selections[0].paths) == 2001
    assert history.beats
