"""Which runs may be forgotten."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.retention import prunable

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
BEFORE = NOW - timedelta(days=30)


def run(name: str, days: float, state: RunState = RunState.FINISHED, job: str = "nightly") -> RunRow:
    """A run that began `days` before NOW and ended an hour later, when it has ended."""
    started = NOW - timedelta(days=days)
    ended = None if state is RunState.RUNNING else started + timedelta(hours=1)
    return RunRow(name, job, state, started, "{}", ended, None if ended is None else 0)


def pruned(*runs: RunRow, in_use: frozenset[str] = frozenset()) -> list[str]:
    newest_first = sorted(runs, key=lambda one: one.started, reverse=True)
    return [one.id for one in prunable(newest_first, in_use, BEFORE)]


def test_finished_runs_that_are_older_may_go() -> None:
    assert pruned(run("new", 1), run("young", 30), run("old", 31), run("older", 400)) == ["old", "older"]


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.STOPPED])
def test_an_unfinished_run_stays_however_old_it_is(state: RunState) -> None:
    assert pruned(run("new", 1), run("died", 4000, state)) == []


def test_a_run_that_is_in_use_stays() -> None:
    assert pruned(run("new", 1), run("held", 60), run("old", 50), in_use=frozenset({"held"})) == ["old"]


def test_the_last_run_of_each_job_stays() -> None:
    assert pruned(run("a", 90), run("b", 80, job="b"), run("b0", 100, job="b"), run("c", 50, job="c")) == ["b0"]


def test_the_last_finished_run_of_a_job_stays_also_when_an_unfinished_one_came_later() -> None:
    assert pruned(run("died", 40, RunState.RUNNING), run("good", 50), run("older", 60)) == ["older"]


def test_what_counts_is_the_end_and_not_the_start() -> None:
    long = replace(run("long", 60), ended=NOW - timedelta(days=2))
    assert pruned(run("new", 1), long) == []


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from(RunState), st.sampled_from("ab")), max_size=12),
    st.sets(st.integers(0, 11)),
)
def test_pruning_twice_is_pruning_once_and_every_job_keeps_a_run(
    drawn: list[tuple[int, RunState, str]], used: set[int]
) -> None:
    runs = [run(str(number), days, state, job) for number, (days, state, job) in enumerate(drawn)]
    runs.sort(key=lambda one: one.started, reverse=True)
    in_use = {str(number) for number in used}
    gone = prunable(runs, in_use, BEFORE)
    rest = [one for one in runs if one not in gone]
    assert prunable(rest, in_use, BEFORE) == []
    assert {one.job for one in rest} == {one.job for one in runs}
    assert all(one.state is RunState.FINISHED and one.id not in in_use for one in gone)
