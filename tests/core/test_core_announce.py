"""Which events become messages, and how a storm of them becomes few."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.announce import EXAMPLES, REMEMBERED, WINDOW, Announcement, Announcer, Gathering, Kind
from orchestrator.core.events import (
    DeadlineInDanger,
    DrillEnded,
    Event,
    JobEnded,
    JobNotStarted,
    JobRejected,
    MountLeft,
    Notice,
    RunEnded,
    RunStarted,
    ScheduleMissed,
)
from orchestrator.core.ledger import Totals

START = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
STARTED = RunStarted(START, "r1", "nightly", 12)
TOTALS = Totals(restored=5, failed=1, bytes=1024)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(*events: Event) -> list[Announcement]:
    announcer = Announcer()
    return [one for event in events if (one := announcer.add(event)) is not None]


def ended(code: int, run: str = "r1") -> RunEnded:
    return RunEnded(after(90), run, code, TOTALS, 3, 3, 0)


def left(run: str = "r1", vm: str = "fs01") -> MountLeft:
    return MountLeft(after(60), run, "g1", vm, "vbr01", "/api/x", "no answer")


def not_started(at: datetime, job: str = "nightly", message: str = "EM is away") -> JobNotStarted:
    return JobNotStarted(at, "d1", job, 4, message)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, Kind.FINISHED),
        (1, Kind.FAILED),
        (3, Kind.PARTIAL),
        (4, Kind.FAILED),
        (5, Kind.FAILED),
        (6, Kind.STOPPED),
        (7, Kind.MOUNTS_LEFT),
        (99, Kind.FAILED),
    ],
)
def test_the_end_of_a_run_is_told_by_its_exit_code_with_the_name_of_its_job(code: int, kind: Kind) -> None:
    begun, over = told(STARTED, ended(code))
    assert (begun.kind, begun.groups) == (Kind.STARTED, 12)
    assert (over.kind, over.job, over.run, over.exit_code) == (kind, "nightly", "r1", code)
    assert (over.totals, over.seconds, over.mounts_opened) == (TOTALS, 90, 3)


def test_a_run_whose_start_was_not_seen_is_told_of_too() -> None:
    (over,) = told(ended(0))
    assert (over.kind, over.run, over.job, over.seconds) == (Kind.FINISHED, "r1", "", None)


def test_runs_side_by_side_keep_their_names() -> None:
    other = RunStarted(after(1), "r2", "other", 1)
    assert [(one.job, one.run) for one in told(STARTED, other, ended(0), ended(0, "r2"))][2:] == [
        ("nightly", "r1"),
        ("other", "r2"),
    ]


def test_a_mount_that_is_left_is_told_once_for_each_run() -> None:
    other = RunStarted(after(1), "r2", "other", 1)
    kinds = [(one.kind, one.run) for one in told(STARTED, other, left(), left(vm="fs02"), left("r2"))]
    assert kinds[2:] == [(Kind.MOUNTS_LEFT, "r1"), (Kind.MOUNTS_LEFT, "r2")]


def test_a_run_that_breaks_off_without_saying_so_is_told_by_the_end_of_its_job() -> None:
    broken = JobEnded(after(30), "", "nightly", "r1", 5, "", "the disk of the journal is full")
    _, one = told(STARTED, broken)
    assert (one.kind, one.message, one.seconds) == (Kind.FAILED, "the disk of the journal is full", 30)
    (unseen,) = told(broken)
    assert (unseen.kind, unseen.job) == (Kind.FAILED, "nightly")


def test_a_job_whose_run_has_told_its_own_end_is_not_told_twice() -> None:
    over = JobEnded(after(91), "d1", "nightly", "r1", 0, "done", "exit 0")
    assert [one.kind for one in told(STARTED, ended(0), over)] == [Kind.STARTED, Kind.FINISHED]


def test_a_job_that_never_had_a_run_is_told_as_not_started_alone() -> None:
    over = JobEnded(after(1), "d1", "nightly", "", 4, "failed", "exit 4")
    assert [one.kind for one in told(not_started(START), over)] == [Kind.COULD_NOT_START]


def test_a_job_that_is_tried_again_and_again_is_told_once_an_hour() -> None:
    tries = [not_started(after(minute * 60), message=f"try {minute}") for minute in range(121)]
    assert [one.message for one in told(*tries)] == ["try 0", "try 60", "try 120"]


def test_another_job_that_cannot_be_started_is_told_at_once() -> None:
    assert len(told(not_started(START), not_started(after(1), job="other"))) == 2


def test_what_is_remembered_of_jobs_and_runs_is_bounded() -> None:
    announcer = Announcer()
    for number in range(3 * REMEMBERED):
        announcer.add(not_started(after(number / 100), job=f"job-{number}"))
        announcer.add(RunStarted(START, f"r{number}", "nightly", 1))
        announcer.add(ended(0, f"r{number}"))
    assert max(map(len, (announcer._not_started, announcer._ended, announcer._runs))) <= REMEMBERED


def test_a_file_that_is_no_job_is_told_with_its_name() -> None:
    (one,) = told(JobRejected(START, "notes.toml", "ab12", "alice", "name: missing"))
    assert (one.kind, one.message, one.exit_code) == (Kind.COULD_NOT_START, "notes.toml: name: missing", 2)


def test_missed_times_deadlines_and_drills_are_told_with_their_facts() -> None:
    missed, danger, drill = told(
        ScheduleMissed(START, "nightly", after(-60), "not running"),
        DeadlineInDanger(START, "r1", "nightly", after(600), after(900)),
        DrillEnded(START, "r2", "drill", 2, 10, 2048, 12.5, 1, 3),
    )
    assert (missed.kind, missed.due, missed.message) == (Kind.MISSED, after(-60), "not running")
    assert (danger.kind, danger.deadline, danger.forecast) == (Kind.DEADLINE_IN_DANGER, after(600), after(900))
    assert (drill.kind, drill.files, drill.differences, drill.exit_code) == (Kind.DRILL, 10, 1, 3)


def test_what_nobody_need_wake_for_is_not_told() -> None:
    assert told(Notice(START, "swept 1 mount(s)")) == []


def test_the_first_of_a_storm_is_told_at_once_and_the_rest_in_one_message_at_the_end_of_the_minute() -> None:
    gathering = Gathering()
    rejected = told(*(JobRejected(after(n / 1000), f"{n}.toml", "", "", "bad") for n in range(10_000)))
    out = [one for each in rejected for one in gathering.add(each)]
    assert [(one.count, one.message) for one in out] == [(1, "0.toml: bad")]
    assert gathering.wake == START + WINDOW
    assert gathering.due(after(59)) == []
    (summed,) = gathering.due(after(60))
    assert (summed.count, len(summed.examples), summed.examples[0]) == (9_999, EXAMPLES, "1.toml: bad")
    assert gathering.wake is None


def test_a_storm_that_goes_on_is_one_message_a_minute() -> None:
    gathering = Gathering()
    events = told(*(JobRejected(after(n), f"{n}.toml", "", "", "bad") for n in range(600)))
    out = [one for each in events for one in gathering.add(each)]
    assert [one.count for one in out] == [1, 59, 60, 60, 60, 60, 60, 60, 60, 60]
    assert [one.count for one in gathering.rest(after(600))] == [60]
    assert gathering.rest(after(600)) == []


def test_after_a_quiet_minute_the_next_is_told_at_once_again() -> None:
    gathering = Gathering()
    first, later = told(not_started(START), not_started(after(120), job="other"))
    assert gathering.add(first) == [first]
    assert gathering.add(later) == [later]


def test_a_single_one_that_waited_is_told_as_it_is() -> None:
    gathering = Gathering()
    first, second = told(not_started(START), not_started(after(1), job="other"))
    gathering.add(first)
    gathering.add(second)
    assert gathering.due(after(61)) == [second]


def test_a_sum_names_its_job_only_when_all_of_it_is_of_that_job() -> None:
    gathering = Gathering()
    missed = told(*(ScheduleMissed(after(n), "nightly", after(n), "down") for n in range(4)))
    for one in missed:
        gathering.add(one)
    (same,) = gathering.rest(after(4))
    assert (same.job, same.count) == ("nightly", 3)
    for one in told(*(ScheduleMissed(after(n), f"job-{n}", after(n), "down") for n in range(4))):
        gathering.add(one)
    (mixed,) = gathering.rest(after(4))
    assert mixed.job == ""
    assert mixed.examples == tuple(f"job-{n}: due 2026-11-24 01:00 UTC: down" for n in (1, 2, 3))


@given(st.lists(st.tuples(st.floats(0, 400), st.sampled_from(list(Kind))), max_size=200))
def test_nothing_is_lost_and_nothing_is_told_twice(pairs: list[tuple[float, Kind]]) -> None:
    gathering = Gathering()
    out = []
    for seconds, kind in sorted(pairs, key=lambda pair: pair[0]):
        out += gathering.due(after(seconds))
        out += gathering.add(Announcement(kind, after(seconds)))
    out += gathering.rest(after(500))
    assert sum(one.count for one in out) == len(pairs)
