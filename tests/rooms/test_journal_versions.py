"""Journals of earlier versions: what operators have on their disks is read, gone on with and swept."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.journal.migrate import KNOWN, STEPS, migrate
from orchestrator.journal.queries import SCHEMA

JOURNALS = Path(__file__).parent / "journals"
OLD = sorted(int(file.stem[1:]) for file in JOURNALS.glob("v*.sql"))


def schema_of(connection: sqlite3.Connection) -> dict[str, str]:
    """The statement of every table and index by name, without comments and with one kind of space."""
    statements = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: normalised(sql) for name, sql in statements}


def normalised(sql: str) -> str:
    return re.sub(r"\s*([(),;])\s*", r"\1", " ".join(re.sub(r"--[^\n]*", "", sql).split()))


@pytest.fixture
def memory() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def test_every_earlier_version_is_frozen_here_and_has_a_step_that_leads_on() -> None:
    assert [*range(1, KNOWN)] == OLD
    assert [*range(2, KNOWN + 1)] == sorted(STEPS)


@pytest.mark.parametrize("version", OLD)
def test_a_journal_that_was_brought_up_to_date_has_the_schema_of_a_new_one(
    memory: sqlite3.Connection, version: int
) -> None:
    memory.executescript((JOURNALS / f"v{version}.sql").read_text("utf-8"))
    migrate(memory, Path("state"))
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(SCHEMA)
        assert schema_of(memory) == schema_of(new)
