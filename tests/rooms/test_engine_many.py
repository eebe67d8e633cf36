"""What the engine keeps of very many files and folders, and the journal's way of writing many rows at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.entries import Entry, EntryKind, Outcome, Verdict
from orchestrator.core.fidelity import Metadata, Wishes
from orchestrator.core.ledger import RunRow, RunState, Totals
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.engine.finishing import PACKED_AT, Folders
from orchestrator.engine.walking import Work
from orchestrator.journal import open_journal
from orchestrator.journal.store import ROWS_AT_ONCE


@pytest.mark.parametrize("count", [0, 1, PACKED_AT - 1, PACKED_AT, 2 * PACKED_AT + 3])
def test_folders_come_back_as_they_were_the_last_one_first(count: int) -> None:
    names = [f"Büro \udcff\n{number}" for number in range(count)]
    kept = [
        Work(
            Entry(name, EntryKind.FOLDER, 0, 10**18 + 1, 0o750),
            SourcePath(f"/share/Volume{number % 2}", name),
            "",
            TargetPath("/to", f"C/{name}"),
            Wishes(Metadata.FULL if number % 3 else Metadata.BASIC),
        )
        for number, name in enumerate(names)
    ]
    folders = Folders()
    for work in kept:
        folders.add(work)
    assert list(reversed(folders)) == kept[::-1]


@pytest.mark.parametrize("count", [1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1])
def test_a_batch_of_any_size_is_written_as_its_rows_one_by_one_would_be(tmp_path: Path, count: int) -> None:
    restored = [
        Outcome("g", f"C:\\\udcff{number}", f"/to/{number}", Verdict.RESTORED, number, 7, "ab")
        for number in range(count)
    ]
    again = [Outcome("g", one.guest_path, "", Verdict.FAILED) for one in restored]
    with open_journal(tmp_path) as journal:
        journal.begin(RunRow("r", "j", RunState.RUNNING, datetime(2026, 11, 20, tzinfo=UTC), "{}"))
        journal.record("r", restored + restored[:1])
        journal.record("r", again)
        assert sorted(journal.restored("r"), key=lambda one: one.size) == restored
        assert journal.totals("r") == {"g": Totals(restored=count, bytes=sum(range(count)))}
