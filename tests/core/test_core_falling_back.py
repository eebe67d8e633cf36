"""A group that turns to its next restore point, and a plan whose run had turned already."""

from dataclasses import replace

import pytest

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.falling_back import as_taken, plan_as_taken, turned_to_next
from orchestrator.core.ledger import LeaseRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.core.reasons import Reason
from orchestrator.core.residual import residual_job
from tests.core.values import AT, group, point

POINTS = [point("fs01", uid) for uid in ("u1", "u2", "u3")]
GROUP = replace(group("fs01", uid="g1"), point=POINTS[0], others=(POINTS[1], POINTS[2]))


def lease(number: int, uid: str, *, mounted: bool, of: str = "g1") -> LeaseRow:
    href = f"/mounts/{number}" if mounted else ""
    one = next(each for each in POINTS if each.uid == uid)
    return LeaseRow(str(number), "r1", of, "s1", one, LeaseState.CONFIRMED, AT, mount_href=href)


def order(one: MountGroup) -> tuple[list[str], str, list[str]]:
    return [each.uid for each in one.instead_of], one.point.uid, [each.uid for each in one.others]


def test_a_group_turns_from_point_to_point_and_remembers_those_before() -> None:
    assert order(GROUP) == ([], "u1", ["u2", "u3"])
    assert order(turned_to_next(GROUP)) == (["u1"], "u2", ["u3"])
    assert order(turned_to_next(turned_to_next(GROUP))) == (["u1", "u2"], "u3", [])
    assert turned_to_next(GROUP, 2) == turned_to_next(turned_to_next(GROUP))


@pytest.mark.parametrize(
    ("leases", "taken"),
    [
        ([], "u1"),
        ([lease(1, "u1", mounted=True)], "u1"),
        ([lease(1, "u1", mounted=False), lease(2, "u2", mounted=False)], "u1"),
        ([lease(1, "u1", mounted=False), lease(2, "u2", mounted=True)], "u2"),
        ([lease(1, "u1", mounted=True), lease(2, "u3", mounted=True), lease(3, "u3", mounted=False)], "u3"),
        ([lease(1, "u3", mounted=True, of="g2")], "u1"),
    ],
)
def test_the_point_that_was_mounted_last_is_the_one_that_was_taken(leases: list[LeaseRow], taken: str) -> None:
    assert as_taken(GROUP, leases).point.uid == taken
    [found] = plan_as_taken(Plan("r1", "j", (GROUP,)), leases).groups
    assert found.point.uid == taken


def test_what_was_not_restored_is_asked_for_again_from_the_point_that_was_taken() -> None:
    plan = plan_as_taken(Plan("r1", "j", (GROUP,)), [lease(1, "u2", mounted=True)])
    failed = Outcome("g1", "C:\\a\\x", "", Verdict.FAILED, reason=Reason.LOCKED, message="locked")
    assert 'restore_point = "u2"' in (residual_job(plan, [failed]) or "")
