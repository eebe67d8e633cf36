"""A plan shows where each path lands and by what files are chosen, and stays short when there are many paths."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.core.layout import Layout
from orchestrator.core.limits import Limits
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import Plan
from orchestrator.core.select import Bounds
from orchestrator.views.plan import plan_text
from orchestrator.views.plan_json import plan_json_view
from tests.views.samples import sample_plan


def shown() -> Plan:
    plan = sample_plan()
    group = plan.groups[0]
    paths = tuple(parse_guest_path(f"C:\\Shares\\f{number}") for number in range(30))
    layout = Layout(strip=(parse_guest_path("C:\\Shares"),), drives=(("D:", "data"),))
    bounds = Bounds(0, 10_000_000, datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    one = replace(group.selections[0], paths=paths, layout=layout, bounds=bounds)
    return replace(plan, groups=(replace(group, selections=(one,)),))


def test_the_text_of_a_plan_has_the_landing_of_each_of_the_first_paths() -> None:
    lines = [line.strip() for line in plan_text(shown(), datetime(2026, 11, 25, tzinfo=UTC), Limits(20)).splitlines()]
    assert "C:\\Shares\\f19  to /restore/fs01/f19" in lines
    assert "C:\\Shares\\f20  to /restore/fs01/f20" not in lines
    assert "and 10 more" in lines
    for bound in ("larger than 0 B", "smaller than 9.54 MiB", "changed since 2026-11-01", "changed before 2026-11-02"):
        assert any(line.startswith(f"only files {bound}") for line in lines), bound


def test_the_json_of_a_plan_has_all_paths_and_only_what_is_set() -> None:
    [selection] = json.loads(plan_json_view(shown()))["groups"][0]["selections"]
    assert len(selection["paths"]) == 30
    assert selection["strip"] == ["C:\\Shares"]
    assert selection["drives"] == {"D:": "data"}
    assert (selection["larger_than"], selection["smaller_than"]) == (0, 10_000_000)
    assert selection["modified_after"] == "2026-11-01T00:00:00+00:00"
    assert "below" not in selection
    assert "strip" not in json.loads(plan_json_view(sample_plan()))["groups"][0]["selections"][0]
