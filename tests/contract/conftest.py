"""Every port's suite runs on the fake and on the real thing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.journal import Journal, open_journal
from tests.support.fakes import MemoryJournal


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal | MemoryJournal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    with open_journal(tmp_path / "state") as opened:
        yield opened
