"""JSON for programs."""

import base64
import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.entries import Verdict
from orchestrator.core.events import Event, FileProblem, FilesDone, FilesLocated, Notice
from orchestrator.core.ledger import Totals
from orchestrator.views import drills_json, event_json, pruned_json, report_json
from orchestrator.views.plan_json import plan_json_view
from tests.views.golden_files import assert_golden
from tests.views.samples import HOSTILE, NOT_UNICODE, START, sample_drills, sample_plan, sample_pruned, sample_report

PROMISED = {"run", "job", "started", "ended", "exit_code", "totals", "groups", "problems", "mounts_left"}


def test_the_report_has_every_promised_key() -> None:
    table = json.loads(report_json(sample_report()))
    assert table.keys() >= PROMISED
    assert table["totals"].keys() == {"restored", "skipped", "refused", "failed", "bytes"}
    assert table["groups"][0].keys() >= {"vm", "restore_point", "backup_server", "state", "mounts", "totals"}
    assert table["groups"][0]["mounts"] == [{"href": "/api/mounts/1", "state": "confirmed", "host": "vbr01"}]
    assert table["problems"][0].keys() >= {"guest_path", "reason", "message"}
    assert table["mounts_left"][0]["remedy"].startswith("Get-VBR")


def test_the_reports_shape_is_the_golden_one() -> None:
    report = sample_report()
    assert_golden("report.json", report_json(replace(report, problems=report.problems[-3:])) + "\n")


def test_times_are_utc_with_z_whatever_zone_they_came_in() -> None:
    moved = START.astimezone(timezone(timedelta(hours=5)))
    table = json.loads(report_json(replace(sample_report(), started=moved, ended=None, exit_code=None)))
    assert table["started"] == "2026-11-20T22:00:00Z"
    assert (table["ended"], table["exit_code"]) == (None, None)


def test_a_plan_is_shown_with_the_words_of_the_job_file() -> None:
    assert_golden("plan.json", plan_json_view(sample_plan()) + "\n")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Notice(START, "hello"), '{"event": "notice", "at": "2026-11-20T22:00:00.000Z", "message": "hello"}'),
        (
            FilesLocated(START, "r", "g", "fs01", "fs01_1", (("C:", "Volume2"),), "mount02"),
            '{"event": "files_located", "at": "2026-11-20T22:00:00.000Z", "run": "r", "group": "g", "vm": "fs01", '
            '"folder": "fs01_1", "volumes": {"C:": "Volume2"}, "host": "mount02"}',
        ),
        (
            FilesDone(START, "r", "g", Totals(1, 0, 0, 0, 9), 9, 0.5),
            '{"event": "files_done", "at": "2026-11-20T22:00:00.000Z", "run": "r", "group": "g", "totals": '
            '{"restored": 1, "skipped": 0, "refused": 0, "failed": 0, "bytes": 9}, "passed": 9, "seconds": 0.5, '
            '"solved": []}',
        ),
    ],
)
def test_an_event_is_one_line_named_in_snake_case(event: Event, line: str) -> None:
    assert event_json(event) == line


def test_a_name_that_is_not_unicode_is_readable_and_exact() -> None:
    event = FileProblem(START, "r", "g", NOT_UNICODE, Verdict.FAILED, "locked", "")
    table = json.loads(event_json(event))
    assert table["guest_path"] == "/srv/caf\ufffd"
    assert base64.b64decode(table["guest_path_b64"]) == b"/srv/caf\xe9"
    assert table["verdict"] == "failed"


def test_a_valid_name_has_no_second_key_and_comes_back_unchanged() -> None:
    table = json.loads(event_json(FileProblem(START, "r", "g", HOSTILE, Verdict.FAILED, "locked", "")))
    assert table["guest_path"] == HOSTILE
    assert "guest_path_b64" not in table


@given(st.text(st.characters()))
def test_any_name_gives_one_line_of_ascii_without_half_characters(name: str) -> None:
    line = event_json(FileProblem(START, "r", "g", name, Verdict.FAILED, "locked", name))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    json.loads(line)["guest_path"].encode("utf-8")


def test_what_was_pruned_is_told_run_by_run() -> None:
    assert_golden("pruned.json", pruned_json(sample_pruned()) + "\n")


def test_drills_are_told_with_every_value_and_their_trends() -> None:
    assert_golden("drills.json", drills_json(sample_drills()) + "\n")
