"""Wall clocks of time zones: what a clock on the wall shows, as an instant.

Twice a year most zones skip an hour or repeat one, and here is what that means everywhere in this package:
- a wall time inside the hour that is skipped stands for the first instant after it;
- a wall time inside the hour that is repeated stands for the first of the two.

So every wall time is exactly one instant, and a later wall time is never an earlier instant. Instants are UTC: Python
compares two times of one zone by what the wall shows, which is wrong around a change.
"""

import difflib
import re
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name; ValueError with what may have been meant. Its file is read once."""
    try:
        return ZoneInfo(name)
    # A name that is a folder (`Europe`) or no zone file at all is an error of the system or of the file's format.
    except (KeyError, ValueError, OSError):
        close = _meant(name)
        hint = f"; did you mean {close}?" if close else ""
        raise ValueError(
            f"{name!r} is no time zone{hint}" if hint else f"{name!r} is no time zone; write one such as Europe/Berlin"
        ) from None


def _meant(name: str) -> str:
    """The zone that a misspelt name, or only its last part (`Berlin`), stands for; nothing when none is close."""
    known = {zone.casefold(): zone for zone in sorted(available_timezones())}
    known |= {zone.rpartition("/")[2].casefold(): zone for zone in sorted(available_timezones()) if "/" in zone}
    close = difflib.get_close_matches(name.strip().replace(" ", "_").casefold(), known, n=1, cutoff=0.75)
    return known[close[0]] if close else ""


def typed_time(text: str) -> datetime:
    """A date and a time of day that somebody has written (ISO 8601); ValueError for anything else, a day alone too."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date and time; write it as 2026-11-20T18:00:00Z") from None
    if not re.search(r"\d[T ]\d", text):
        day = moment.date()
        raise ValueError(f"{text} is a day without a time; add one, such as {day}T18:00:00Z")
    return moment


def on_the_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows at `instant`, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which a clock on the wall shows `wall`, or the first one after it when it never does."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if on_the_wall(instant, zone) == wall:
        return instant
    return _end_of_gap(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), instant, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant of the new offset, between one of the old and one of the new."""
    new = after.astimezone(zone).utcoffset()
    seconds = range(int((after - before).total_seconds()) + 1)
    first = bisect_left(seconds, True, key=lambda second: _offset(before, second, zone) == new)
    return before + timedelta(seconds=first)


def _offset(instant: datetime, seconds: int, zone: ZoneInfo) -> timedelta | None:
    return (instant + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
