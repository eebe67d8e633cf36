"""Which restore points an entry means, what is mounted instead, and what is said when that is not clear."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.catalog import PointKind, RestorePoint
from orchestrator.core.choosing import OLDER_TRIED, questions
from orchestrator.core.errors import JobInvalid
from orchestrator.core.job import read_job
from orchestrator.core.plan import Plan, plan_from_json, plan_to_json
from tests.core.values import AT, NOW, job, planned, point

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = [point("fs01", f"d{day}", AT + day * DAY) for day in range(7)]
"""d0 to d6, the newest of 2026-11-26."""


def of_kind(kind: PointKind, vm: str, uid: str, created: datetime = AT) -> RestorePoint:
    return replace(point(vm, uid, created), kind=kind)


def taken(result: Plan) -> list[str]:
    return [group.point.uid for group in sorted(result.groups, key=lambda one: one.point.created)]


def others(result: Plan) -> list[list[str]]:
    return [[one.uid for one in group.others] for group in result.groups]


def only_problem(result: Plan) -> str:
    [problem] = result.problems
    return str(problem)


@pytest.mark.parametrize(
    ("keys", "uids"),
    [
        ({}, ["d6"]),
        ({"point": "oldest"}, ["d0"]),
        ({"point": "all", "to": "/restore/{point}"}, ["d0", "d1", "d2", "d3", "d4", "d5", "d6"]),
        ({"as_of": AT + 3 * DAY}, ["d3"]),
        ({"as_of": AT + 3 * DAY - timedelta(microseconds=1)}, ["d2"]),
        ({"not_before": AT + 4 * DAY, "point": "oldest"}, ["d4"]),
        (
            {"not_before": AT + 2 * DAY, "as_of": AT + 4 * DAY, "point": "all", "to": "/restore/{point}"},
            ["d2", "d3", "d4"],
        ),
    ],
)
def test_of_the_points_from_not_before_to_as_of_both_included_the_one_asked_for_is_taken(
    keys: dict[str, Any], uids: list[str]
) -> None:
    result = planned(job({"vm": "fs01", **keys}), WEEK)
    assert taken(result) == uids
    assert not result.problems


def test_all_points_of_a_machine_in_one_folder_are_not_planned_and_the_remedy_is_named() -> None:
    result = planned(job({"vm": "fs01", "point": "all"}), WEEK)
    assert not result.groups
    assert "two restore points of 'fs01' would write below '/restore/fs01'; put {point} in to" in only_problem(result)


def test_a_span_without_a_point_says_both_ends() -> None:
    result = planned(job({"vm": "fs01", "not_before": AT + HOUR, "as_of": AT + 2 * HOUR}), WEEK)
    assert (
        "at or after 2026-11-20T07:00:00+00:00 and at or before 2026-11-20T08:00:00+00:00; check the spelling"
    ) in only_problem(result)


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("Europe/Berlin", "2026-11-20T18:00:00", "2026-11-20T17:00:00"),
        ("America/New_York", "2026-11-20T18:00:00", "2026-11-20T23:00:00"),
        ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:00:00"),  # skipped: the first instant after it
        ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00"),  # repeated: the first of the two
        ("Europe/Berlin", "2026-11-20T18:00:00Z", "2026-11-20T18:00:00"),
    ],
)
def test_a_time_without_an_offset_is_what_the_clocks_of_the_time_zone_show(zone: str, wall: str, utc: str) -> None:
    text = f'name = "j"\ntime_zone = "{zone}"\n[[restore]]\nvm = "fs01"\npaths = ["C:/a"]\nto = "/r"\nas_of = {wall}\n'
    assert read_job(text.encode(), "j").restore[0].as_of == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_without_a_time_zone_a_time_without_an_offset_is_refused_also_beside_a_wrong_zone() -> None:
    entry = '[[restore]]\nvm = "fs01"\npaths = ["C:/a"]\nto = "/r"\nas_of = 2026-11-20T18:00:00\n'
    with pytest.raises(JobInvalid, match=r"as_of: 2026-11-20 18:00:00 has no time zone; add Z .* or set time_zone"):
        read_job(f'name = "j"\n{entry}'.encode(), "j")
    with pytest.raises(JobInvalid, match=r"did you mean Europe/Berlin\?"):
        read_job(f'name = "j"\ntime_zone = "Berlin"\n{entry}'.encode(), "j")


def test_several_names_and_globs_are_one_entry_and_a_machine_of_two_of_them_is_taken_once() -> None:
    fleet = [point("fs01"), point("fs02"), point("web01"), point("db01")]
    result = planned(job({"vms": ["fs*", "fs01", "WEB01"]}), fleet)
    assert sorted(group.vm for group in result.groups) == ["fs01", "fs02", "web01"]
    assert not result.problems


def test_the_names_that_stand_for_nothing_are_one_problem_however_many_they_are() -> None:
    one = planned(job({"vms": ["fs01", "fs9"]}), [point("fs01")])
    assert only_problem(one).startswith("restore[1].vms: there is no machine 'fs9' with a restore point; check")
    many = planned(job({"vms": ["fs01", *(f"x{number}" for number in range(9))]}), [point("fs01")])
    assert "9 of 10 names stand for no machine ('x0', 'x1', 'x2', 'x3', 'x4' and 4 more)" in only_problem(many)


@pytest.mark.parametrize("name", ["srv[1]", "a*b", "was?", 'q"uo;te,(x)', "a&b <c>", "日本", "é", "a@b"])
def test_a_machine_whose_name_looks_like_a_glob_or_a_filter_is_found_by_it_and_alone(name: str) -> None:
    fleet = [point(name, "u1"), point("srv1", "u2"), point("aXb", "u3"), point("wasp", "u4")]
    assert taken(planned(job({"vm": name}), fleet)) == ["u1"]


def test_a_name_in_another_letter_case_than_two_machines_have_shows_both() -> None:
    fleet = [point("FS01", "a"), point("fs01", "b")]
    assert "'Fs01' is 'FS01' and 'fs01'; write the one you mean" in only_problem(planned(job({"vm": "Fs01"}), fleet))


# --- two machines of one name ---------------------------------------------------------------------------------------


def twin(uid: str, number: int, created: datetime, server: str = "vbr01") -> RestorePoint:
    return replace(point("fs01", uid, created, server), hierarchy=f"urn:VMware:Vm:host{number}.vm-7")


def test_a_name_on_two_servers_shows_what_to_write_for_each() -> None:
    fleet = [point("fs01", "a"), point("fs01", "b", AT + HOUR), point("fs01", "c", server="vbr02")]
    said = only_problem(planned(job({"vm": "fs01"}), fleet))
    assert 'backup_server = "vbr01" (2 restore points, newest 2026-11-20T07:00:00+00:00)' in said
    assert 'backup_server = "vbr02" (1 restore point, newest 2026-11-20T06:00:00+00:00)' in said
    assert taken(planned(job({"vm": "fs01", "backup_server": "VBR02"}), fleet)) == ["c"]


def test_a_name_of_two_machines_on_one_server_is_told_apart_by_their_references() -> None:
    fleet = [twin("a1", 1, AT), twin("b1", 2, AT + HOUR), twin("a2", 1, AT + DAY), twin("b2", 2, AT + DAY + HOUR)]
    said = only_problem(planned(job({"vm": "fs01"}), fleet))
    assert "'fs01' is the name of 2 machines" in said
    for number in (1, 2):
        reference = f"urn:VMware:Vm:host{number}.vm-7"
        assert f'hierarchy = "{reference}" on vbr01 (2 restore points' in said
        for hierarchy in (reference, reference.upper().replace("URN", "urn"), f"urn:veeam:HierarchyRoot:host{number}"):
            result = planned(job({"vm": "fs01", "hierarchy": hierarchy}), fleet)
            assert taken(result) == ["ab"[number - 1] + "2"]


def test_where_em_tells_no_reference_the_backup_server_says_which_machine_is_meant() -> None:
    elsewhere = point("fs01", "c1", AT, server="vbr02")
    fleet = [twin("a1", 1, AT), twin("b1", 2, AT + HOUR), elsewhere]
    said = only_problem(planned(job({"vm": "fs01"}), fleet))
    assert "is the name of 3 machines; say which one you mean" in said
    assert 'hierarchy = ""' not in said
    assert said.endswith('or backup_server = "vbr02" (1 restore point, newest 2026-11-20T06:00:00+00:00)')


def test_a_machine_that_was_registered_anew_is_one_machine_once_it_has_been_backed_up_twice() -> None:
    before = [twin("a1", 1, AT), twin("a2", 1, AT + DAY)]
    once, twice = twin("b1", 2, AT + 2 * DAY), twin("b2", 2, AT + 3 * DAY)
    assert "is the name of 2 machines" in only_problem(planned(job({"vm": "fs01"}), [*before, once]))
    assert taken(planned(job({"vm": "fs01"}), [*before, once, twice])) == ["b2"]
    assert taken(planned(job({"vm": "fs01", "point": "oldest"}), [*before, once, twice])) == ["a1"]


def test_a_point_without_a_reference_belongs_to_the_machine_of_its_server() -> None:
    fleet = [twin("a1", 1, AT), point("fs01", "old", AT - DAY)]
    assert taken(planned(job({"vm": "fs01", "point": "oldest"}), fleet)) == ["old"]


def test_a_job_of_the_backup_restricts_the_points_of_machines_and_not_those_of_replicas() -> None:
    fleet = [
        replace(point("fs01", "nightly"), backup_job="Nightly"),
        point("fs01", "copy", AT + HOUR),
        of_kind(PointKind.REPLICA, "fs01", "replica"),
    ]
    result = planned(job({"vm": "fs01", "backup_job": "nightly", "fall_back": ["replica"]}), fleet)
    assert (taken(result), others(result)) == (["nightly"], [["replica"]])
    said = only_problem(planned(job({"vm": "fs01", "backup_job": "Weekly"}), fleet))
    assert "in the backup of job 'Weekly'" in said


# --- age ------------------------------------------------------------------------------------------------------------


def test_a_point_that_is_too_old_is_refused_with_its_age_and_the_remedy() -> None:
    old = [point("fs01", "u1", NOW - timedelta(days=5, hours=2))]
    said = only_problem(planned(job({"vm": "fs01", "max_age": "3d"}), old))
    assert said.startswith("restore[1].max_age: the newest restore point of 'fs01' is of 2026-11-20T19:00:00+00:00")
    assert "now 5 d 2 h old, max_age allows 3d; look at its backup job, or raise max_age" in said
    assert taken(planned(job({"vm": "fs01", "max_age": "6d"}), old)) == ["u1"]


def test_the_age_counts_from_as_of() -> None:
    assert taken(planned(job({"vm": "fs01", "as_of": AT + 2 * HOUR, "max_age": "2h"}), WEEK)) == ["d0"]
    late = job({"vm": "fs01", "as_of": AT + 2 * HOUR, "max_age": "119m"})
    assert "at 2026-11-20T08:00:00+00:00 2 h old" in only_problem(planned(late, WEEK))


def test_a_replica_that_is_young_enough_is_taken_where_the_backup_is_too_old() -> None:
    fleet = [point("fs01", "old", NOW - 9 * DAY), of_kind(PointKind.REPLICA, "FS01", "young", NOW - HOUR)]
    result = planned(job({"vm": "fs01", "max_age": "3d", "fall_back": ["older", "replica"]}), fleet)
    assert (taken(result), others(result)) == (["young"], [[]])


# --- fall-back ------------------------------------------------------------------------------------------------------


def test_what_is_mounted_instead_stands_in_the_order_of_the_job() -> None:
    fleet = [
        *WEEK,
        of_kind(PointKind.REPLICA, "fs01", "r0"),
        of_kind(PointKind.REPLICA, "fs01", "r1", AT + DAY),
        of_kind(PointKind.AGENT, "fs01", "a1"),
        of_kind(PointKind.AGENT, "web01", "a2"),
    ]
    older = [f"d{6 - back}" for back in range(1, OLDER_TRIED + 1)]
    assert others(planned(job({"vm": "fs01"}), fleet)) == [[]]
    assert others(planned(job({"vm": "fs01", "fall_back": ["older"]}), fleet)) == [older]
    assert others(planned(job({"vm": "fs01", "fall_back": ["agent", "older", "replica"]}), fleet)) == [
        ["a1", *older, "r1"]
    ]
    limited = job({"vm": "fs01", "fall_back": ["older", "replica"], "not_before": AT + 5 * DAY})
    assert others(planned(limited, fleet)) == [["d5"]]


def test_of_all_points_each_falls_back_to_what_is_no_newer() -> None:
    fleet = [*WEEK[:2], *(of_kind(PointKind.REPLICA, "fs01", f"r{n}", AT + n * DAY) for n in range(2))]
    entry = {"vm": "fs01", "point": "all", "fall_back": ["replica"], "to": "/restore/{vm}"}
    result = planned(job({**entry, "paths": ["C:\\a"]}), fleet[1:])
    assert (taken(result), others(result)) == (["d1"], [["r1"]])


def test_a_machine_that_only_a_fall_back_knows_is_found_by_name_and_by_glob() -> None:
    fleet = [point("fs01"), of_kind(PointKind.AGENT, "fs02", "a2"), of_kind(PointKind.AGENT, "FS01", "a1")]
    for names in (["fs*"], ["fs01", "fs02"]):
        result = planned(job({"vms": names, "fall_back": ["agent"]}), fleet)
        assert taken(result) == ["uid-fs01", "a2"]
        assert sorted(others(result)) == [[], ["a1"]]


def test_every_source_that_may_be_turned_to_is_asked_about() -> None:
    asked = questions(job({"vms": ["fs01", "x*"], "fall_back": ["older", "agent"], "backup_job": "Nightly"}))
    assert [(one.kind, one.vm, one.backup_job) for one in asked] == [
        (PointKind.VM, "fs01", "Nightly"),
        (PointKind.VM, None, "Nightly"),
        (PointKind.AGENT, "fs01", "Nightly"),
        (PointKind.AGENT, None, "Nightly"),
    ]


def test_a_plan_with_a_fall_back_order_survives_its_json() -> None:
    result = planned(job({"vm": "fs01", "fall_back": ["older"]}), WEEK)
    assert plan_from_json(plan_to_json(result)) == result


def test_two_entries_with_other_fall_backs_that_would_write_the_same_files_are_not_planned() -> None:
    result = planned(job({"vm": "fs01", "fall_back": ["older"]}, {"vm": "fs01"}), WEEK)
    assert not result.groups
    apart = planned(job({"vm": "fs01", "fall_back": ["older"]}, {"vm": "fs01", "paths": ["D:\\"]}), WEEK)
    assert sorted(others(apart)) == [[], ["d5", "d4", "d3"]]
