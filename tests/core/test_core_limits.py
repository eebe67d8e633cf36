"""Which mount group may start next."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.limits import Limits, kept_for, next_group
from orchestrator.core.plan import MountGroup
from orchestrator.core.whereabouts import chain_of
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


HOSTS = st.frozensets(st.sampled_from(["a", "b", "c"]), min_size=1)


def of_chain(vm: str, chain: str, server: str = "vbr01") -> MountGroup:
    made = group(vm, server)
    return replace(made, point=replace(made.point, backup_file=chain))


def on(places: dict[str, frozenset[str]]) -> Callable[[MountGroup], frozenset[str]]:
    """The hosts of each machine."""
    return lambda one: places[one.vm]


@given(st.dictionaries(st.sampled_from([f"vm{number}" for number in range(9)]), HOSTS), st.integers(1, 3))
def test_whatever_is_known_of_mount_hosts_none_carries_more_than_it_can_and_everyone_gets_a_turn(
    places: dict[str, frozenset[str]], most: int
) -> None:
    limits = Limits(20, default_per_server=20, per_host={"a": 1, "b": most})
    waiting, running = [group(name) for name in places], list[MountGroup]()
    while waiting:
        while (chosen := next_group(waiting, running, limits, on(places))) is not None:
            waiting = [one for one in waiting if one is not chosen]
            running.append(chosen)
            taken = Counter(host for one in running for host in places[one.vm])
            assert taken["a"] <= 1
            assert taken["b"] <= most
        assert running, "nobody has a turn although nothing runs"
        running.pop(0)


@given(st.lists(st.sampled_from(["", "x", "y"]), max_size=8), st.integers(1, 2))
def test_of_one_chain_no_more_are_mounted_than_its_storage_lets_open(chains: list[str], most: int) -> None:
    waiting = [of_chain(f"vm{number}", chain) for number, chain in enumerate(chains)]
    limits = Limits(20, default_per_server=20, default_per_chain=most)
    running: list[MountGroup] = []
    while (chosen := next_group(waiting, running, limits)) is not None:
        waiting = [one for one in waiting if one is not chosen]
        running.append(chosen)
    taken = Counter(chain_of(one.point) for one in running)
    assert all(number <= most for number in taken.values())
    assert all(taken[chain_of(one.point)] == most for one in waiting)


def test_a_chain_is_limited_on_its_own_backup_server_alone() -> None:
    limits = Limits(20, {"vbr01": 9}, 9, {}, {"vbr01": 1})
    assert next_group([of_chain("fs02", "x")], [of_chain("fs01", "x")], limits) is None
    assert next_group([of_chain("fs02", "x", "vbr02")], [of_chain("fs01", "x", "vbr02")], limits) is not None
    assert next_group([of_chain("fs02", "x", "vbr02")], [of_chain("fs01", "x")], limits) is not None


def test_one_mount_host_behind_two_backup_servers_has_one_budget() -> None:
    limits = Limits(20, per_host={"m1": 1})
    both = on({"fs01": frozenset({"m1"}), "web": frozenset({"m1"})})
    assert next_group([group("web", "vbr02")], [group("fs01")], limits, both) is None


def test_a_group_that_may_appear_on_two_hosts_is_not_passed_by_for_ever() -> None:
    """b is taken; what frees on a goes to the one that waits for both, and not to those that need a alone."""
    limits = Limits(20, default_per_server=20, per_host={"a": 2, "b": 1})
    places = {"either": frozenset("ab"), "b1": frozenset("b")} | {f"a{number}": frozenset("a") for number in range(9)}
    waiting, running = [group("either"), *(group(f"a{number}") for number in range(3))], [group("b1")]
    first = next_group(waiting, running, limits, on(places))
    assert first is not None
    assert first.vm == "a0", "one of two places of a is kept, the other is not"
    waiting.remove(first)
    running.append(first)
    assert next_group(waiting, running, limits, on(places)) is None
    assert next_group(waiting, [first], limits, on(places)) is waiting[0]


def test_what_one_run_waits_for_is_kept_from_the_runs_behind_it() -> None:
    limits = Limits(20, default_per_server=20, per_host={"a": 1, "b": 1})
    places = on({"either": frozenset("ab"), "b1": frozenset("b"), "a1": frozenset("a")})
    running = [group("b1")]
    kept = kept_for([group("either")], running, limits, places)
    assert kept == {("host", "a"): 1}
    assert next_group([group("a1")], running, limits, places) is not None
    assert next_group([group("a1")], running, limits, places, kept) is None


def test_the_mount_host_that_needs_longest_goes_next() -> None:
    limits = Limits(1, default_per_server=9, per_host={"a": 1, "b": 9})
    places = {"a1": frozenset("a"), "a2": frozenset("a"), "b1": frozenset("b")}
    work = [replace(group("b1"), weight=50.0), *(replace(group(name), weight=30.0) for name in ("a1", "a2"))]
    assert next_group(work, [], limits, on(places)) is work[1]


def test_letter_case_does_not_count_in_the_names_of_backup_servers() -> None:
    assert next_group([group("fs02", "VBR01")], [group("fs01", "VBR01")], Limits(9, {"vbr01": 1})) is None
