"""The hours in which mounts may be open, such as `22:00-06:00` or `Mon-Fri 22:00-06:00`.

A window opens and closes when a clock on the wall shows it (`core.zones` says what that means when the clocks change):
the night of a change is an hour longer or shorter, and a window that lies wholly in the hour that is skipped does not
open that day. The days are those on which a window opens: `Fri 22:00-06:00` ends on Saturday morning.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.zones import instant_of, on_the_wall, zone_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WINDOW = re.compile(r"(?:(?P<days>[A-Za-z,\- ]+) )?(?P<opens>\d\d?:\d\d) ?- ?(?P<closes>\d\d?:\d\d)")
_HINT = "write it as 22:00-06:00 or Mon-Fri 22:00-06:00"
_DAY = 24 * 60
# A clock that skips an hour can leave a weekly window out; the one of the week after is the next.
_AHEAD = 16
# All windows come again after a week: what has not closed by then never does.
_NEVER = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Window:
    """One window. `opens` and `closes` are minutes of the day on the wall; one that goes over midnight closes at a
    smaller number. Monday is day 0."""

    days: frozenset[int]
    opens: int
    closes: int

    @staticmethod
    def of(text: str) -> "Window":
        """ValueError when the text is no window."""
        found = _WINDOW.fullmatch(" ".join(text.split()))
        if found is None:
            raise ValueError(f"{text!r} is no window; {_HINT}")
        opens, closes = _minutes(found["opens"]), _minutes(found["closes"])
        if opens == _DAY:
            raise ValueError(f"{text!r}: a window opens at 00:00, not at 24:00")
        if opens == closes:
            raise ValueError(f"{text!r} opens and closes at the same time; write 00:00-24:00 for the whole day")
        return Window(_days(found["days"]) if found["days"] else frozenset(range(7)), opens, closes)

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
        """When the window of `day` opens and closes, in UTC; None when it does not open that day."""
        if day.weekday() not in self.days:
            return None
        midnight = datetime.combine(day, time())
        closes = self.closes if self.closes > self.opens else self.closes + _DAY
        opened = instant_of(midnight + timedelta(minutes=self.opens), zone)
        closed = instant_of(midnight + timedelta(minutes=closes), zone)
        return (opened, closed) if opened < closed else None


@dataclass(frozen=True, slots=True)
class Windows:
    """Several windows in one time zone. Without any it is always open."""

    windows: tuple[Window, ...]
    zone: ZoneInfo

    @staticmethod
    def of(texts: Sequence[str] = (), time_zone: str = "UTC") -> "Windows":
        """ValueError when one of them is no window."""
        return Windows(tuple(map(Window.of, texts)), zone_of(time_zone))

    def is_open(self, at: datetime) -> bool:
        """Whether mounts may be open at an instant. The instant at which a window closes is outside."""
        return not self.windows or self._closing(at) is not None

    def next_open(self, at: datetime) -> datetime:
        """`at` while a window is open, else when the next one opens."""
        if self.is_open(at):
            return at
        return min(opened for opened, _ in self._around(at, _AHEAD) if opened > at)

    def next_close(self, at: datetime) -> datetime | None:
        """When the window that is open at `at` closes and none is open any more; `at` itself when none is open; None
        when there is always one open."""
        if not self.windows:
            return None
        closed = at
        while (later := self._closing(closed)) is not None:
            closed = later
            if closed - at > _NEVER:
                return None
        return closed

    def _closing(self, at: datetime) -> datetime | None:
        """When the last of the windows that are open at `at` closes; None when none is."""
        return max((closed for opened, closed in self._around(at, 1) if opened <= at < closed), default=None)

    def _around(self, at: datetime, ahead: int) -> Iterator[tuple[datetime, datetime]]:
        today = on_the_wall(at, self.zone).date()
        # Two days back: a window over midnight, in a zone that has just gone a day ahead.
        for number in range(-2, ahead + 1):
            for window in self.windows:
                if found := window.on(today + timedelta(days=number), self.zone):
                    yield found


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > _DAY:
        raise ValueError(f"{text!r} is no time of day; {_HINT}")
    return total


def _days(text: str) -> frozenset[int]:
    """`Mon-Fri`, `Sat,Sun`, `Fri-Mon` (over the end of the week)."""
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        begin = _day(first)
        end = _day(last) if last else begin
        days |= {number % 7 for number in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(days)


def _day(text: str) -> int:
    try:
        return DAYS.index(text.strip().casefold())
    except ValueError:
        raise ValueError(f"{text.strip()!r} is no day of the week; write Mon, Tue, Wed, Thu, Fri, Sat or Sun") from None
