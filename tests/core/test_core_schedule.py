"""Cron times: what is due, what was missed, and what the changes of the clocks make of it."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.schedule import MISSED_TOLD, Schedule, due
from orchestrator.core.zones import on_the_wall
from tests.core.test_core_zones import ZONES, utc

HOUR = timedelta(hours=1)
INSTANTS = st.datetimes(datetime(2009, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone given
CRONS = st.sampled_from(
    ["30 2 * * *", "0 0 * * *", "*/15 1-4 * * *", "0 * * * *", "*/20 * * * SUN", "59 23 L * *", "0 6 1,15 * MON#1"]
)


def times(cron: str, zone: str, start: str, count: int) -> list[str]:
    found = islice(Schedule.of(cron, zone).after(utc(start)), count)
    return [f"{time:%m-%d %H:%M}" for time in found]


def test_a_time_of_the_day_keeps_its_place_on_the_wall_through_the_year() -> None:
    assert times("30 22 * * *", "Europe/Berlin", "2026-03-27", 3) == ["03-27 21:30", "03-28 21:30", "03-29 20:30"]


def test_a_time_that_is_skipped_in_spring_is_due_at_the_first_instant_after_the_gap() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-03-28", 3) == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]


def test_several_times_in_one_gap_are_due_once() -> None:
    assert times("*/15 2 * * *", "Europe/Berlin", "2026-03-29", 2) == ["03-29 01:00", "03-30 00:00"]


def test_a_time_that_is_repeated_in_autumn_is_due_once_at_the_first() -> None:
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-24", 3) == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]
    assert times("30 2 * * *", "Europe/Berlin", "2026-10-25 00:45", 1) == ["10-26 01:30"]


def test_every_hour_goes_by_real_time_through_both_changes() -> None:
    for start in ("2026-03-28 22:30", "2026-10-24 22:30"):
        found = list(islice(Schedule.of("0 * * * *", "Europe/Berlin").after(utc(start)), 8))
        assert {later - sooner for sooner, later in pairwise(found)} == {HOUR}


def test_due_times_of_a_day_that_few_months_have_are_found() -> None:
    assert times("0 0 29 2 *", "UTC", "2026-01-01", 1) == ["02-29 00:00"]
    assert times("0 3 * * SAT#1", "UTC", "2026-11-24", 1) == ["12-05 03:00"]


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("", "has 0 fields, cron times have five"),
        ("daily", "has 1 field, cron times have five: minute hour day month weekday, such as 30 2 * * SAT"),
        ("0 0 2 * * *", "has 6 fields"),
        ("60 2 * * *", "(bad minute)"),
        ("0 25 * * *", "(bad hour)"),
        ("0 2 30 2 *", "(bad day-of-month)"),
        ("0 2 * * XXX", "(bad day-of-week)"),
        ("0 2 * 13 *", "(bad month)"),
        ("*/0 2 * * *", "(bad minute)"),
    ],
)
def test_words_that_are_no_cron_times_are_refused(cron: str, message: str) -> None:
    with pytest.raises(ValueError, match="cron times") as refused:
        Schedule.of(cron)
    assert message in str(refused.value)


@given(st.text(alphabet="0123456789*,-/#LW ?SUNab²", max_size=24))
def test_any_text_is_a_schedule_or_refused_in_words(text: str) -> None:
    try:
        schedule = Schedule.of(text)
    except ValueError as refused:
        assert "cron times" in str(refused) or "never due" in str(refused)  # noqa: PT017 - either is fine
    else:
        assert schedule.next_after(utc("2026-11-24")) is not None


@given(CRONS, st.sampled_from(ZONES), INSTANTS)
def test_due_times_rise_and_nothing_lies_between_a_time_and_the_next(cron: str, zone: str, start: datetime) -> None:
    schedule = Schedule.of(cron, zone)
    found = list(islice(schedule.after(start), 6))
    assert start < found[0]
    assert all(sooner < later for sooner, later in pairwise(found))
    assert all(time.tzinfo is UTC for time in found)
    for sooner, later in pairwise([start, *found]):
        assert schedule.next_after(sooner + (later - sooner) / 2) == later


@given(st.sampled_from(ZONES), INSTANTS)
@example("Pacific/Apia", utc("2011-12-01 00:00"))
def test_a_daily_time_is_due_once_for_every_day_that_the_wall_shows(zone: str, start: datetime) -> None:
    schedule = Schedule.of("30 2 * * *", zone)
    days = [on_the_wall(time, schedule.zone).date() for time in islice(schedule.after(start), 40)]
    # Apia had no 30 December 2011: what was due then is due when the 31st begins, beside what is due on the 31st.
    left_out = zone == "Pacific/Apia"
    assert len(set(days)) >= 40 - left_out
    shortest = timedelta(days=0 if left_out else 1)
    assert all(shortest <= later - sooner <= timedelta(days=2) for sooner, later in pairwise(days))


DAILY = Schedule.of("0 2 * * *", "UTC")


def test_a_time_that_has_just_come_is_run() -> None:
    assert due(DAILY, utc("2026-11-23 02:00"), utc("2026-11-24 02:00"), HOUR) == (utc("2026-11-24 02:00"), [])


def test_nothing_is_due_before_the_time_or_when_the_clock_was_set_back() -> None:
    assert due(DAILY, utc("2026-11-23 02:00"), utc("2026-11-24 01:59"), HOUR) == (None, [])
    assert due(DAILY, utc("2026-11-24 02:00"), utc("2026-11-23 22:00"), HOUR) == (None, [])


def test_of_several_missed_times_the_last_is_run_once_when_it_lies_within_the_grace() -> None:
    now = utc("2026-11-24 03:00")
    assert due(DAILY, utc("2026-11-21 02:00"), now, HOUR) == (
        utc("2026-11-24 02:00"),
        [utc("2026-11-22 02:00"), utc("2026-11-23 02:00")],
    )


def test_a_last_time_that_is_too_old_is_told_as_missed_with_the_others() -> None:
    now = utc("2026-11-24 03:01")
    assert due(DAILY, utc("2026-11-22 02:00"), now, HOUR) == (
        None,
        [utc("2026-11-23 02:00"), utc("2026-11-24 02:00")],
    )


def test_a_year_of_every_minute_is_answered_with_the_newest_missed_times() -> None:
    run_now, missed = due(Schedule.of("* * * * *"), utc("2025-11-24"), utc("2026-11-24"), HOUR)
    assert run_now == utc("2026-11-24")
    assert missed == [utc("2026-11-24") - timedelta(minutes=back) for back in range(MISSED_TOLD, 0, -1)]


def test_a_yearly_time_that_was_missed_long_ago_is_told() -> None:
    assert due(Schedule.of("0 2 1 1 *"), utc("2025-11-24"), utc("2026-11-24"), HOUR) == (
        None,
        [utc("2026-01-01 02:00")],
    )


@given(CRONS, st.sampled_from(ZONES), INSTANTS, st.lists(st.integers(0, 200_000), max_size=8))
def test_however_often_one_looks_every_time_is_run_or_missed_exactly_once(
    cron: str, zone: str, start: datetime, steps: list[int]
) -> None:
    schedule = Schedule.of(cron, zone)
    seen, told = start, []
    for step in steps:
        now = seen + timedelta(seconds=step)
        run_now, missed = due(schedule, seen, now, HOUR)
        told += [*missed, *([run_now] if run_now else [])]
        seen = now
    expected = []
    for time in schedule.after(start):
        if time > seen:
            break
        expected.append(time)
    # A long step may have more missed times than are told.
    assert told == expected or (set(told) < set(expected) and len(told) >= MISSED_TOLD)
