"""When a job recurs: cron times in a time zone, and what becomes of those that nobody was there for.

Five fields as cron(8) reads them: minute, hour, day of month, month, day of week. Around a change of the clocks:
- with hours in the second field (`30 2 * * *`, `*/9 1-4 * * *`) the times are wall times as in `core.zones`: one that
  is skipped is due at the first instant after the gap, one that is repeated is due once, at the first of the two;
- with `*` there (`0 * * * *`) the job goes by real time: it recurs in both hours of the repeated one, and times that no
  clock shows are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from orchestrator.core.zones import instant_of, on_the_wall, zone_of

MISSED_TOLD = 100
"""How many missed due times are told, the newest ones: a schedule of every minute may have missed a million."""

_FIRST_LOOK_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Due times. Made by `of`, which refuses what is no schedule."""

    cron: str
    time_zone: str
    zone: ZoneInfo

    @staticmethod
    def of(cron: str, time_zone: str = "UTC") -> "Schedule":
        """ValueError when the words are no cron times, or those of a day that no year has."""
        fields = cron.split()
        if len(fields) != 5:
            raise ValueError(
                f"{cron!r} has {len(fields)} field{'s'[: len(fields) != 1]}, cron times have five: "
                "minute hour day month weekday, such as 30 2 * * SAT"
            )
        zone = zone_of(time_zone)
        try:
            never = next(CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC)), None) is None
        except (CronSimError, AssertionError) as cause:
            raise ValueError(f"{cron!r} are no cron times ({str(cause).lower()})") from None
        if never:
            raise ValueError(f"{cron!r} is never due")
        return Schedule(" ".join(fields), time_zone, zone)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first due time after `instant`, in UTC; None when none comes for fifty years."""
        return next(self.after(instant), None)

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every due time after `instant`, in order, in UTC."""
        last = instant.astimezone(UTC)
        for due in self._by_real_time(last) if self.cron.split()[1] == "*" else self._by_the_wall(last):
            # Several wall times of one gap are one instant.
            if due > last:
                yield due
                last = due

    def _by_the_wall(self, instant: datetime) -> Iterator[datetime]:
        for wall in CronSim(self.cron, on_the_wall(instant, self.zone)):
            yield instant_of(wall, self.zone)

    def _by_real_time(self, instant: datetime) -> Iterator[datetime]:
        for local in CronSim(self.cron, instant.astimezone(self.zone)):
            yield local.astimezone(UTC)


def due(
    schedule: Schedule, last_seen: datetime, now: datetime, grace: timedelta
) -> tuple[datetime | None, list[datetime]]:
    """(the due time to run now, those that are missed) of all after `last_seen` up to `now`.

    However many there are, one run comes of them: for the last one, if that is not longer ago than `grace`. The rest
    are missed; so is the last when it is too old.
    """
    times = _between(schedule, last_seen, now)
    if times and now - times[-1] <= grace:
        return times[-1], times[:-1][-MISSED_TOLD:]
    return None, times[-MISSED_TOLD:]


def _between(schedule: Schedule, last_seen: datetime, now: datetime) -> list[datetime]:
    """The newest due times after `last_seen` up to `now`; more than MISSED_TOLD of them if there are more.

    Looked for in a span that grows backwards, so that a watcher that was away for a year answers at once.
    """
    span = _FIRST_LOOK_BACK
    while True:
        begin = max(last_seen, now - span)
        times: list[datetime] = []
        for time in schedule.after(begin):
            if time > now:
                break
            times.append(time)
        if begin == last_seen or len(times) > MISSED_TOLD:
            return times
        span *= 4
