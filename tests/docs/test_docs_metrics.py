"""The table of metrics is the registry, and the dashboard and the alerts ask for nothing that is not there."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
import yaml

from orchestrator.metrics import Metrics, Series
from tests.docs.reading import COMMANDS, REFERENCE, ROOT, codes, section, table

DASHBOARD = ROOT / "docs" / "deploy" / "grafana-dashboard.json"
ALERTS = ROOT / "docs" / "deploy" / "prometheus-alerts.yml"
SERIES: dict[str, Series] = {one.name: one for one in Metrics("1", datetime(2026, 11, 20, tzinfo=UTC)).series}
OTHERS = {"up": {"job", "instance"}, "node_textfile_mtime_seconds": {"file", "instance"}}
"""What Prometheus and node_exporter tell by themselves."""
TARGET = {"instance", "job"}
WORDS = {"and", "or", "unless", "on", "ignoring", "by", "without", "offset", "sum", "min", "max", "count", "avg"}


def test_the_table_of_metrics_equals_the_registry() -> None:
    rows = [row for row in table(section(REFERENCE, "Metrics")) if row[0].startswith("`orchestrator_")]
    told = [(codes(row[0])[0], row[1], tuple(codes(row[2])), row[3], row[4] == "yes") for row in rows]
    assert told == [(one.name, one.kind, one.labels, one.meaning, one.lasting) for one in SERIES.values()]


def test_every_label_is_explained() -> None:
    rows = [row for row in table(section(REFERENCE, "Metrics")) if not row[0].startswith("`orchestrator_")]
    told = {code for row in rows for code in codes(row[0])}
    assert told == {label for one in SERIES.values() for label in one.labels} - {"version", "python_version"}


def labels_of(name: str) -> set[str]:
    """The labels that a series of that name has. AssertionError when there is none."""
    if name in OTHERS:
        return OTHERS[name]
    if name in SERIES and SERIES[name].kind != "histogram":
        return {*SERIES[name].labels, *TARGET}
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    assert base != name, f"{name} is no metric"
    assert base in SERIES, f"{name} is no metric"
    assert SERIES[base].kind == "histogram", f"{base} is no histogram"
    return {*SERIES[base].labels, *TARGET, *({"le"} if name.endswith("_bucket") else ())}


def examine(expression: str, shown: str = "") -> None:
    """AssertionError when a PromQL expression, or the labels `shown` of its result, name what does not exist."""
    available: set[str] = set()
    for name, matchers in re.findall(r"\b([a-z_]\w+)\{([^}]*)\}", expression):
        matched = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert matched <= labels_of(name), f"{name} has no label {matched - labels_of(name)}"
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"", " ", expression)
    kept, matched_on = _lists(bare, "by"), _lists(bare, "without", "on", "ignoring")
    for name in set(re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", bare)) - WORDS - kept - matched_on:
        available |= labels_of(name)
    assert available, "it names no metric"
    assert kept | matched_on <= available, f"no metric in it has the labels {(kept | matched_on) - available}"
    for label in re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", shown):
        assert label in (kept or available), f"the result has no label {label}"


def _lists(expression: str, *words: str) -> set[str]:
    """The labels in the lists after these words."""
    lists = re.findall(rf"\b(?:{'|'.join(words)})\s*\(([^)]*)\)", expression)
    return {label.strip() for labels in lists for label in labels.split(",")}


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("orchestrator_no_such_total", ""),
        ("orchestrator_files", ""),
        ('orchestrator_files_total{vm="a"}', ""),
        ("sum by (vm) (orchestrator_files_total)", ""),
        ("orchestrator_mount_duration_seconds", ""),
        ("orchestrator_files_total_bucket", ""),
        ("sum by (verdict) (rate(orchestrator_files_total[5m]))", "{{reason}}"),
        ("1 + 1", ""),
    ],
)
def test_an_expression_that_asks_for_what_is_not_there_is_noticed(expression: str, shown: str) -> None:
    with pytest.raises(AssertionError):
        examine(expression, shown)


def panels() -> list[dict[str, Any]]:
    board: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    found: list[dict[str, Any]] = board["panels"]
    return found


CHARTS = [panel for panel in panels() if panel["type"] != "row"]


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    board = json.loads(DASHBOARD.read_text("utf-8"))
    assert {"title", "uid", "schemaVersion", "version", "panels", "templating", "time"} <= board.keys()
    assert isinstance(board["schemaVersion"], int)
    assert "id" not in board, "an id belongs to one Grafana only"
    assert len(board["uid"]) <= 40
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    examine(re.sub(r"label_values\((\w+), \w+\)", r"\1", variables["instance"]["definition"]))
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_panels_lie_side_by_side() -> None:
    cells: dict[tuple[int, int], str] = {}
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for cell in ((at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])):
            assert cell not in cells, f"{panel['title']} lies on {cells.get(cell)}"
            cells[cell] = panel["title"]


@pytest.mark.parametrize("panel", CHARTS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_and_labels_that_there_are(panel: dict[str, Any]) -> None:
    assert panel["type"] in {"timeseries", "stat", "bargauge", "table"}
    assert panel["datasource"]["uid"] == "${datasource}"
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert '{instance=~"$instance"' in target["expr"]
        examine(target["expr"].replace("$__rate_interval", "5m"), target["legendFormat"])


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(ALERTS.read_text("utf-8"))
    return [rule for group in found["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description"}
    examine(rule["expr"], rule["annotations"]["summary"] + rule["annotations"]["description"])
    for words in re.findall(r"`orchestrator ([a-z]+)", rule["annotations"]["description"]):
        assert words in COMMANDS


def test_no_two_alerts_have_one_name() -> None:
    assert not [one for one, other in combinations((rule["alert"] for rule in rules()), 2) if one == other]


def asked() -> Iterator[str]:
    yield from (target["expr"] for panel in CHARTS for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


def test_every_metric_is_on_the_dashboard_or_in_an_alert_or_only_for_looking_up() -> None:
    text = " ".join(asked())
    unused = {name for name in SERIES if not re.search(rf"\b{name}(_bucket|_sum|_count)?\b", text)}
    assert unused == {
        "orchestrator_start_time_seconds",
        "orchestrator_last_run_timestamp_seconds",
        "orchestrator_last_run_files",
        "orchestrator_last_run_restored_bytes",
        "orchestrator_last_run_mounts",
        "orchestrator_last_run_sessions",
        "orchestrator_last_run_remounts",
        "orchestrator_files_taken_back_total",
        "orchestrator_original_restores_total",
        "orchestrator_mounts_swept_total",
        "orchestrator_mount_open_duration_seconds",
        "orchestrator_jobs_ended_total",
        "orchestrator_restored_bytes_total",
        "orchestrator_not_restored_bytes_total",
        "orchestrator_bandwidth_limit_bytes_per_second",
    }


def test_promtool_takes_the_alerts() -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed; on Debian it comes with the package prometheus")
    done = subprocess.run([program, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
