"""Limits and pauses in words: on the terminal, on the status page, for programs."""

import json
from datetime import timedelta

import pytest

from orchestrator.core.board import Board
from orchestrator.core.events import LimitChanged, RunEnded, RunPaused, RunStarted, Stopping
from orchestrator.core.ledger import Totals
from orchestrator.core.limiting import Limit, LimitedRun, LimitNow, LimitsNow
from orchestrator.core.tally import Tally
from orchestrator.views import change_line, limits_line, limits_text, progress_line, run_limits, status_json
from orchestrator.views.alerts import alerts
from orchestrator.views.status import Look, status_page
from tests.views.samples import START

TIMETABLE = LimitChanged(START, "bandwidth", "20 MB/s", "none", "timetable")
BY_HAND = LimitChanged(START, "bandwidth", "none", "20 MB/s", "by hand", "", "vbr01", "uid 7 on the local socket")
BEGUN = RunStarted(START, "r", "night", 3)

FOUND = LimitsNow(
    (
        LimitNow(Limit("bandwidth"), 20_000_000, "timetable", START + timedelta(hours=20)),
        LimitNow(Limit("mounts"), 20, "config"),
        LimitNow(Limit("bandwidth", backup_server="vbr01"), None, "by hand"),
        LimitNow(Limit("copies", "r"), 3, "by hand"),
    ),
    (LimitedRun("r", "night", True), LimitedRun("s", "day", False)),
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (TIMETABLE, "bandwidth is 20 MB/s from now on, it was none (timetable)"),
        (BY_HAND, "bandwidth of vbr01 is none from now on, it was 20 MB/s, by uid 7 on the local socket"),
        (LimitChanged(START, "bandwidth", "5 MB/s", "", "job", "r"), "bandwidth of r is limited to 5 MB/s (job)"),
        (RunPaused(START, "r", True, "uid 7"), "r paused: no file is begun, those in flight are held, by uid 7"),
        (RunPaused(START, "r", False), "r goes on"),
    ],
)
def test_a_change_is_told_in_a_line_that_says_by_whom_or_why(event: LimitChanged | RunPaused, line: str) -> None:
    assert change_line(event) == line


def test_what_is_in_force_is_shown_with_its_reason() -> None:
    assert limits_text(FOUND, START).splitlines() == [
        "bandwidth           20 MB/s  timetable, until 2026-11-21 18:00 UTC",
        "mounts              20       config",
        "bandwidth of vbr01  none     by hand",
        "copies of r         3        by hand",
        "r is paused",
        "s is going on",
    ]


def test_who_looks_at_everything_is_told_what_is_out_of_the_ordinary() -> None:
    assert limits_line(FOUND).splitlines() == [
        "Limited: bandwidth 20 MB/s, bandwidth of vbr01 none, copies of r 3. `orchestrator limit` shows why.",
        "r is paused; `orchestrator unpause r` goes on.",
    ]
    assert limits_line(LimitsNow((LimitNow(Limit("copies"), 16, "config"),))) == ""


def test_of_a_run_its_own_limits_and_those_of_all_are_given() -> None:
    given = run_limits(FOUND, "s")
    assert given["paused"] is False
    assert [one["what"] for one in given["limits"]] == ["bandwidth", "mounts", "bandwidth"]
    assert run_limits(FOUND, "over") == {}


def test_the_progress_line_says_that_a_run_is_paused_and_how_it_is_limited() -> None:
    tally = Tally()
    for event in (BEGUN, TIMETABLE, RunPaused(START, "r", True)):
        tally.add(event)
    line = progress_line(tally, START)
    assert line.startswith("paused, 0/3 restore points")
    assert "time to go unknown" in line
    assert "bandwidth limited to 20 MB/s" in line
    tally.add(Stopping(START, "drain"))
    assert not progress_line(tally, START).startswith("paused")


def test_the_status_page_shows_the_limits_and_the_pause_and_no_stall() -> None:
    board = Board(START)
    for event in (BEGUN, TIMETABLE, BY_HAND, RunPaused(START, "r", True, "uid 7")):
        board.add(event)
    snapshot = board.snapshot(START + timedelta(hours=1))
    page = status_page(snapshot, Look())
    assert 'class="tag fair">paused<' in page
    assert "20 MB/s" in page
    assert "uid 7 on the local socket" in page
    [alert] = alerts(snapshot)
    assert (alert.title, "unpause r" in alert.text) == ("night is paused", True)
    table = json.loads(status_json(snapshot))
    assert table["runs"][0]["paused"] is True
    assert [(one["backup_server"], one["value"]) for one in table["limits"]] == [("", "20 MB/s"), ("vbr01", "none")]


def test_the_limit_of_a_run_goes_with_it() -> None:
    board = Board(START)
    for event in (BEGUN, LimitChanged(START, "copies", "4", "none", "by hand", "r")):
        board.add(event)
    assert len(board.snapshot(START).limits) == 1
    board.add(RunEnded(START, "r", 0, Totals(), 0, 0, 0))
    assert board.snapshot(START).limits == ()
