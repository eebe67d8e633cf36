"""What holds for the journal as a whole, whichever database it is in; each port has a page of its own."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from orchestrator.core.drops import DropState
from orchestrator.core.entries import Verdict
from orchestrator.core.errors import ExitCode, RunUnknown, SchemaUnknown, StateUnusable
from orchestrator.core.ledger import GroupState, RunState, Totals
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.replaced import UndoRow
from orchestrator.journal import Journal
from tests.support.journals import Shelf
from tests.support.ledger_rows import (
    START,
    later,
    make_answer,
    make_aside,
    make_drill,
    make_drop,
    make_group,
    make_lease,
    make_outcome,
    make_run,
    make_schedule,
    make_session,
)

LONG = "C:\\" + "Ordner mit Umlaut ä\\" * 1_700
"""As long as Windows lets a path be, and longer than a page of an index."""


@pytest.fixture
def journal(shelf: Shelf) -> Iterator[Journal]:
    with shelf.open() as opened:
        yield opened


def test_everything_is_there_when_the_journal_is_opened_again(shelf: Shelf, journal: Journal) -> None:
    journal.begin(make_run())
    journal.write_group(make_group())
    journal.write_lease(make_lease(state=LeaseState.HELD))
    journal.write_session(make_session())
    journal.record("r1", [make_outcome()])
    journal.record_folders("r1", "g1", 1, {"": 2})
    journal.write_asides("r1", [make_aside()])
    journal.note_made("r1", ["/restore/fs01"])
    journal.begin_undo("r1", later(9))
    journal.write_drop(make_drop())
    journal.write_schedule(make_schedule())
    journal.write_drill(make_drill())
    journal.write_answer(make_answer())
    journal.write_paused(True)
    journal.close()
    with shelf.open() as again:
        assert again.runs() == [make_run()]
        assert again.groups("r1") == [make_group()]
        assert again.open_leases() == [make_lease(state=LeaseState.HELD)]
        assert again.sessions() == [make_session()]
        assert list(again.restored("r1")) == [make_outcome()]
        assert again.asides("r1", None, 9) == [make_aside()]
        assert list(again.made("r1")) == ["/restore/fs01"]
        assert again.undos("r1") == [UndoRow("r1", later(9))]
        assert again.unfinished_drops() == [make_drop()]
        assert again.schedules() == [make_schedule()]
        assert again.drills() == [make_drill()]
        assert again.answers() == [make_answer()]
        assert again.paused()


def test_a_killed_process_loses_nothing(shelf: Shelf) -> None:
    code = (
        "import os, signal; from tests.support.ledger_rows import *;"
        f"{shelf.opening}; opened.begin(make_run());"
        "opened.write_lease(make_lease()); opened.record('r1', [make_outcome()]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    with shelf.open() as opened:
        assert opened.run("r1").state is RunState.RUNNING
        assert opened.open_leases() == [make_lease()]
        assert list(opened.restored("r1")) == [make_outcome()]


def test_a_reader_sees_a_run_while_it_is_written(shelf: Shelf, journal: Journal) -> None:
    journal.begin(make_run())
    with shelf.open(read_only=True) as reader:
        assert reader.runs() == [make_run()]
        journal.record("r1", [make_outcome()])
        assert reader.totals("r1")["g1"].restored == 1


def test_a_reader_cannot_write(shelf: Shelf, journal: Journal) -> None:
    with shelf.open(read_only=True) as reader, pytest.raises(StateUnusable):
        reader.begin(make_run())
    assert journal.runs() == []


def test_a_reader_makes_nothing(shelf: Shelf) -> None:
    for _ in range(2):
        with pytest.raises(StateUnusable, match="no run has been started") as caught:
            shelf.open(read_only=True)
        assert caught.value.exit_code is ExitCode.STATE


def test_a_closed_journal_says_so_and_closing_twice_is_harmless(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(StateUnusable, match="closed"):
        journal.runs()


def test_a_journal_of_a_newer_version_is_refused(shelf: Shelf, journal: Journal) -> None:
    journal.close()
    shelf.outgrow()
    for read_only in (True, False):
        with pytest.raises(SchemaUnknown, match="schema 1000, this version knows") as caught:
            shelf.open(read_only=read_only)
        assert caught.value.exit_code is ExitCode.STATE


def test_a_batch_that_fails_leaves_nothing_of_itself(journal: Journal) -> None:
    journal.begin(make_run())
    with pytest.raises((StateUnusable, OverflowError)):
        journal.record("r1", [make_outcome(), make_outcome("b", size=2**70)])
    assert journal.totals("r1") == {}
    journal.record("r1", [make_outcome()])
    assert journal.totals("r1") == {"g1": Totals(restored=1, bytes=7)}


def test_a_time_without_a_zone_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        journal.begin(make_run(started=START.replace(tzinfo=None)))
    assert journal.runs() == []


def test_the_heads_of_runs_are_the_runs_without_their_plans(journal: Journal) -> None:
    for name, seconds in (("b", 10.5), ("a", 20), ("c", 10)):
        journal.begin(make_run(name, started=later(seconds), plan="a large plan"))
    journal.end(make_run("b", state=RunState.STOPPED, ended=later(60), exit_code=6))
    assert journal.heads() == [replace(run, plan="") for run in journal.runs()]


def test_a_token_can_be_erased_while_restored_files_are_read(journal: Journal) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(f"{n:04d}") for n in range(1200)])
    journal.write_session(make_session())
    reading = journal.restored("r1")
    next(reading)
    journal.erase_session("s1")
    assert len(list(reading)) == 1199


def test_several_lists_are_read_at_once_and_one_that_is_given_up_harms_nobody(journal: Journal) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(f"{n:04d}") for n in range(1200)])
    first, second = journal.restored("r1"), journal.restored("r1")
    assert next(first) == next(second)
    first.close()
    assert len(list(second)) == 1199


def test_the_longest_path_of_a_guest_is_kept_wherever_paths_are(journal: Journal) -> None:
    journal.begin(make_run())
    twin = f"{LONG}x"
    first, second = make_outcome(LONG, target_path=LONG), make_outcome(twin, Verdict.FAILED, target_path=twin)
    assert journal.record("r1", [first, second]) == [None, None]
    assert [was is None for was in journal.record("r1", [first, second])] == [False, False]
    assert list(journal.restored("r1")) == [first]
    assert journal.problems("r1") == [second]
    assert journal.to_undo("r1", None, 9) == [first]
    journal.mark_undone("r1", [first])
    assert journal.to_undo("r1", None, 9) == []
    rows = [make_aside(LONG), make_aside(twin)]
    journal.write_asides("r1", rows)
    first_page = journal.asides("r1", None, 1)
    assert {*first_page, *journal.asides("r1", first_page[0], 9)} == {*rows}
    assert journal.was_aside("r1", rows[0].held)
    journal.note_made("r1", [LONG, twin, LONG])
    assert list(journal.made("r1")) == [twin, LONG]
    journal.write_answer(make_answer(LONG))
    journal.write_answer(make_answer(LONG, share="/mnt/other"))
    assert journal.answers() == [make_answer(LONG, share="/mnt/other")]


def test_names_that_no_database_likes_are_told_apart(journal: Journal) -> None:
    journal.begin(make_run())
    names = ["a", "a\0", "a\ufdd0", "a\ufdd00000", "a\ud800", "a\ufdd0d800", "a\udc80", "é", "e\u0301", "%s", ":run"]
    journal.record("r1", [make_outcome(name, target_path=name) for name in names])
    assert sorted(one.guest_path for one in journal.restored("r1")) == sorted(names)


def test_a_run_is_forgotten_with_all_that_belongs_to_it_and_may_come_again(journal: Journal) -> None:
    for run in ("r1", "r2"):
        journal.begin(make_run(run))
        journal.write_group(make_group(run))
        journal.write_lease(make_lease(f"l-{run}", run, state=LeaseState.CONFIRMED))
        journal.record(run, [make_outcome()])
        journal.record_folders(run, "g1", 1, {"": 1})
        journal.write_asides(run, [make_aside(run=run)])
        journal.note_made(run, ["/restore"])
        journal.begin_undo(run, later(1))
    journal.forget_run("r1")
    journal.forget_run("r1")
    assert [run.id for run in journal.runs()] == ["r2"]
    assert journal.holders() == {"r2"}
    with pytest.raises(RunUnknown):
        journal.record("r1", [make_outcome()])
    journal.begin(make_run())
    assert (journal.totals("r1"), journal.leases("r1"), journal.undos("r1"), list(journal.made("r1"))) == (
        {},
        [],
        [],
        [],
    )
    assert journal.totals("r2") == {"g1": Totals(restored=1, bytes=7)}


def test_old_claims_are_forgotten_but_those_of_runs_that_stay(journal: Journal) -> None:
    for name, run, ended in (("stays", "r1", 5), ("gone", "r2", 5), ("none", "", 5), ("young", "", 60)):
        journal.write_drop(make_drop(name, run=run, state=DropState.ENDED, ended=later(ended)))
    journal.write_drop(make_drop("going on"))
    journal.begin(make_run("r1"))
    journal.begin(make_run("r2"))
    found = journal.old_drops(later(30), ["r2"])
    assert sorted(found) == ["gone", "none"]
    journal.forget_drops(found)
    assert {one.id for one in journal.recent_drops(9)} == {"stays", "young", "going on"}
    journal.compact()
    journal.shrink()


def test_what_was_tried_again_is_not_told_twice_but_for_groups_that_are_done(journal: Journal) -> None:
    journal.begin(make_run())
    journal.write_group(make_group())
    journal.write_group(make_group(group="g2", state=GroupState.DONE))
    journal.record("r1", [make_outcome("a"), make_outcome("b", Verdict.FAILED), make_outcome("c", Verdict.SKIPPED)])
    journal.record("r1", [make_outcome("d", Verdict.REFUSED, group="g2")])
    journal.begin(make_run())
    assert journal.totals("r1") == {"g1": Totals(restored=1, skipped=1, bytes=7), "g2": Totals(refused=1)}
