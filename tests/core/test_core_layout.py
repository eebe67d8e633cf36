"""Where requested paths land: stripped folders, renamed drives, tables of destinations, volumes in destinations."""

from typing import Any

import pytest

from orchestrator.core.errors import JobInvalid
from orchestrator.core.job import Job, read_job
from orchestrator.core.layout import PLAIN, Layout, drive_of, folder_of
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import Plan, plan_from_json, plan_to_json
from tests.support.guests import planned


def job(*entries: dict[str, Any], to: str = "/restore/{vm}") -> Job:
    tables = [{"vm": "fs01", **entry} for entry in entries]
    return Job.model_validate({"name": "j", "defaults": {"to": to}, "restore": tables})


def landed(plan: Plan) -> dict[str, str]:
    """Where each requested path lands."""
    return {
        str(path): "/".join((one.destination, *one.layout.landing(path)))
        for group in plan.groups
        for one in group.selections
        for path in one.paths
    }


def problems(*entries: dict[str, Any], to: str = "/restore/{vm}") -> list[str]:
    return [str(one) for one in planned(job(*entries, to=to)).problems]


@pytest.mark.parametrize(
    ("layout", "path", "names"),
    [
        (PLAIN, "C:\\a\\b", ("C", "a", "b")),
        (PLAIN, "/srv/a", ("srv", "a")),
        (PLAIN, "*", ()),
        (Layout(strip=(parse_guest_path("C:\\a"),)), "C:\\A\\b", ("b",)),
        (Layout(strip=(parse_guest_path("C:\\a"), parse_guest_path("C:\\a\\b"))), "C:\\a\\b\\c", ("c",)),
        (Layout(strip=(parse_guest_path("/srv"),)), "/srv/data", ("data",)),
        (Layout(strip=(parse_guest_path("/srv"),)), "/SRV/data", ("SRV", "data")),
        (Layout(strip=(parse_guest_path("C:\\a"),)), "D:\\a\\b", ("D", "a", "b")),
        (Layout(drives=(("C:", "system/old"),)), "C:\\a", ("system", "old", "a")),
        (Layout(drives=(("C:", ""),)), "c:\\a", ("a",)),
        (Layout(bare=True), "C:\\a", ("a",)),
        (Layout(below=("x", "{volume}-disk"), bare=True), "D:\\a", ("x", "D-disk", "a")),
        (Layout(below=("x", "{volume}"), bare=True), "*", ("x",)),
        (Layout(below=("{volume}",), drives=(("D:", "E"),), bare=True), "D:\\", ("E",)),
        (Layout(below=("{volume}",), bare=True), "/srv", ("root", "srv")),
    ],
)
def test_a_requested_path_lands_by_the_rules_of_the_job(layout: Layout, path: str, names: tuple[str, ...]) -> None:
    assert layout.landing(parse_guest_path(path)) == names


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"paths": ["C:\\a"], "prefix": "old/2026"}, {"C:\\a": "/restore/fs01/old/2026/C/a"}),
        ({"paths": ["C:\\a\\b"], "strip": ["C:\\a"]}, {"C:\\a\\b": "/restore/fs01/b"}),
        (
            {"paths": ["C:\\a", "D:\\b"], "drives": {"c": "x"}},
            {"C:\\a": "/restore/fs01/x/a", "D:\\b": "/restore/fs01/D/b"},
        ),
        ({"paths": ["D:\\a"], "to": "/restore/{volume}/{vm}"}, {"D:\\a": "/restore/D/fs01/a"}),
        ({"paths": ["D:\\a"], "prefix": "{volume}-{date}"}, {"D:\\a": "/restore/fs01/D-2026-11-20/a"}),
        ({"paths": ["*"], "to": "/restore/{vm}/{volume}/x"}, {"*": "/restore/fs01"}),
        (
            {"to": {"C:\\a": "/restore/one", "D:\\": "/restore/two/{vm}"}},
            {"C:\\a": "/restore/one", "D:\\": "/restore/two/fs01"},
        ),
        (
            {"paths": ["C:\\a\\b", "C:\\c"], "to": {"C:\\": "/restore/c", "C:\\a": "/restore/a"}},
            {"C:\\a\\b": "/restore/a/b", "C:\\c": "/restore/c/c"},
        ),
    ],
)
def test_a_plan_says_where_each_path_lands(entry: dict[str, Any], expected: dict[str, str]) -> None:
    plan = planned(job(entry))
    assert not plan.problems
    assert landed(plan) == expected
    assert plan_from_json(plan_to_json(plan)) == plan


def test_paths_of_one_table_are_in_one_mount_and_a_folder_that_goes_to_two_places_gets_two() -> None:
    one = planned(job({"to": {"C:\\a": "/restore/1", "D:\\b": "/restore/2"}}))
    assert [len(group.selections) for group in one.groups] == [2]
    two = planned(job({"paths": ["C:\\a"], "strip": ["C:\\a"]}, {"paths": ["C:\\a"], "prefix": "x"}, to="/restore/y"))
    assert len(planned(job({"paths": ["C:\\a"]}, {"paths": ["C:\\a"], "drives": {"E": "x"}})).groups) == 1
    assert [str(one.entry) for one in two.problems] == ["2"], "side by side below one folder"


@pytest.mark.parametrize(
    "entries",
    [
        [{"paths": ["C:\\a", "D:\\b"], "strip": ["C:\\a", "D:\\b"]}],
        [{"paths": ["C:\\", "D:\\"], "drives": {"C": "x", "D": "X"}}],
        [{"paths": ["C:\\a", "D:\\a"], "drives": {"D": "C"}}],
        [{"paths": ["*"], "drives": {"C": "x", "D": "x"}}],
        [{"to": {"C:\\a": "/restore/x", "D:\\b": "/restore/x/"}}],
        [{"paths": ["C:\\a\\x"], "strip": ["C:\\a"]}, {"paths": ["D:\\x"], "drives": {"D": ""}}],
    ],
)
def test_two_paths_that_would_write_the_same_place_are_a_problem_of_the_plan(entries: list[dict[str, Any]]) -> None:
    plan = planned(job(*entries))
    [problem] = plan.problems
    assert "would both write to '/restore/" in str(problem)
    assert not any(one.entry == problem.entry for group in plan.groups for one in group.selections)


def test_a_folder_of_a_table_inside_another_one_goes_to_both_places() -> None:
    plan = planned(job({"to": {"C:\\a": "/restore/1", "C:\\a\\b": "/restore/2"}}))
    assert not plan.problems
    assert landed(plan) == {"C:\\a": "/restore/1", "C:\\a\\b": "/restore/2"}
    assert len(plan.groups) == 2, "each mount tells of a file once"


def test_letter_case_does_not_count_in_a_rule() -> None:
    assert not problems({"paths": ["C:\\Shares"], "strip": ["c:\\SHARES"]})


def test_what_only_the_files_can_tell_is_no_problem_of_the_plan() -> None:
    assert not problems({"paths": ["C:\\a", "D:\\b"], "strip": ["C:\\a"]})
    assert not problems({"paths": ["C:\\Shares", "D:\\Data"], "drives": {"C": "all", "D": "all"}})


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"paths": ["C:\\a"], "strip": ["C:\\b"]}, "strip: C:\\b is neither one of the paths nor a folder above one"),
        (
            {"paths": ["C:\\a"], "strip": ["C:\\a\\b", "C:\\a"]},
            "strip: C:\\a\\b lies inside C:\\a, which lands as a whole",
        ),
        ({"paths": ["*"], "strip": ["C:\\"]}, "strip: C:\\ is neither one of the paths"),
        ({"paths": ["D:\\a"], "to": {"C:\\": "/restore/c"}}, "to: D:\\a is below none of the paths of the table"),
        (
            {"paths": ["C:\\a"], "to": {"C:\\": "/restore/c", "D:\\": "/restore/d"}},
            "to: no path of the entry is D:\\ or",
        ),
        ({"to": {"C:\\a": "/elsewhere"}}, "to: '/elsewhere' does not lie below targets.allow"),
        ({"paths": ["*"], "to": "/{volume}/x"}, "to: '/' does not lie below targets.allow"),
    ],
)
def test_rules_that_fit_nothing_are_problems_with_their_key(entry: dict[str, Any], said: str) -> None:
    assert said in "\n".join(problems(entry))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("to = {}", "restore[1].to: must not be empty"),
        ("to = 5", "restore[1].to: write one folder, or a table of guest path and folder (got 5)"),
        (
            'to = "/r/{vmm}"',
            "restore[1].to: '{vmm}' in '/r/{vmm}' is not known; there are {vm}, {run}, {point}, {date}",
        ),
        ('to = { "C:/a" = "/r/{" }', "restore[1].to: '{' in '/r/{' is not known"),
        ('paths = ["C:/a"]\nprefix = "{vmm}"', "restore[1].prefix: '{vmm}' in '{vmm}' is not known"),
        ('to = { "C:/a" = 5 }', "restore[1].to: C:/a: write the folder into which it goes (got 5)"),
        ('to = { "a" = "/r" }', "restore[1].to: 'a' is not an absolute guest path"),
        ('to = { "C:/a" = "/r" }\nstrip = ["C:/a"]', "leave strip, prefix and drives out"),
        ('paths = ["C:/a"]\ndrives = { CD = "x" }', None),
        ('paths = ["C:/a"]\ndrives = { "C:/a" = "x" }', "restore[1].drives: 'C:/a' is no drive; write C or C:"),
        ('paths = ["C:/a"]\ndrives = { C = "x", "c:" = "y" }', "restore[1].drives: C: is named twice"),
        ('paths = ["C:/a"]\ndrives = { C = "../x" }', "restore[1].drives: '../x' is no folder below the destination"),
        ('paths = ["C:/a"]\ndrives = { C = "/x" }', "restore[1].drives: '/x' is absolute"),
        ('paths = ["C:/a"]\nprefix = "a/../../b"', "restore[1].prefix: 'a/../../b' is no folder below"),
        ('paths = ["C:/a"]\nprefix = "D:/x"', "restore[1].prefix: 'D:/x' is no folder below"),
        ('paths = ["C:/a"]\nstrip = ["*"]', "restore[1].strip: * is no folder"),
        ('paths = ["C:/a"]\nstrip = ["a"]', "restore[1].strip: 'a' is not an absolute guest path"),
        ("", "restore[1]: say which files: paths, "),
    ],
)
def test_a_rule_that_cannot_be_meant_is_named_with_its_key(line: str, said: str | None) -> None:
    text = f'name = "j"\ndefaults = {{ to = "/r" }}\n[[restore]]\nvm = "fs01"\n{line}\n'
    if said is None:
        assert read_job(text.encode(), "j").restore
        return
    with pytest.raises(JobInvalid) as refused:
        read_job(text.encode(), "j")
    assert said in str(refused.value)


@pytest.mark.parametrize(("text", "drive"), [("c", "C:"), ("C:", "C:"), ("d:\\", "D:"), ("Volume$0", "Volume$0:")])
def test_a_drive_is_read_in_every_usual_spelling(text: str, drive: str) -> None:
    assert drive_of(text) == drive


def test_a_folder_for_a_drive_may_have_several_names_or_none() -> None:
    assert (folder_of("a\\b/"), folder_of("")) == ("a/b", "")


def test_a_drill_restores_the_paths_of_a_table_to_its_scratch_folder() -> None:
    scratch = job({"to": {"C:\\a": "/restore/1", "D:\\": "/restore/2"}}).into_scratch("/restore/drill")
    assert landed(planned(scratch)) == {
        "C:\\a": "/restore/drill/r1/fs01/20261120T020026Z/C/a",
        "D:\\": "/restore/drill/r1/fs01/20261120T020026Z/D",
    }
