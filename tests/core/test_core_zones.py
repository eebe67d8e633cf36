"""A wall time is one instant, also when the clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.zones import instant_of, on_the_wall, zone_of

# Half an hour (Lord Howe), a change at midnight (Havana), a lost day (Apia, 2011-12-30), two hours (Troll).
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("America/Havana", "Pacific/Apia", "Antarctica/Troll"),
)
WALLS = st.datetimes(datetime(2008, 1, 1), datetime(2032, 1, 1)).map(lambda wall: wall.replace(microsecond=0))  # noqa: DTZ001 - walls


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown", "instant"),
    [
        ("Europe/Berlin", "2026-11-24 22:00", "2026-11-24 21:00"),
        ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29 00:59"),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30"),
        ("America/Havana", "2026-03-08 00:30", "2026-03-08 05:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00"),
    ],
)
def test_a_skipped_time_is_the_first_instant_after_the_gap_and_a_repeated_one_the_first_of_two(
    zone: str, shown: str, instant: str
) -> None:
    assert instant_of(wall(shown), zone_of(zone)) == utc(instant)


@given(st.sampled_from(ZONES), WALLS, WALLS)
def test_a_later_wall_time_is_never_an_earlier_instant(zone: str, one: datetime, two: datetime) -> None:
    first, second = sorted((one, two))
    assert instant_of(first, zone_of(zone)) <= instant_of(second, zone_of(zone))


@given(st.sampled_from(ZONES), WALLS)
def test_the_instant_of_a_wall_time_shows_that_time_or_follows_a_gap(zone: str, shown: datetime) -> None:
    instant = instant_of(shown, zone_of(zone))
    if on_the_wall(instant, zone_of(zone)) != shown:
        just_before = on_the_wall(instant - timedelta(seconds=1), zone_of(zone))
        assert just_before < shown < on_the_wall(instant, zone_of(zone))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Europe/Berln", "'Europe/Berln' is no time zone; did you mean Europe/Berlin?"),
        ("berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("Europe", "'Europe' is no time zone"),
        ("../etc/passwd", "is no time zone"),
        ("/etc/passwd", "is no time zone"),
        ("", "is no time zone; write one such as Europe/Berlin"),
        ("a\0b", "is no time zone"),
        ("\udcff", "is no time zone"),
        ("x" * 5000, "is no time zone"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_one_that_may_have_been_meant(name: str, message: str) -> None:
    with pytest.raises(ValueError, match="is no time zone") as refused:
        zone_of(name)
    assert message in str(refused.value)
