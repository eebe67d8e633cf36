"""Plans, reports and the table of runs as plain text."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, Totals
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.limits import Limits
from orchestrator.core.report import Report
from orchestrator.core.retention import Pruned
from orchestrator.views import drills_text, pruned_text, report_text, runs_text, standing_text, status_text
from orchestrator.views.plan import plan_text
from tests.views.golden_files import assert_golden
from tests.views.samples import (
    HOSTILE,
    START,
    clean_report,
    point,
    sample_drills,
    sample_plan,
    sample_pruned,
    sample_report,
)

RUN = RunRow("r1", "incident-4711", RunState.RUNNING, START, "{}")


def test_a_plan_reads_as_it_will_be_done() -> None:
    assert_golden("plan.txt", plan_text(sample_plan(), START + timedelta(hours=30), Limits(20, {"vbr01": 2})))


def test_a_plan_tells_on_which_mount_hosts_its_mounts_are_expected() -> None:
    hosts = {"fs01": ("mount02",), "web01": ("lin01", "vbr02")}
    limits = Limits(20, per_host={"mount02": 3})
    told = plan_text(sample_plan(), START, limits, lambda group: hosts[group.vm]).splitlines()
    assert told[-3:] == [
        "  expected on lin01 or vbr02: 1 mount",
        "  expected on mount02: 1 mount, 3 at once",
        "  in all: 2 mounts, 20 at once",
    ]


def test_a_bad_run_ends_with_reasons_remedies_and_the_closing_line() -> None:
    assert_golden("report.txt", report_text(sample_report()))


def test_a_clean_run_is_a_short_report() -> None:
    assert_golden("report-clean.txt", report_text(clean_report()))


@pytest.mark.parametrize("report", [sample_report(), clean_report(), replace(sample_report(), ended=None)])
def test_the_closing_line_is_always_the_last(report: Report) -> None:
    assert report_text(report).rstrip("\n").splitlines()[-1] == report.closing_line


@pytest.mark.parametrize(
    ("code", "state", "files", "told"),
    [
        (0, "finished", {}, None),
        (3, "finished", {"residual": "/state/runs/r1/residual.toml"}, "orchestrator run /state/runs/r1/residual.toml"),
        (3, "finished", {}, None),
        (4, "finished", {}, "orchestrator resume r1"),
        (6, "stopped", {}, "orchestrator resume r1"),
        (7, "finished", {}, "orchestrator sweep"),
        (7, "stopped", {}, "orchestrator sweep, then orchestrator resume r1"),
        (None, "running", {}, None),
    ],
)
def test_a_report_says_which_command_comes_next(
    code: int | None, state: str, files: dict[str, str], told: str | None
) -> None:
    lines = report_text(replace(clean_report(), run="r1", exit_code=code, state=state, files=files)).splitlines()
    assert [line for line in lines if line.startswith("next: ")] == ([f"next: {told}"] if told else [])


def test_a_run_that_a_limit_has_stopped_is_not_said_to_be_stopped_on_request() -> None:
    assert "on request" not in report_text(replace(clean_report(), exit_code=6, state="stopped"))


def test_a_reason_of_a_newer_version_is_shown_by_its_name() -> None:
    text = report_text(replace(sample_report(), problems_by_reason={"from-the-future": 3}))
    assert "3 problems: no reason that this version knows [from-the-future]" in text


@pytest.mark.parametrize("place", ["vm", "guest_path", "message"])
def test_a_hostile_name_stays_on_its_line(place: str) -> None:
    report = sample_report()
    hostile = replace(report.problems[0], **{place: HOSTILE})
    lines = report_text(replace(report, problems=(hostile, *report.problems[1:])))
    assert len(lines.splitlines()) == len(report_text(report).splitlines())
    assert "\x1b" not in lines
    assert "\u202e" not in lines


def test_runs_are_a_table_in_the_order_given() -> None:
    ended = replace(RUN, id="run-2", state=RunState.FINISHED, ended=START + timedelta(minutes=3), exit_code=0)
    assert_golden("runs.txt", runs_text([RUN, ended]))
    assert runs_text([]) == "No runs yet.\n"


def test_the_standing_says_what_a_person_should_know_besides_the_runs() -> None:
    assert standing_text([RUN], 0, [], somebody=True, paused=False) == runs_text([RUN])
    assert "1 dropped job not ended yet; `orchestrator queue`" in standing_text([], 1, [], somebody=True, paused=False)
    assert "Paused: nothing new begins" in standing_text([], 0, [], somebody=True, paused=True)


def test_a_run_that_died_is_told_from_one_that_is_going_on() -> None:
    ended = replace(RUN, state=RunState.STOPPED)
    assert "has died" in standing_text([RUN], 0, [], somebody=False, paused=False)
    assert "has died" not in standing_text([RUN], 0, [], somebody=True, paused=False)
    assert "has died" not in standing_text([ended], 0, [], somebody=False, paused=False)


def test_mounts_that_no_run_holds_are_named_in_the_standing() -> None:
    lease = LeaseRow("l1", "r1", "g0001", "s1", point(), LeaseState.LEFT, START)
    text = standing_text([RUN], 0, [lease], somebody=True, paused=False)
    assert "Mounts left: fs01 on vbr01. `orchestrator sweep` deletes them.\n" in text
    many = standing_text([RUN], 0, [lease] * 12, somebody=True, paused=False)
    assert many.count("fs01 on vbr01") == 10
    assert "and 2 more." in many


def test_the_status_of_a_run_names_its_groups_and_open_mounts() -> None:
    groups = [
        GroupRow("r1", "g0001", "fs01", GroupState.RUNNING),
        GroupRow("r1", "g0002", "web01", GroupState.FAILED, "Mount of web01: \x1b[31mno"),
    ]
    lease = LeaseRow("l1", "r1", "g0001", "s1", point(), LeaseState.HELD, START, mount_href="/api/mounts/1")
    gone = replace(lease, id="l2", state=LeaseState.CONFIRMED, mount_href="/api/mounts/2")
    now = START + timedelta(minutes=4, seconds=5)
    text = status_text(RUN, groups, {"g0001": Totals(5, 1, 0, 0, 4096)}, [lease, gone], now)
    assert_golden("status.txt", text)


def test_what_was_pruned_is_a_table_with_its_sum() -> None:
    assert_golden("pruned.txt", pruned_text(sample_pruned()))
    nothing = pruned_text(Pruned((), 0, 3, dry=True))
    assert nothing == "to be removed: 0 runs and 0 dropped jobs; 3 runs kept\n"


def test_drills_are_a_table_and_one_line_of_trend_for_each_job() -> None:
    assert_golden("drills.txt", drills_text(sample_drills()))
    assert drills_text([]) == "No drills yet.\n"


def test_the_names_in_a_drill_stay_on_their_line() -> None:
    [row] = sample_drills()[:1]
    text = drills_text([replace(row, job=HOSTILE, slowest_vm=HOSTILE)])
    assert len(text.splitlines()) == 4
    assert "\x1b" not in text
