"""Windows open and close by the clock on the wall, also over midnight, over the week's end and when clocks change."""

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.windows import Window, Windows
from tests.core.test_core_schedule import INSTANTS
from tests.core.test_core_zones import ZONES, utc

BERLIN = "Europe/Berlin"
TEXTS = st.sampled_from(
    ["22:00-06:00", "02:15-02:45", "Mon-Fri 22:00-06:00", "Sat,Sun 00:00-24:00", "Fri-Mon 12:00-13:30", "00:00-24:00"]
)


def next_close(text: str, at: str, zone: str = BERLIN) -> datetime | None:
    return Windows.of([text], zone).next_close(utc(at))


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-06:00", Window(frozenset(range(7)), 1320, 360)),
        (" 9:05 - 24:00 ", Window(frozenset(range(7)), 545, 1440)),
        ("Mon-Fri 22:00-06:00", Window(frozenset(range(5)), 1320, 360)),
        ("sat,SUN 00:00-24:00", Window(frozenset({5, 6}), 0, 1440)),
        ("Fri-Mon, Wed 12:00-13:00", Window(frozenset({4, 5, 6, 0, 2}), 720, 780)),
    ],
)
def test_a_window_is_read(text: str, window: Window) -> None:
    assert Window.of(text) == window


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no window; write it as 22:00-06:00 or Mon-Fri 22:00-06:00"),
        ("22-6", "is no window"),
        ("22:00 to 06:00", "is no window"),
        ("22:60-06:00", "'22:60' is no time of day"),
        ("22:00-24:01", "'24:01' is no time of day"),
        ("24:00-06:00", "opens at 00:00, not at 24:00"),
        ("06:00-06:00", "write 00:00-24:00 for the whole day"),
        ("Mo-Fr 22:00-06:00", "'Mo' is no day of the week; write Mon, Tue"),
        ("Mon--Fri 22:00-06:00", "'-Fri' is no day of the week"),
    ],
)
def test_a_text_that_is_no_window_is_refused_with_how_to_write_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Window.of(text)


def test_a_window_over_midnight_is_open_from_the_evening_to_the_morning() -> None:
    windows = Windows.of(["22:00-06:00"])
    is_open = {hour for hour in range(24) if windows.is_open(utc(f"2026-11-24 {hour:02}:00"))}
    assert is_open == {22, 23, 0, 1, 2, 3, 4, 5}


def test_the_days_are_those_on_which_a_window_opens() -> None:
    windows = Windows.of(["Mon-Fri 22:00-06:00"])
    assert windows.is_open(utc("2026-11-28 05:59"))  # Saturday morning belongs to Friday
    assert not windows.is_open(utc("2026-11-29 05:59"))
    assert windows.next_open(utc("2026-11-28 06:00")) == utc("2026-11-30 22:00")


def test_windows_that_meet_close_when_the_last_of_them_does() -> None:
    windows = Windows.of(["20:00-23:00", "22:30-02:00", "02:00-03:00"])
    assert windows.next_close(utc("2026-11-24 20:00")) == utc("2026-11-25 03:00")


def test_without_windows_and_around_the_clock_it_never_closes() -> None:
    for windows in (Windows.of(), Windows.of(["00:00-24:00"], BERLIN), Windows.of(["12:00-01:00", "00:30-12:00"])):
        assert windows.is_open(utc("2026-11-24 13:00"))
        assert windows.next_open(utc("2026-11-24 13:00")) == utc("2026-11-24 13:00")
        assert windows.next_close(utc("2026-11-24 13:00")) is None


def test_a_closed_window_closes_now() -> None:
    assert next_close("22:00-06:00", "2026-11-24 12:00") == utc("2026-11-24 12:00")


def test_the_night_of_a_change_is_an_hour_shorter_or_longer() -> None:
    assert next_close("22:00-06:00", "2026-03-28 21:00") == utc("2026-03-29 04:00")
    assert next_close("22:00-06:00", "2026-10-24 20:00") == utc("2026-10-25 05:00")


def test_a_window_that_closes_in_the_repeated_hour_closes_at_the_first_and_stays_closed() -> None:
    windows = Windows.of(["22:00-02:30"], BERLIN)
    assert windows.next_close(utc("2026-10-24 20:00")) == utc("2026-10-25 00:30")
    assert not windows.is_open(utc("2026-10-25 01:15"))


def test_a_window_that_opens_in_the_gap_opens_after_it_and_one_that_lies_in_it_waits_for_the_next_day() -> None:
    assert Windows.of(["02:30-05:00"], BERLIN).next_open(utc("2026-03-29 00:30")) == utc("2026-03-29 01:00")
    assert Windows.of(["02:15-02:45"], BERLIN).next_open(utc("2026-03-29 00:30")) == utc("2026-03-30 00:15")
    assert Windows.of(["Sun 02:15-02:45"], BERLIN).next_open(utc("2026-03-29 00:30")) == utc("2026-04-05 00:15")


@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(ZONES), INSTANTS)
def test_it_is_closed_until_the_next_opening_and_open_until_the_next_closing(
    texts: list[str], zone: str, at: datetime
) -> None:
    windows = Windows.of(texts, zone)
    opened = windows.next_open(at)
    assert windows.is_open(opened)
    assert (opened == at) == windows.is_open(at)
    assert not windows.is_open(at + (opened - at) / 2) or opened == at
    closed = windows.next_close(opened)
    if closed is not None:
        assert opened < closed
        assert windows.is_open(closed - timedelta(seconds=1))
        assert windows.is_open(opened + (closed - opened) / 2)
        assert not windows.is_open(closed)
