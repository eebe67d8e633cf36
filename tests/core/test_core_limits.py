"""Which mount group may start next."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.limits import Limits, next_group
from orchestrator.core.plan import MountGroup
from tests.core.values import group

MACHINES = st.sampled_from(["fs01", "FS01", "fs02", "web"])
SERVERS = st.sampled_from(["vbr01", "vbr02"])
GROUPS = st.lists(st.builds(group, MACHINES, SERVERS, st.uuids().map(str)), max_size=12)


@given(GROUPS, st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
def test_the_limits_are_never_passed_and_points_of_one_machine_never_mounted_together(
    waiting: list[MountGroup], total: int, one: int, default: int
) -> None:
    limits = Limits(total, {"vbr01": one}, default)
    running: list[MountGroup] = []
    while (chosen := next_group(waiting, running, limits)) is not None:
        waiting = [other for other in waiting if other is not chosen]
        running.append(chosen)
        assert len(running) <= total
        per_server = Counter(other.point.backup_server for other in running)
        assert per_server["vbr01"] <= one
        assert per_server["vbr02"] <= default
        machines = [(other.point.backup_server, other.vm.casefold()) for other in running]
        assert len(machines) == len(set(machines))
    if not running:
        assert not waiting


def test_the_first_group_of_the_plan_that_has_room_goes_next() -> None:
    first, blocked, third = group("fs01"), group("fs02"), group("web", "vbr02")
    limits = Limits(10, {"vbr01": 1})
    assert next_group([first, blocked, third], [], limits) is first
    assert next_group([blocked, third], [first], limits) is third


def test_the_server_that_needs_longest_goes_next_although_another_has_a_longer_group() -> None:
    """Both may have one mount: vbr01 needs 90 s for its three groups, vbr02 no more than 50."""
    short = [replace(group(f"web{number}", "vbr01"), weight=30.0) for number in range(3)]
    long = replace(group("fs01", "vbr02"), weight=50.0)
    assert next_group([long, *short], [], Limits(1, default_per_server=1)) is short[0]
    assert next_group([long, *short], [], Limits(1, default_per_server=3)) is long


def test_a_group_that_is_tried_again_waits_for_the_others_of_its_server() -> None:
    again, others = replace(group("fs01"), weight=90.0), [replace(group("fs02"), weight=1.0)]
    assert next_group([*others, again], [], Limits(4)) is others[0]


def test_one_machine_on_two_backup_servers_may_be_mounted_twice() -> None:
    assert next_group([group("fs01", "vbr02")], [group("fs01")], Limits(10)) is not None


def test_nothing_waiting_or_no_seat_left_gives_none() -> None:
    assert next_group([], [], Limits(10)) is None
    assert next_group([group("web")], [group("fs01")], Limits(1)) is None
