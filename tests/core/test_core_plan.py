"""A job and EM's answers give one plan, always the same, and say what cannot be planned."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.catalog import GuestOs, PointKind, Question, RestorePoint
from orchestrator.core.choosing import questions
from orchestrator.core.job import Job
from orchestrator.core.plan import plan_from_json, plan_to_json
from tests.core.values import AT, job, planned, point

HOUR = timedelta(hours=1)
FLEET = [point("fs01"), point("fs02"), point("web01")]


def vms(restore: Job, points: list[RestorePoint]) -> list[str]:
    return [group.vm for group in planned(restore, points).groups]


def test_a_glob_asks_em_for_every_machine_and_a_name_for_that_one() -> None:
    restore = job(
        {"vm": "fs*", "backup_server": "vbr01"},
        {"vm": "fs01", "as_of": AT},
        {"restore_point": "u1"},
        {"vm": "fs01", "as_of": AT, "paths": ["D:\\"]},
    )
    assert questions(restore) == [
        Question(backup_server="vbr01"),
        Question(vm="fs01", until=AT),
        Question(uid="u1"),
    ]


def test_an_entry_asks_for_the_points_of_its_source() -> None:
    restore = job({"vm": "fs01", "source": "replica"}, {"vm": "fs*", "source": "agent"}, {"vm": "fs01"})
    assert questions(restore) == [
        Question(vm="fs01", kind=PointKind.REPLICA),
        Question(kind=PointKind.AGENT),
        Question(vm="fs01"),
    ]


def test_a_glob_means_every_machine_it_matches_in_any_letter_case() -> None:
    assert vms(job({"vm": "FS*"}), FLEET) == ["fs01", "fs02"]


def test_an_exact_name_wins_over_one_that_differs_in_letter_case() -> None:
    points = [point("FS01"), point("fs01")]
    assert vms(job({"vm": "fs01"}), points) == ["fs01"]
    assert vms(job({"vm": "Fs01"}), points[:1]) == ["FS01"]


def test_the_newest_point_at_or_before_the_instant_is_taken() -> None:
    points = [point("fs01", f"u{hour}", AT + hour * HOUR) for hour in range(4)]
    assert planned(job({"vm": "fs01"}), points).groups[0].point.uid == "u3"
    assert planned(job({"vm": "fs01", "as_of": AT + 2 * HOUR}), points).groups[0].point.uid == "u2"
    early = planned(job({"vm": "fs01", "as_of": AT - HOUR}), points)
    assert not early.groups
    assert "with a restore point at or before 2026-11-20T05:00:00+00:00; check the spelling" in str(early.problems[0])


def test_a_restore_point_id_is_taken_as_it_is() -> None:
    assert planned(job({"restore_point": "u9"}), [point("fs01", "u9")]).groups[0].point.uid == "u9"
    missing = planned(job({"restore_point": "u9"}), [])
    assert str(missing.problems[0]).startswith("restore[1].restore_point: EM has no restore point u9")


def test_a_restore_point_of_another_machine_than_the_entry_names_is_a_problem() -> None:
    wrong = planned(job({"restore_point": "u9", "vm": "fs02"}), [point("fs01", "u9")])
    assert not wrong.groups
    assert (
        str(wrong.problems[0]) == "restore[1].vm: restore point u9 is of 'fs01', not of 'fs02'; remove one of the two"
    )
    assert planned(job({"restore_point": "u9", "vm": "FS0*"}), [point("fs01", "u9")]).groups


@pytest.mark.parametrize(("vm", "said"), [("fs09", "there is no machine 'fs09'"), ("x*", "no machine matches 'x*'")])
def test_a_machine_that_em_does_not_have_is_a_problem_with_its_key(vm: str, said: str) -> None:
    result = planned(job({"vm": vm, "backup_server": "vbr01"}, {"vm": "fs01"}), FLEET)
    assert [group.vm for group in result.groups] == ["fs01"]
    assert str(result.problems[0]).startswith(f"restore[1].vm: {said} with a restore point on backup server 'vbr01'")


def test_a_name_on_several_backup_servers_is_not_guessed_at() -> None:
    result = planned(job({"vm": "fs01"}), [point("fs01", "a"), point("fs01", "b", server="vbr02")])
    assert not result.groups
    assert "is on several backup servers (vbr01, vbr02); set backup_server" in result.problems[0].message


@pytest.mark.parametrize("to", ["/etc/{vm}", "restore/{vm}", "/restore/../etc", "\\\\restore\\x"])
def test_a_destination_outside_the_allowed_roots_is_not_planned(to: str) -> None:
    result = planned(job({"vm": "fs01"}, to=to), FLEET)
    assert not result.groups
    assert [(problem.entry, problem.key) for problem in result.problems] == [(1, "to")]


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        (["C:\\a", "C:\\a\\b", "D:\\x"], ["C:\\a", "D:\\x"]),
        (["C:\\a\\b", "C:\\"], ["C:\\"]),
        (["C:\\Data", "C:\\data", "C:\\DATA\\x"], ["C:\\Data"]),
        (["*", "C:\\a"], ["*"]),
        (["C:\\a", "*"], ["*"]),
        (["C:\\a\\b", "C:\\a\\c", "C:\\A"], ["C:\\A"]),
        (["/srv/A", "/srv/a"], ["/srv/A", "/srv/a"]),
        (["C:\\a", "C:\\a"], ["C:\\a"]),
    ],
)
def test_paths_inside_another_path_of_the_entry_are_dropped_and_never_all(paths: list[str], kept: list[str]) -> None:
    selection = planned(job({"vm": "fs01", "paths": paths}), FLEET).groups[0].selections[0]
    assert [str(path) for path in selection.paths] == kept


@given(
    st.lists(st.sampled_from(["*", "C:\\", "C:\\a", "C:\\A", "C:\\a\\b", "D:", "/", "/a", "/A", "/a/b"]), min_size=1)
)
def test_dropping_nested_paths_loses_nothing(paths: list[str]) -> None:
    restore = job({"vm": "fs01", "paths": paths})
    kept = planned(restore, FLEET).groups[0].selections[0].paths
    assert all(any(path.holds(wanted) for path in kept) for wanted in restore.restore[0].guest_paths)
    assert not any(one.holds(two) for one in kept for two in kept if one is not two)


def test_entries_of_one_point_share_a_mount_and_overlapping_ones_wait_for_each_other() -> None:
    restore = job(
        {"vm": "fs01"},
        {"vm": "fs01", "paths": ["C:\\a\\b"]},
        {"vm": "fs01", "paths": ["C:\\other"]},
        {"vm": "fs01", "paths": ["*"]},
    )
    (group,) = planned(restore, FLEET).groups
    assert [selection.stage for selection in group.selections] == [0, 1, 0, 2]


@pytest.mark.parametrize("spelling", ["/restore/fs01/", "/restore//fs01", "/restore/./fs01"])
def test_another_spelling_of_a_destination_is_the_same_destination(spelling: str) -> None:
    (group,) = planned(job({"vm": "fs01"}, {"vm": "fs01", "to": spelling}), FLEET).groups
    assert [selection.stage for selection in group.selections] == [0, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"to": "/restore"}, {"to": "/restore"}),
        ({"to": "/restore"}, {"to": "/restore/"}),
        ({"to": "/restore/all", "paths": ["*"]}, {"to": "/restore/all/sub"}),
        ({"to": "/restore", "paths": ["C:\\x"]}, {"to": "/restore/C/x"}),
        ({"to": "/restore", "paths": ["C:\\x"]}, {"to": "/restore", "paths": ["/C/x/y"], "os": "linux"}),
    ],
)
def test_machines_that_would_write_the_same_files_are_both_left_out_and_named(
    first: dict[str, object], second: dict[str, object]
) -> None:
    result = planned(job({"vm": "fs01", **first}, {"vm": "fs02", **second}, {"vm": "web01"}), FLEET)
    assert [group.vm for group in result.groups] == ["web01"]
    assert sorted(problem.entry for problem in result.problems) == [1, 2]
    assert all("'fs01' and 'fs02' would both write below" in problem.message for problem in result.problems)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"to": "/restore", "paths": ["C:\\x"]}, {"to": "/restore", "paths": ["C:\\y"]}),
        ({"to": "/restore", "paths": ["C:\\x"]}, {"to": "/restore", "paths": ["C:\\xy"]}),
        ({"to": "/restore", "paths": ["C:\\x"]}, {"to": "/restore/C/y"}),
        ({"to": "/restore/a"}, {"to": "/restore/ab"}),
    ],
)
def test_machines_that_write_side_by_side_do_not_clash(first: dict[str, object], second: dict[str, object]) -> None:
    result = planned(job({"vm": "fs01", **first}, {"vm": "fs02", **second}), FLEET)
    assert not result.problems
    assert len(result.groups) == 2


def test_a_glob_without_the_machine_in_its_destination_is_one_problem_even_for_a_large_estate() -> None:
    fleet = [point(f"fs{number:05d}") for number in range(3000)]
    result = planned(job({"vm": "fs*"}, to="/restore/all"), fleet)
    assert not result.groups
    assert len(result.problems) == 1
    assert "put {vm} or {point} in to" in result.problems[0].message


def test_machines_whose_names_differ_only_in_letter_case_are_not_mixed_on_a_target_that_ignores_it() -> None:
    result = planned(job({"vm": "fs*"}), [point("fs01"), point("FS01", "other"), point("fs02")])
    assert [group.vm for group in result.groups] == ["fs02"]
    assert "'FS01' and 'fs01' would both write" in result.problems[0].message


def test_long_groups_of_the_last_run_come_first_and_are_numbered_in_order() -> None:
    result = planned(job({"vm": "*"}), FLEET, history={"fs02": 900.0, "web01": 1000.0})
    assert [(group.id, group.vm) for group in result.groups] == [
        ("g0001", "web01"),
        ("g0002", "fs02"),
        ("g0003", "fs01"),
    ]


def test_without_history_wider_requests_come_first() -> None:
    restore = job({"vm": "fs01"}, {"vm": "fs02", "paths": ["D:\\"]}, {"vm": "web01", "paths": ["*"]})
    assert vms(restore, FLEET) == ["web01", "fs02", "fs01"]


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_ems_answers_changes_nothing(chance: random.Random) -> None:
    points = [point(vm, f"{vm}-{hour}", AT + hour * HOUR) for vm in ("fs01", "fs02", "web01") for hour in range(3)]
    restore = job({"vm": "*"}, {"vm": "fs*", "paths": ["D:\\"]}, {"vm": "fs01", "to": "/restore/x"})
    expected = planned(restore, points)
    chance.shuffle(points)
    assert planned(restore, points) == expected


def test_a_plan_comes_back_from_its_json() -> None:
    restore = job(
        {"vm": "fs*", "as_of": AT, "include": ["*.x"], "exclude": ["~*"]},
        {"vm": "web01", "os": "linux", "paths": ["/srv/ö"], "on_conflict": "rename"},
        {"vm": "none"},
    )
    result = planned(restore, FLEET)
    assert plan_from_json(plan_to_json(result)) == result
    assert {group.os for group in result.groups} == {None, GuestOs.LINUX}
    assert {group.vm: group.windows for group in result.groups} == {"fs01": True, "fs02": True, "web01": False}
    with pytest.raises(ValueError, match="validation error"):
        plan_from_json("{}")


def test_a_plan_knows_its_destinations() -> None:
    assert planned(job({"vm": "*"}), FLEET).destinations == ("/restore/fs01", "/restore/fs02", "/restore/web01")
