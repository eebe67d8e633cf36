"""What a run did as one value, and the exit code it asks for."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import ExitCode, worst
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, Totals
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.plan import Plan, PlanProblem
from orchestrator.core.reasons import Reason
from orchestrator.core.report import PROBLEMS_SHOWN, Report, exit_code_of, make_report
from tests.core.values import AT, job, planned, point

PLAN = planned(job({"vm": "fs01"}, {"vm": "web01"}), [point("fs01"), point("web01")])
RUN = RunRow("r1", "j", RunState.FINISHED, AT, "{}", AT + timedelta(seconds=90), 3)
ROWS = [GroupRow("r1", "g0001", "fs01", GroupState.DONE, "", 42.0)]


def lease(number: int, state: LeaseState, href: str = "", vm: str = "fs01") -> LeaseRow:
    return LeaseRow(f"l{number}", "r1", "g0001", "s1", point(vm), state, AT, mount_href=href)


def failed(number: int, reason: Reason = Reason.LOCKED) -> Outcome:
    return Outcome("g0001", f"C:\\a{number}", f"/r/a{number}", Verdict.FAILED, reason=reason, message="no")


def report(
    leases: list[LeaseRow] | None = None, problems: list[Outcome] | None = None, plan: Plan = PLAN, run: RunRow = RUN
) -> Report:
    totals = {"g0001": Totals(3, 1, 0, 2, 100), "g0002": Totals(1, 0, 0, 0, 5)}
    return make_report(plan, run, ROWS, leases or [], totals, problems or [])


def test_every_planned_group_is_in_the_report_whether_it_began_or_not() -> None:
    first, second = report().groups
    assert (first.vm, first.state, first.seconds, first.totals.restored) == ("fs01", "done", 42.0, 3)
    assert (second.vm, second.state, second.seconds) == ("web01", "waiting", None)
    assert report().totals == Totals(4, 1, 0, 2, 105)
    assert report().seconds == 90
    assert report(run=replace(RUN, ended=None)).seconds is None


def test_mounts_are_opened_when_they_were_known_deleted_when_settled_and_else_left() -> None:
    leases = [
        lease(1, LeaseState.CONFIRMED, "/m/1"),
        lease(2, LeaseState.RELEASED, "/m/2"),
        lease(3, LeaseState.RELEASED),  # EM refused: nothing was ever made
        lease(4, LeaseState.LEFT, "/m/4"),
        lease(5, LeaseState.LOST, "/m/5"),
        lease(6, LeaseState.INTENDED),
    ]
    result = report(leases)
    assert result.closing_line == "mounts opened 4, deleted 2, left 3"
    assert [left.href for left in result.mounts_left] == ["/m/4", "/m/5", "/fs01/mounts"]
    assert result.mounts_left[0].cause == "state left"
    assert [mount.href for mount in result.groups[0].mounts] == ["/m/1", "/m/2", "/m/4", "/m/5", ""]


def test_entries_that_could_not_be_planned_are_problems_like_files() -> None:
    plan = replace(PLAN, problems=(PlanProblem(3, "vm", "there is no machine 'x'"),))
    result = report(problems=[failed(1)], plan=plan)
    assert [(one.guest_path, one.reason) for one in result.problems] == [("restore[3]", "plan"), ("C:\\a1", "locked")]
    assert result.problems[1].vm == "fs01"


def test_the_listed_problems_may_be_cut_off_and_the_counts_never_are() -> None:
    problems = [failed(number) for number in range(PROBLEMS_SHOWN + 5)] + [failed(0, Reason.NO_SPACE)]
    result = report(problems=problems)
    assert len(result.problems) == PROBLEMS_SHOWN
    assert result.problems_by_reason == {"locked": PROBLEMS_SHOWN + 5, "no-space": 1}


def test_the_remedy_survives_a_machine_name_with_quotes_and_wildcards() -> None:
    (left,) = report([lease(1, LeaseState.LEFT, "/m/1", "o'brien [old]*")]).mounts_left
    assert "-like '*o''brien `[old`]`**'" in left.remedy


@pytest.mark.parametrize(
    ("totals", "state", "lease_state", "stopped", "code"),
    [
        (Totals(5), GroupState.DONE, LeaseState.CONFIRMED, False, ExitCode.OK),
        (Totals(5, 3), GroupState.DONE, LeaseState.RELEASED, False, ExitCode.OK),
        (Totals(5, refused=1), GroupState.DONE, LeaseState.CONFIRMED, False, ExitCode.PARTIAL),
        (Totals(5, failed=1), GroupState.DONE, LeaseState.CONFIRMED, False, ExitCode.PARTIAL),
        (Totals(5, failed=1), GroupState.FAILED, LeaseState.CONFIRMED, False, ExitCode.EM),
        (Totals(5), GroupState.FAILED, LeaseState.CONFIRMED, True, ExitCode.STOPPED),
        (Totals(5), GroupState.FAILED, LeaseState.LEFT, True, ExitCode.MOUNTS_LEFT),
        (Totals(5), GroupState.DONE, LeaseState.LOST, False, ExitCode.MOUNTS_LEFT),
        (Totals(5), GroupState.DONE, LeaseState.HELD, False, ExitCode.MOUNTS_LEFT),
    ],
)
def test_the_worst_exit_code_that_applies_wins(
    totals: Totals, state: GroupState, lease_state: LeaseState, stopped: bool, code: ExitCode
) -> None:
    rows = [replace(ROWS[0], state=state)]
    assert exit_code_of(PLAN, rows, [lease(1, lease_state, "/m/1")], totals, stopped) is code


def test_an_entry_that_was_not_planned_is_not_everything_asked_for() -> None:
    plan = replace(PLAN, problems=(PlanProblem(1, "vm", "no"),))
    assert exit_code_of(plan, ROWS, [], Totals(5), False) is ExitCode.PARTIAL


def test_the_exit_codes_are_ordered_by_what_a_person_must_act_on_first() -> None:
    by_rank = [ExitCode.OK, ExitCode.WORDS, *(ExitCode(number) for number in (3, 4, 5, 6, 1, 7))]
    for better, worse in pairwise(by_rank):
        assert worst(better, worse) is worst(worse, better) is worse
    assert worst() is ExitCode.OK
    assert {int(code) for code in ExitCode} == set(range(8))
