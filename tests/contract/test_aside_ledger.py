"""The contract of the ports AsideLedger and UndoLedger."""

from dataclasses import replace
from typing import Protocol

import pytest

from orchestrator.core.entries import Verdict
from orchestrator.core.errors import RunUnknown
from orchestrator.core.replaced import AsideState, Stood, UndoRow
from orchestrator.engine.ports import OutcomeLedger, RunLedger
from orchestrator.engine.ports_standing import AsideLedger, UndoLedger
from tests.support.ledger_rows import later, make_aside, make_outcome, make_run


class Ledger(RunLedger, OutcomeLedger, AsideLedger, UndoLedger, Protocol):
    """What is set aside belongs to a run."""


def test_a_file_that_is_set_aside_is_read_as_it_was_written_until_it_is_somewhere_else(journal: Ledger) -> None:
    journal.begin(make_run())
    first, second = make_aside("C/a", size=2**62, mtime_ns=-1), make_aside("C/caf\udce9")
    journal.write_asides("r1", [second, first])
    assert journal.asides("r1", None, 10) == [first, second]
    journal.write_asides("r1", [replace(first, state=AsideState.RETURNED)])
    assert journal.asides("r1", None, 10) == [second]
    journal.write_asides("r1", [replace(first, size=3)])
    assert journal.asides("r1", None, 10) == [replace(first, size=3), second]


def test_where_a_run_was_going_to_hold_a_file_is_known_whatever_became_of_it(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.begin(make_run("r2"))
    row = make_aside("C/caf\udce9", state=AsideState.RETURNED)
    journal.write_asides("r1", [row])
    assert journal.was_aside("r1", row.held)
    assert not journal.was_aside("r2", row.held)
    assert not journal.was_aside("r1", row.target)


def test_files_set_aside_are_asked_for_page_by_page_and_run_by_run(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.begin(make_run("r2"))
    rows = [make_aside(f"C/{number}", root) for root in ("/a", "/b") for number in range(5)]
    journal.write_asides("r1", rows)
    journal.write_asides("r2", [make_aside("C/other", run="r2")])
    pages, after = [], None
    while page := journal.asides("r1", after, 3):
        pages.append(len(page))
        after = page[-1]
    assert pages == [3, 3, 3, 1]


def test_folders_come_with_what_lies_in_them_first(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.note_made("r1", ["/t/a", "/t/a/b"])
    journal.note_made("r1", ["/t/a/b", "/t/a/b/c", "/t/a-b"])
    found = list(journal.made("r1"))
    assert len(found) == 4
    assert found.index("/t/a/b/c") < found.index("/t/a/b") < found.index("/t/a")


def test_a_restored_file_is_to_be_undone_until_it_is_marked_and_again_when_it_is_restored_again(
    journal: Ledger,
) -> None:
    journal.begin(make_run())
    first = make_outcome("C:\\a", stood=Stood.NOTHING)
    second = make_outcome("C:\\b\udcff", stood=Stood.ASIDE)
    journal.record("r1", [second, first, make_outcome("C:\\c", Verdict.SKIPPED)])
    assert journal.to_undo("r1", None, 10) == [first, second]
    assert journal.to_undo("r1", None, 1) == [first]
    assert journal.to_undo("r1", first, 10) == [second]
    journal.mark_undone("r1", [first])
    assert journal.to_undo("r1", None, 10) == [second]
    journal.record("r1", [replace(first, stood=Stood.REPLACED)])
    assert journal.to_undo("r1", None, 10) == [replace(first, stood=Stood.REPLACED), second]


def test_every_undo_is_remembered_and_the_newest_one_is_ended(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.begin_undo("r1", later(1))
    journal.begin_undo("r1", later(2))
    journal.end_undo(UndoRow("r1", later(2), later(3), 1, 2, 3))
    assert journal.undos("r1") == [UndoRow("r1", later(1)), UndoRow("r1", later(2), later(3), 1, 2, 3)]


def test_nothing_is_written_for_a_run_that_never_began(journal: Ledger) -> None:
    for write in (
        lambda: journal.write_asides("nobody", [make_aside()]),
        lambda: journal.note_made("nobody", ["/a"]),
        lambda: journal.begin_undo("nobody", later(1)),
        lambda: journal.mark_undone("nobody", [make_outcome()]),
    ):
        with pytest.raises(RunUnknown):
            write()
