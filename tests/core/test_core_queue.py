"""Whose turn it is, what holds a job back, and when to look again."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.job import read_job
from orchestrator.core.queue import Hold, QueueEntry, next_up
from orchestrator.core.windows import Windows
from tests.core.test_core_zones import utc

NOON = utc("2026-11-24 12:00")
NIGHT = Windows.of(["22:00-06:00"])


def entry(
    job: str,
    arrived: int = 0,
    priority: int = 0,
    deadline: datetime | None = None,
    not_before: datetime | None = None,
    windows: Windows | None = None,
) -> QueueEntry:
    at = NOON + timedelta(seconds=arrived)
    return QueueEntry(f"drop-{job}", job, at, priority, not_before, deadline, windows or Windows.of())


def begins(
    waiting: list[QueueEntry], running: list[QueueEntry] | None = None, at_once: int = 1, now: datetime = NOON
) -> QueueEntry | None:
    free = [entry for entry in waiting if not Hold.of(entry, now).cause]
    return next_up(sorted(free, key=lambda entry: entry.turn), running or [], at_once)


def order(entries: list[QueueEntry]) -> list[str]:
    begun = []
    while (one := begins(entries)) is not None:
        begun.append(one.job)
        entries = [other for other in entries if other is not one]
    return begun


def test_the_highest_priority_begins_then_the_earliest_deadline_then_the_earliest_arrival() -> None:
    entries = [
        entry("last", 9, -1),
        entry("second-come", 2),
        entry("first-come", 1),
        entry("due-tonight", 8, deadline=NOON + timedelta(hours=9)),
        entry("due-soon", 9, deadline=NOON + timedelta(hours=1)),
        entry("urgent", 9, 50),
    ]
    assert order(entries) == ["urgent", "due-soon", "due-tonight", "first-come", "second-come", "last"]


def test_nothing_begins_while_every_place_is_taken() -> None:
    waiting, running = [entry("a")], [entry("b"), entry("c")]
    assert begins(waiting, running, 2) is None
    assert begins(waiting, running, 3) is waiting[0]


def test_a_job_that_is_running_is_not_begun_a_second_time() -> None:
    waiting = [entry("a", priority=9), entry("b")]
    assert begins(waiting, [entry("a")], 5) is waiting[1]


def test_a_held_job_does_not_stand_in_the_way_of_others() -> None:
    waiting = [entry("a", priority=9, windows=NIGHT), entry("b")]
    assert begins(waiting, [], 5) is waiting[1]


@pytest.mark.parametrize(
    ("not_before", "windows", "until", "cause"),
    [
        (None, None, None, ""),
        (NOON, None, None, ""),
        (utc("2026-11-24 13:00"), None, utc("2026-11-24 13:00"), "its time has not come"),
        (None, NIGHT, utc("2026-11-24 22:00"), "its windows are closed"),
        (utc("2026-11-24 13:00"), NIGHT, utc("2026-11-24 22:00"), "its windows are closed"),
        (utc("2026-11-24 23:30"), NIGHT, utc("2026-11-24 23:30"), "its time has not come"),
        (utc("2026-11-25 07:00"), NIGHT, utc("2026-11-25 22:00"), "its windows are closed"),
    ],
)
def test_what_holds_a_job_is_told_with_the_time_at_which_it_may_begin(
    not_before: datetime | None, windows: Windows | None, until: datetime | None, cause: str
) -> None:
    one = entry("a", not_before=not_before, windows=windows)
    hold = Hold.of(one, NOON)
    assert (hold.until, hold.cause) == (until, cause)
    if until is not None:
        assert hold.again == until
        assert Hold.of(one, until).cause == ""
        assert begins([one], now=until - timedelta(seconds=1)) is None


def test_the_answer_is_good_until_the_clock_alone_may_change_it() -> None:
    assert Hold.of(entry("a"), NOON).again.year == 9999
    assert Hold.of(entry("a", not_before=utc("2026-11-25 01:00")), NOON).again == utc("2026-11-25 01:00")
    windowed = entry("b", windows=NIGHT)
    assert Hold.of(windowed, NOON).again == utc("2026-11-24 22:00")
    assert Hold.of(windowed, utc("2026-11-24 22:00")).again == utc("2026-11-25 06:00")


def test_an_entry_takes_what_its_job_says_and_the_later_of_two_reasons_to_wait() -> None:
    content = b"""
        name = "a"
        priority = 7
        not_before = 2026-11-24T13:00:00Z
        deadline = 2026-11-25T04:00:00Z
        windows = ["22:00-06:00"]
        [[restore]]
        vm = "fs01"
        paths = ["*"]
        to = "/restore"
    """
    job = read_job(content, "a.toml")
    found = QueueEntry.of(job, "d1", NOON, "run-1", utc("2026-11-24 12:30"))
    assert found == QueueEntry("d1", "a", NOON, 7, job.not_before, job.deadline, NIGHT, "run-1")
    later = utc("2026-11-24 15:00")
    assert QueueEntry.of(job, "d1", NOON, not_before=later).not_before == later


ENTRIES = st.lists(
    st.builds(
        entry,
        st.sampled_from("abc"),
        st.integers(0, 5),
        st.integers(-2, 2),
        st.sampled_from([None, NOON, NOON + timedelta(hours=3)]),
        st.sampled_from([None, NOON, NOON + timedelta(hours=2)]),
        st.sampled_from([Windows.of(), NIGHT]),
    ),
    max_size=6,
)


@given(ENTRIES, ENTRIES, st.integers(1, 4))
def test_what_begins_is_never_held_nor_running_and_something_begins_when_it_can(
    waiting: list[QueueEntry], running: list[QueueEntry], at_once: int
) -> None:
    one = begins(waiting, running, at_once)
    names = {entry.job for entry in running}
    may = [entry for entry in waiting if entry.job not in names and not Hold.of(entry, NOON).cause]
    if one is None:
        assert len(running) >= at_once or not may
    else:
        assert one in may
        assert one.turn == min(entry.turn for entry in may)
