"""The contract of the port OutcomeLedger."""

from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.counting import change, slug_of
from orchestrator.core.entries import Verdict
from orchestrator.core.errors import RunUnknown
from orchestrator.core.ledger import GroupState, Totals
from orchestrator.core.reasons import Reason
from orchestrator.engine.ports import OutcomeLedger, RunLedger
from tests.support.ledger_rows import later, make_group, make_outcome, make_run


class Ledger(RunLedger, OutcomeLedger, Protocol):
    """An outcome belongs to a run."""


def restored_paths(journal: Ledger, run: str = "r1") -> list[str]:
    return [outcome.guest_path for outcome in journal.restored(run)]


def test_an_outcome_is_read_as_it_was_written(journal: Ledger) -> None:
    journal.begin(make_run())
    good = make_outcome(checksum="ab12", size=2**62, mtime_ns=-1)
    bad = make_outcome("C:\\b", Verdict.FAILED, reason=Reason.NO_SPACE, message="full", target_path="")
    journal.record("r1", [good, bad])
    assert list(journal.restored("r1")) == [good]
    assert journal.problems("r1") == [bad]


@pytest.mark.parametrize("first", Verdict)
@pytest.mark.parametrize("second", Verdict)
def test_what_is_restored_stays_restored_and_all_else_gives_way(
    journal: Ledger, first: Verdict, second: Verdict
) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(verdict=first, message="first")])
    journal.record("r1", [make_outcome(verdict=second, message="second")])
    kept = first if first is Verdict.RESTORED else second
    assert journal.totals("r1") == {"g1": Totals(**{kept.value: 1}, bytes=7 if kept is Verdict.RESTORED else 0)}


@pytest.mark.parametrize("first", Verdict)
@pytest.mark.parametrize("second", Verdict)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_what_stood_before_is_told_and_the_changes_add_up_to_the_totals(
    journal: Ledger, first: Verdict, second: Verdict, together: bool
) -> None:
    journal.begin(make_run())
    told = [make_outcome(verdict=first, size=7), make_outcome(verdict=second, size=9)]
    told += [make_outcome(group="g2", verdict=second)]
    batches = [told] if together else [[one] for one in told]
    before = [was for batch in batches for was in journal.record("r1", batch)]
    assert before == [None, (first, 7, slug_of(told[0])), None]
    of_g1 = change(told[:2], before[:2])
    assert journal.totals("r1")["g1"] == of_g1


def test_of_many_files_each_has_what_stood_before_it(journal: Ledger) -> None:
    journal.begin(make_run())
    many = [make_outcome(f"\udc80{number:04d}", Verdict.SKIPPED, size=number) for number in range(200)]
    assert journal.record("r1", many[:150]) == [None] * 150
    known = [(Verdict.SKIPPED, number, slug_of(many[number])) for number in range(150)]
    assert journal.record("r1", many) == known + [None] * 50


def test_a_file_that_is_restored_again_is_told_of_as_it_is_now(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(checksum="old"), make_outcome(checksum="new", size=9)])
    assert [(one.checksum, one.size) for one in journal.restored("r1")] == [("new", 9)]


def test_one_path_in_two_groups_and_two_runs_is_four_files(journal: Ledger) -> None:
    for run in ("r1", "r2"):
        journal.begin(make_run(run))
        journal.record(run, [make_outcome(), make_outcome(group="g2", verdict=Verdict.REFUSED)])
    for run in ("r1", "r2"):
        assert journal.totals(run) == {"g1": Totals(restored=1, bytes=7), "g2": Totals(refused=1)}


def test_totals_count_bytes_of_restored_files_only(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.record(
        "r1", [make_outcome(f"C:\\{n}{verdict.value}", verdict) for n, verdict in enumerate(list(Verdict) * 3)]
    )
    assert journal.totals("r1") == {"g1": Totals(3, 3, 3, 3, 21)}
    assert journal.totals("r9") == {}


def test_problems_come_by_group_and_path_up_to_a_limit(journal: Ledger) -> None:
    journal.begin(make_run())
    rows = [
        make_outcome(path, verdict, group=group)
        for group, path, verdict in (
            ("g2", "a", Verdict.FAILED),
            ("g1", "b", Verdict.REFUSED),
            ("g1", "\udc80", Verdict.FAILED),
            ("g1", "🎉", Verdict.FAILED),
            ("g1", "é", Verdict.FAILED),
            ("g1", "0", Verdict.SKIPPED),
        )
    ]
    journal.record("r1", rows)
    found = [(one.group, one.guest_path) for one in journal.problems("r1")]
    assert found == [("g1", "b"), ("g1", "é"), ("g1", "\udc80"), ("g1", "🎉"), ("g2", "a")]
    assert [one.guest_path for one in journal.problems("r1", 2)] == ["b", "é"]
    assert journal.problems("r1", 0) == []


def test_restored_files_come_by_target_path_however_many(journal: Ledger) -> None:
    journal.begin(make_run())
    names = [f"{number:05d}" for number in range(1201)]
    journal.record("r1", [make_outcome(name, target_path=f"/restore/{name}") for name in reversed(names)])
    assert restored_paths(journal) == names
    journal.record("r1", [make_outcome("0", target_path="/z"), make_outcome("z", target_path="/0")])
    assert restored_paths(journal) == ["z", *names, "0"]


def test_restored_files_can_be_read_while_others_are_recorded(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(f"{n:04d}", target_path=f"/{n:04d}") for n in range(600)])
    reading = journal.restored("r1")
    first = next(reading).guest_path
    journal.record("r1", [make_outcome("new", Verdict.FAILED)])
    assert [first, *(one.guest_path for one in reading)] == [f"{n:04d}" for n in range(600)]


def test_outcomes_of_an_unknown_run_are_refused(journal: Ledger) -> None:
    with pytest.raises(RunUnknown):
        journal.record("r9", [make_outcome()])


def test_an_empty_batch_is_nothing(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.record("r1", [])
    assert journal.totals("r1") == {}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(st.characters(exclude_categories=())), other=st.text(st.characters(exclude_categories=())))
def test_every_name_that_a_file_can_have_survives(journal: Ledger, path: str, other: str) -> None:
    journal.begin(make_run())
    journal.record("r1", [make_outcome(path, target_path=other)])
    journal.record("r1", [make_outcome(path, target_path=other, checksum="again")])
    assert [one.target_path for one in journal.restored("r1") if one.guest_path == path] == [other]


def test_the_length_of_a_machine_is_that_of_its_newest_good_group(journal: Ledger) -> None:
    for name, seconds, state, took in (
        ("r1", 0, GroupState.DONE, 10.0),
        ("r3", 20, GroupState.FAILED, 99.0),
        ("r2", 10, GroupState.DONE, 20.0),
        ("r4", 30, GroupState.DONE, None),
    ):
        journal.begin(make_run(name, started=later(seconds)))
        journal.write_group(make_group(name, state=state, seconds=took))
    journal.write_group(make_group("r1", "g2", vm="db01", state=GroupState.DONE, seconds=1.5))
    journal.write_group(make_group("r1", "g3", vm="new", state=GroupState.RUNNING))
    assert journal.vm_seconds() == {"fs01": 20.0, "db01": 1.5}
