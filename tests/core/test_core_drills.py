"""The trend of restore drills."""

import pytest

from orchestrator.core.drills import DrillTrend, drill_trends
from orchestrator.core.drops import DrillRow
from tests.support.ledger_rows import later, make_drill


def drills(*seconds: float, job: str = "monthly", exit_code: int = 0) -> list[DrillRow]:
    """Drills that took `seconds`, newest first."""
    return [
        make_drill(f"{job}-{number}", job=job, seconds=one, exit_code=exit_code, ended=later(-number))
        for number, one in enumerate(seconds)
    ]


def test_the_last_five_are_compared_with_the_five_before_by_their_medians() -> None:
    [trend] = drill_trends(drills(120, 110, 500, 115, 125, 100, 90, 1, 100, 110, 9999, 9999))
    assert trend == DrillTrend("monthly", 120, 100, 5, 5)
    assert trend.change == pytest.approx(0.2)


def test_with_few_drills_there_is_less_to_compare() -> None:
    assert drill_trends(drills(10, 30, 20)) == [DrillTrend("monthly", 20, None, 3, 0)]
    assert drill_trends(drills(1, 1, 1, 1, 1, 4, 2)) == [DrillTrend("monthly", 1, 3, 5, 2)]
    assert drill_trends(drills(10))[0].change is None
    assert drill_trends([]) == []


@pytest.mark.parametrize(
    ("exit_code", "counts"), [(0, True), (3, True), (4, False), (5, False), (6, False), (7, False)]
)
def test_a_drill_that_did_not_come_to_its_end_does_not_count(exit_code: int, counts: bool) -> None:
    [trend] = drill_trends([*drills(1, exit_code=exit_code), *drills(10, 10, 10)])
    assert trend.recent_drills == 3 + counts


def test_a_job_whose_drills_all_failed_has_no_trend() -> None:
    assert drill_trends(drills(1, 2, exit_code=4)) == [DrillTrend("monthly", None, None, 0, 0)]


def test_each_job_has_its_own_trend() -> None:
    assert [one.job for one in drill_trends([*drills(1, job="b"), *drills(2, job="a")])] == ["a", "b"]


def test_a_drill_without_anything_to_restore_makes_no_trend() -> None:
    assert drill_trends(drills(1, 1, 1, 1, 1, 0, 0))[0].change is None
