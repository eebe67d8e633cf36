"""The trend of restore drills: whether restoring takes longer than it did."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.core.drops import DrillRow
from orchestrator.core.errors import ExitCode

SPAN = 5
"""How many drills make a median: one slow night must not look like a trend."""


@dataclass(frozen=True, slots=True)
class DrillTrend:
    """The drills of one job: `recent` is the median time to restore, in seconds, of the last ones, `before` that of
    those before them; None when there are none. The other two say how many drills each is made of, at most SPAN."""

    job: str
    recent: float | None
    before: float | None
    recent_drills: int
    before_drills: int

    @property
    def change(self) -> float | None:
        """How much longer it takes now, as a share of `before`: 0.25 is a quarter longer; None when it is not known."""
        return self.recent / self.before - 1 if self.recent is not None and self.before else None


def drill_trends(drills: Iterable[DrillRow]) -> list[DrillTrend]:
    """The trend of each job, by job. `drills` come newest first. Those that did not come to their end (stopped, or a
    machine was missing) do not count, as they took less time than restoring takes."""
    jobs: dict[str, list[float]] = {}
    for one in drills:
        seconds = jobs.setdefault(one.job, [])
        if one.exit_code in (ExitCode.OK, ExitCode.PARTIAL):
            seconds.append(one.seconds)
    return [_trend(job, seconds[:SPAN], seconds[SPAN : 2 * SPAN]) for job, seconds in sorted(jobs.items())]


def _trend(job: str, recent: Sequence[float], before: Sequence[float]) -> DrillTrend:
    return DrillTrend(job, _median(recent), _median(before), len(recent), len(before))


def _median(seconds: Sequence[float]) -> float | None:
    if not seconds:
        return None
    from statistics import median  # and fractions and decimals with it, which only drills need

    return median(seconds)
