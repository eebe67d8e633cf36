"""The document of a plan: one way to write it, read back as it was, and every other file refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.census import Census, Tree
from orchestrator.core.errors import PlanUnreadable
from orchestrator.core.job import Job
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import Plan
from orchestrator.core.plan_document import (
    DIFFERENCES_SHOWN,
    PlanDocument,
    Site,
    canonical,
    hash_of,
    landings,
    points_differ,
    read_document,
    shortened,
    sites_differ,
    written,
)
from tests.core.values import planned, point
from tests.views.samples import sample_plan

MADE = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)


def frozen() -> Plan:
    return replace(sample_plan(), run="incident-4711-20261125T200000Z", problems=())


def document(plan: Plan) -> PlanDocument:
    sites = tuple(Site(one, Tree(3)) for one in plan.destinations)
    return PlanDocument(plan, MADE, "https://em:9398", "jöb.toml", "name = 'ä'\n", sites)


def altered(change: Callable[[Any], object]) -> bytes:
    """A document in which somebody has changed something, and made the hash fit."""
    record = json.loads(written(document(frozen()))[0])
    change(record)
    record["hash"] = hash_of(record)
    return canonical(record)


def test_a_document_is_read_back_as_it_was_written() -> None:
    one = document(frozen())
    content, digest = written(one)
    assert read_document(content, "plan.json") == (one, digest)
    assert read_document(b"\xef\xbb\xbf" + content, "plan.json") == (one, digest)


def test_the_hash_belongs_to_what_a_document_says_and_not_to_its_white_space() -> None:
    content, digest = written(document(frozen()))
    spread = json.dumps(json.loads(content), indent=4).encode()
    assert read_document(spread, "plan.json")[1] == digest


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    assert canonical({"b": [1.0, 2.5, True, None], "a": 'é\u20ac\n"', "": {}}) == (
        '{"":{},"a":"é€\\n\\"","b":[1,2.5,true,null]}'.encode()
    )


@given(st.binary(max_size=40))
def test_whatever_a_file_holds_it_is_refused_in_plain_words(content: bytes) -> None:
    with pytest.raises(PlanUnreadable, match=r"^plan\.json"):
        read_document(b"{" + content, "plan.json")


@pytest.mark.parametrize("version", [0, "1", None, True, 2.5, -1])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    record = json.loads(written(document(frozen()))[0]) | {"version": version}
    record["hash"] = hash_of(record)
    with pytest.raises(PlanUnreadable, match="another version"):
        read_document(canonical(record), "plan.json")


def test_a_document_that_lacks_something_is_refused_although_its_hash_fits() -> None:
    with pytest.raises(PlanUnreadable, match="cannot read"):
        read_document(altered(lambda record: record.pop("sites")), "plan.json")


def test_a_member_that_is_named_twice_is_refused_since_people_and_programs_read_it_differently() -> None:
    content, _ = written(document(frozen()))
    twice = content.replace(b'"em_url":', b'"em_url":"https://elsewhere","em_url":', 1)
    with pytest.raises(PlanUnreadable, match="damaged"):
        read_document(twice, "plan.json")


def _group(record: Any) -> Any:
    return record["plan"]["groups"][0]


def _selection(record: Any) -> Any:
    return _group(record)["selections"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["plan"].update(scratch="/restore"), "no drill"),
        (lambda one: one["plan"].update(run="../../../etc/cron.d/x"), "is no run of"),
        (lambda one: one["plan"].update(job="../evil", run="../evil-20261125T200000Z"), "is no name of a job"),
        (lambda one: one["sites"].pop(), "what stood at its destinations"),
        (lambda one: one["plan"]["groups"].append(_group(one)), "one of them twice"),
        (lambda one: one["plan"].update(groups=[]) or one.update(sites=[]), "has no mount groups"),
        (lambda one: _group(one).update(selections=[]), "what stood at its destinations|is no mount group"),
        (lambda one: _group(one).update(id="../g0001"), "is no mount group"),
        (lambda one: _selection(one)["paths"][0].update(parts=["..", "..", "etc"]), "holds . or .."),
        (lambda one: _selection(one)["paths"][0].update(parts=["a\\b"]), "is no guest path"),
        (lambda one: _selection(one)["paths"][0].update(volume="..\\..:"), "is not an absolute guest path"),
        (lambda one: _selection(one)["layout"].update(drives=[["C:", "../../x"]]), "is no folder below"),
        (lambda one: _selection(one)["layout"].update(below=[".."]), "would leave the destination"),
        (lambda one: _selection(one).update(rename_pattern="../{stem} 2"), "cannot be part of a file name"),
        (lambda one: _selection(one).update(include=["#"]), "is empty or a comment"),
        (lambda one: _selection(one).update(road="download"), "takes two roads"),
        (lambda one: _selection(one).update(entry=0), "lacks"),
    ],
)
def test_a_document_that_says_more_than_a_job_can_is_refused_although_its_hash_fits(
    change: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(PlanUnreadable, match=said):
        read_document(altered(change), "plan.json")


def test_every_rule_of_where_files_land_makes_a_sound_document() -> None:
    tables: list[dict[str, Any]] = [
        {"vm": "fs01", "paths": ["C:\\Shares\\HR", "D:\\"], "strip": ["C:\\Shares"], "drives": {"D": "data/two"}},
        {"vm": "fs02", "paths": ["*"], "to": "/restore/{volume}/x:{volume}/{vm}", "drives": {"C": "one"}},
        {"vm": "fs03", "to": {"C:\\a": "/restore/a", "Volume$0:\\": "/restore/b"}},
        {"vm": "lx01", "os": "linux", "paths": ["/srv/a\\b", "/etc"], "prefix": "deep/er", "include": ["*.c", "/x/"]},
    ]
    for table in tables:
        one = Job.model_validate({"name": "incident-4711", "defaults": {"to": "/restore/{vm}"}, "restore": [table]})
        plan = planned(one, [point("fs01"), point("fs02"), point("fs03"), point("lx01")])
        assert plan.groups, plan.problems
        content, digest = written(document(replace(plan, run="incident-4711-20261125T200000Z")))
        assert read_document(content, "plan.json")[1] == digest


def test_copies_land_in_places_of_which_none_lies_below_another() -> None:
    plan = sample_plan()
    assert landings(plan) == {"/restore/fs01": ["C/Shares/Finance", "D"], "/restore/web01": ["srv/data"]}
    [first, *_] = plan.groups
    within = replace(first.selections[0], paths=(parse_guest_path("C:\\Shares"), parse_guest_path("C:\\Sharesmith")))
    plan = replace(plan, groups=(replace(first, selections=(*first.selections, within)),))
    assert landings(plan) == {"/restore/fs01": ["C/Shares", "C/Sharesmith", "D"]}


def test_a_restore_point_that_is_not_the_same_is_told_with_what_it_is() -> None:
    plan = sample_plan()
    points = {group.point.uid: group.point for group in plan.groups}
    assert points_differ(plan, points) == []
    one, other = points.values()
    changed = {one.uid: replace(one, created=MADE), other.uid: replace(other, backup_server="vbr09")}
    told = points_differ(plan, changed)
    assert len(told) == 2
    assert "is now of 2026-11-25 20:00:00 UTC" in told[0]
    assert "on vbr09, not on vbr02" in told[1]
    assert all("is gone" in line for line in points_differ(plan, {}))


def test_a_destination_that_was_not_looked_at_again_counts_as_empty_and_many_differences_are_counted() -> None:
    census = Census()
    assert sites_differ([Site("/restore", census.tree())], []) == []
    told = shortened([f"difference {one}" for one in range(DIFFERENCES_SHOWN + 5)])
    assert told[-1] == "and 5 more differences"
    assert len(told) == DIFFERENCES_SHOWN + 1
