"""What a fleet is told and how it stands, as values."""

import pytest

from orchestrator.core.fleet import (
    Member,
    MemberKind,
    MemberNow,
    MemberState,
    Order,
    Pace,
    Queued,
    SiteNow,
    sites_now,
    strictest,
    stuck,
)
from orchestrator.core.limiting import ByHand, Limit

ALL, SERVER, OF_RUN = Limit("bandwidth"), Limit("bandwidth", backup_server="vbr01"), Limit("bandwidth", "r")


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ([()], {}),
        ([((ALL, 5),), ((ALL, 3), (SERVER, 9))], {ALL: 3, SERVER: 9}),
        ([((ALL, 5),), ((ALL, None),)], {ALL: 5}),
        ([((ALL, None),), ((ALL, 5),)], {ALL: 5}),
        ([((ALL, None),), ()], {ALL: None}),
        ([((OF_RUN, 5),), ((Limit("bandwidth", "s"), 3),)], {OF_RUN: 5, Limit("bandwidth", "s"): 3}),
    ],
)
def test_of_what_several_submitters_have_changed_the_least_counts(
    said: list[ByHand], counts: dict[Limit, int | None]
) -> None:
    assert strictest(Order(by_hand=one) for one in said) == counts


def member(name: str, site: str = "", state: MemberState = MemberState.SERVING, silent: float = 0.0) -> MemberNow:
    who = Member(f"id-{name}", name, MemberKind.WORKER, site, 4, "host", "1", 10.0)
    return MemberNow(who, state, silent, 2, Pace(10.0, 1e6))


def test_a_site_is_as_fast_as_those_of_its_workers_that_live() -> None:
    members = [
        member("b1", "berlin"),
        member("b2", "berlin", MemberState.DRAINING),
        member("b3", "berlin", silent=11.0),
        member("b4", "berlin", MemberState.DEAD),
        member("m1", "munich"),
    ]
    assert sites_now(members) == [
        SiteNow("berlin", 2, 4, Pace(20.0, 2e6)),
        SiteNow("munich", 1, 2, Pace(10.0, 1e6)),
    ]


@pytest.mark.parametrize(
    ("queued", "why"),
    [
        (Queued(3, (), {}), ""),
        (Queued(3, ("munich", "berlin"), {}), ""),
        (Queued(3, ("berlin",), {"b1": "no share"}), ""),
        (
            Queued(3, ("berlin",), {"b1": "no share", "b2": "no target"}),
            "b1 refuses: no share; b2 refuses: no target",
        ),
        (
            Queued(3, ("munich", "bonn"), {}),
            "no worker of munich or bonn is serving; start one: orchestrator worker --site munich",
        ),
    ],
)
def test_what_waits_for_nobody_has_a_reason_in_words(queued: Queued, why: str) -> None:
    members = [
        member("b1", "berlin"),
        member("b2", "berlin"),
        member("m1", "munich", MemberState.DRAINING),
        member("m2", "munich", silent=11.0),
    ]
    assert stuck([queued], members) == ({why: 3} if why else {})


def test_what_a_dead_worker_has_waits_for_any_other() -> None:
    orphans = [Queued(3, (), {}, orphaned=True)]
    assert stuck(orphans, [member("m1", "munich", MemberState.DEAD), member("b1", "berlin")]) == {}
    why = "the worker that had it is dead, and no other is there to delete its mount; start one: orchestrator worker"
    assert stuck(orphans, [member("m1", "munich", silent=11.0)]) == {why: 3}
