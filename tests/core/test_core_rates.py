"""Bandwidths as text, and timetables of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.rates import LEAST, Timetable, rate_of, rate_text

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
OFFICE = ("Mon-Fri 08:00-18:00 20 MB/s", "22:00-06:00 none")


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("200 MB/s", 200_000_000),
        ("200MB/s", 200_000_000),
        ("50MB", 50_000_000),
        ("1.5 GB/s", 1_500_000_000),
        ("64 kB/s", 64_000),
        ("100 MiB/s", 100 << 20),
        ("500 Mbit/s", 62_500_000),
        ("1 Gbit/s", 125_000_000),
        ("none", None),
        (" None ", None),
    ],
)
def test_a_bandwidth_is_what_people_mean_by_it(text: str, rate: int | None) -> None:
    assert rate_of(text) == rate


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fast", "is no bandwidth; write it as 200 MB/s"),
        ("200", "is no bandwidth"),
        ("-5 MB/s", "is no bandwidth"),
        ("1e6 B/s", "is no bandwidth"),
        ("\u0662\u0660 MB/s", "is no bandwidth"),
        ("50 Mb/s", "as bits or as bytes"),
        ("50 mb/s", "as bits or as bytes"),
        ("50 XB/s", "'XB' is no unit"),
        ("0 MB/s", "less than 1 kB/s; to hold a run, say `orchestrator pause RUN`"),
        ("999 B/s", "less than 1 kB/s"),
    ],
)
def test_what_is_no_bandwidth_is_told_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        rate_of(text)


@given(st.integers(LEAST, 10**13))
def test_a_bandwidth_that_is_shown_can_be_given_again(rate: int) -> None:
    assert rate_of(rate_text(rate)) == rate


def test_a_bandwidth_is_shown_as_short_as_it_can_be() -> None:
    shown = [rate_text(one) for one in (20_000_000, 62_500_000, 1_234_567_890, 1001, None)]
    assert shown == ["20 MB/s", "62.5 MB/s", "1234567.89 kB/s", "1.001 kB/s", "none"]


@pytest.mark.parametrize(
    ("hours", "rate"),
    [(0, None), (5.99, None), (6, 100), (8, 20_000_000), (17.99, 20_000_000), (18, 100), (22, None), (5 * 24 + 9, 100)],
)
def test_the_first_line_of_a_timetable_whose_window_is_open_counts(hours: float, rate: int | None) -> None:
    timetable = Timetable.of(OFFICE, "UTC", 100)
    assert timetable.at(MONDAY + timedelta(hours=hours)) == rate


def test_of_two_open_windows_the_one_above_counts() -> None:
    timetable = Timetable.of(["08:00-18:00 20 MB/s", "00:00-24:00 50 MB/s"])
    assert [timetable.at(MONDAY + timedelta(hours=hour)) for hour in (7, 12)] == [50_000_000, 20_000_000]


def test_a_timetable_is_that_of_a_wall_clock() -> None:
    timetable = Timetable.of(["08:00-18:00 20 MB/s"], "Europe/Berlin")
    assert timetable.at(MONDAY + timedelta(hours=7, minutes=30)) == 20_000_000
    assert timetable.next_change(MONDAY) == MONDAY + timedelta(hours=7)


@pytest.mark.parametrize("text", ["08:00-18:00", "20 MB/s", "Mon-Fri 08:00-18:00 fast", "Mob 08:00-18:00 1 MB/s", ""])
def test_what_is_no_line_of_a_timetable_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no |write it as"):
        Timetable.of([text])


LINES = st.lists(
    st.builds(
        "{} {:02}:{:02}-{:02}:{:02} {}".format,
        st.sampled_from(["Mon-Fri", "Sat,Sun", "Fri-Mon", "Wed"]),
        st.integers(0, 23),
        st.sampled_from([0, 30]),
        st.integers(0, 23),
        st.sampled_from([15, 45]),
        st.sampled_from(["none", "1 MB/s", "2 MB/s"]),
    ),
    max_size=4,
)


@given(LINES, st.integers(0, 14 * 24 * 60))
def test_nothing_changes_before_the_next_change_and_something_at_it(lines: list[str], minutes: int) -> None:
    timetable, now = Timetable.of(lines), MONDAY + timedelta(minutes=minutes)
    change = timetable.next_change(now)
    until = change or now + timedelta(days=8)
    assert change is None or timetable.at(change) != timetable.at(now)
    assert {timetable.at(now + (until - now) * part / 97) for part in range(97)} == {timetable.at(now)}
