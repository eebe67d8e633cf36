"""The status page: numbers, alerts, hostile names, and the JSON of the same."""

import json
import re
from dataclasses import fields, replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from orchestrator.core.board import Board
from orchestrator.core.entries import Verdict
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import (
    DeadlineInDanger,
    Event,
    FileProblem,
    FilesScanned,
    GroupEnded,
    GroupsStuck,
    GroupStarted,
    JobNotStarted,
    JobRejected,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    OperatorActed,
    QueuePaused,
    RunEnded,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
    Stopping,
    SweepEnded,
    WatcherReady,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.snapshot import Ended, Outlook, Snapshot, Upcoming, Waiting
from orchestrator.views import status_json
from orchestrator.views.alerts import alerts, headline
from orchestrator.views.status import Look, status_fragment, status_page
from orchestrator.views.told import told
from orchestrator.views.units import short_verdict
from tests.support.boards import NOW, ago, busy_board, well_board
from tests.views.samples import HOSTILE, NOT_UNICODE

LOOKS = [Look(), Look(actions=True), Look(wall=True)]


class _Page(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def seen(*events: Event) -> Snapshot:
    board = Board(ago(days=1))
    for event in events:
        board.add(event)
    return board.snapshot(NOW)


def titles(*events: Event) -> list[str]:
    return [alert.title for alert in alerts(seen(*events))]


def paused() -> Snapshot:
    return Board(ago(days=1), outlook=lambda now: Outlook(paused=True)).snapshot(NOW)


def hostile_board(name: str) -> Board:
    """Every text that comes from a machine or a person is `name`."""
    waiting = Waiting(name, name, NOW, name, name, NOW, name)
    outlook = Outlook((waiting, waiting), 30, (Upcoming(name, NOW, name),))
    old = Ended(name, "old", ago(hours=2), ago(hours=1), 4, line=name)
    board = Board(ago(days=1), [old], outlook=lambda now: outlook)
    for event in (
        RunStarted(ago(minutes=3), name, name, 3),
        GroupStarted(ago(minutes=3), name, name, name, name, name, NOW),
        MountOpened(ago(minutes=3), name, name, name, name, name, 1.0),
        FileProblem(NOW, name, name, name, Verdict.FAILED, name, name),
        GroupStarted(NOW, name, "other", name, name, name, NOW),
        GroupEnded(NOW, name, "other", name, "failed", Totals(), 1.0, name),
        MountLeft(NOW, name, name, name, name, "/m/9", name),
        MountGone(NOW, name, "third", name, "/m/8", name),
        SessionRenewed(NOW, 2, name),
        Notice(NOW, name),
        WatcherReady(NOW, name),
        SweepEnded(NOW, (name,), (name,)),
        JobRejected(NOW, name, name, name, name),
        JobNotStarted(NOW, "x", name, 4, name),
        ScheduleMissed(NOW, name, NOW, name),
        DeadlineInDanger(NOW, name, name, ago(hours=1), NOW),
        OperatorActed(NOW, name, name, name),
        Stopping(NOW, name, name),
        SitePace(NOW, name, 3, 8, 1e6, 1e9),
        GroupsStuck(NOW, name, 1, (name, f"{name} again")),
    ):
        board.add(event)
    return board


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", [HOSTILE, NOT_UNICODE, '"><img src=x onerror=alert(1)>', "x" * 40_000, "' onload='"])
def test_a_hostile_name_is_text_and_nothing_else(look: Look, name: str) -> None:
    page = status_page(hostile_board(name).snapshot(NOW), look)
    page.encode("utf-8")
    assert len(page) < 100_000
    assert not set(page) & set("\x1b\u202e\x9b")
    known = _Page(status_page(busy_board().snapshot(NOW), look))
    assert {tag for tag, _ in _Page(page).tags} <= {tag for tag, _ in known.tags}
    attributes = {name for _, one in known.tags for name in one}
    assert {name for _, one in _Page(page).tags for name in one} <= attributes


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("board", [busy_board, well_board, lambda: Board(NOW)])
def test_the_page_asks_nothing_of_the_outside_and_has_no_inline_script_or_style(look: Look, board: Any) -> None:
    page = status_page(board().snapshot(NOW), look)
    tags = _Page(page).tags
    values = [value or "" for _, attributes in tags for value in attributes.values()]
    assert not [value for value in values if re.search(r"https?:|^//|javascript:|data:", value)]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on") or name == "style"]
    assert [attributes.get("src") for tag, attributes in tags if tag == "script"] == ["/static/status.js"]
    assert "<style" not in page


def test_the_page_shows_what_is_going_on() -> None:
    text = _Page(status_page(busy_board().snapshot(NOW), Look(place="backup01"))).text
    for expected in (
        "orchestrator backup01",
        "2 runs going on, 4 mounts open, 2 jobs waiting",
        "incident-4711 late",
        "68 %",
        "7 of 12",
        "fs08 copying vbr01",
        "14,210 /18,211",
        "20 min",
        "the file is held by another program, often antivirus. Next: exclude C:\\VeeamFLR from antivirus",
        "Forecast (final).xlsx",
        "The mount of hr02 failed: host is busy",
        "no answer within 600 s",
        "finance-mirror from svc-restore, 26 min ago its windows are closed 22:00 UTC",
        "web-tier from ann, 3 min ago its turn",
        "nightly-drill schedule 0 4 * * * 04:00 UTC in 45 min",
        "mounts left 1 mount may be left behind",
        "02:43 UTC logged on to Enterprise Manager again",
        "2026-11-23 22:14 UTC",
    ):
        assert expected in text, expected


def test_the_wall_shows_the_runs_what_to_look_at_and_what_comes_next() -> None:
    text = _Page(status_page(busy_board().snapshot(NOW), Look(wall=True))).text
    for expected in ("Needs attention", "incident-4711", "hr-archive", "1 mount may be left behind", "and 3 more"):
        assert expected in text, expected
    assert "Mounted for" in text


def test_a_wall_with_many_runs_shows_some_and_counts_the_others() -> None:
    snapshot = seen(*(RunStarted(NOW, f"r{number}", f"job{number}", 1) for number in range(5)))
    text = _Page(status_fragment(snapshot, Look(wall=True))).text
    assert "and 2 more runs" in text
    assert "job4" not in text


def test_a_page_without_anything_says_so() -> None:
    page = _Page(status_page(Board(NOW).snapshot(NOW), Look()))
    for expected in ("Nothing is running", "No run is going on.", "No job waits.", "Nothing is scheduled."):
        assert expected in page.text
    assert "No run is going on." in _Page(status_page(Board(NOW).snapshot(NOW), Look(wall=True))).text


def test_headings_go_down_one_level_at_a_time_and_tables_name_their_columns_and_rows() -> None:
    tags = _Page(status_page(busy_board().snapshot(NOW), Look(actions=True))).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")
    assert all(attributes.get("aria-label") for tag, attributes in tags if tag == "progress")


@pytest.mark.parametrize("look", LOOKS)
def test_no_alert_is_told_by_colour_alone(look: Look) -> None:
    """Each has the mark of its tone, and words."""
    page = status_page(busy_board().snapshot(NOW), look)
    shown = re.findall(
        r'<li class="(\w+)"><span class="mark" aria-hidden="true">(.)</span><div[^>]*>(?:<strong>)?(\w+)', page
    )
    assert {(tone, mark) for tone, mark, _ in shown} == {("bad", "✕"), ("fair", "!")}
    assert all(word for _, _, word in shown)


def test_buttons_are_there_only_where_they_can_be_used() -> None:
    snapshot = busy_board().snapshot(NOW)
    for look, there in ((Look(), False), (Look(wall=True, actions=True), False), (Look(actions=True), True)):
        page = status_page(snapshot, look)
        assert ("<button" in page) is there
        assert ('type="password"' in page) is there
    assert "/api/runs/incident-4711-20261124T023000Z/cancel" in status_page(snapshot, Look(actions=True))


RUN = RunStarted(ago(hours=1), "r", "j", 2)
MOUNT = [
    GroupStarted(ago(hours=1), "r", "g", "fs01", "vbr01", "u", NOW),
    MountOpened(ago(minutes=5), "r", "g", "fs01", "vbr01", "/m/1", 1.0),
]


def test_an_alert_is_raised_for_everything_that_needs_a_person() -> None:
    assert titles(RUN) == []
    assert titles(MountLeft(NOW, "r", "g", "fs01", "vbr01", "/m/1", "no")) == ["1 mount may be left behind"]
    assert [alert.title for alert in alerts(paused())] == ["The queue is paused"]
    assert titles(Stopping(NOW, "drain")) == ["Everything is being stopped"]
    stuck = GroupsStuck(NOW, "r", 2, ("no worker of bonn is serving", "w1 refuses: no share"))
    assert titles(RUN, stuck) == ["j: 2 restore points wait that no worker can take"]
    assert "w1 refuses: no share" in status_fragment(seen(RUN, stuck), Look())
    assert titles(RUN, stuck, GroupsStuck(NOW, "r", 0)) == []
    assert titles(RUN, *MOUNT) == ["j stands still"]
    assert titles(RUN, *MOUNT, FilesScanned(ago(seconds=30), "r", "g", 1, 1)) == []
    assert titles(RUN, DeadlineInDanger(NOW, "r", "j", ago(minutes=-5), ago(minutes=-9))) == [
        "j misses its deadline of 03:19 UTC"
    ]
    failed = GroupEnded(NOW, "r", "g", "fs01", "failed", Totals(), 1.0, "no")
    assert titles(RUN, MOUNT[0], failed) == ["j: 1 restore point failed"]
    assert titles(RUN, FileProblem(NOW, "r", "g", "C:\\a", Verdict.FAILED, "locked", "")) == ["j: 1 file not restored"]
    assert titles(ScheduleMissed(ago(hours=2), "n", ago(hours=3), "was down")) == ["n missed its time, 00:14 UTC"]
    assert titles(JobRejected(NOW, "x.toml", "", "", "no vm")) == ["x.toml did not start: not valid"]


def test_of_each_job_only_its_last_ending_counts_and_not_while_it_runs_again() -> None:
    bad = [replace(RUN, run="a"), RunEnded(ago(minutes=9), "a", 4, Totals(), 0, 0, 0)]
    good = [replace(RUN, run="b"), RunEnded(ago(minutes=8), "b", 0, Totals(), 0, 0, 0)]
    assert titles(*bad) == ["j ended 03:05 UTC: EM failed"]
    assert titles(*bad, *good) == titles(*bad, replace(RUN, run="c")) == []
    assert titles(replace(RUN, run="d"), RunEnded(ago(days=2), "d", 4, Totals(), 0, 0, 0)) == []


def test_a_left_mount_is_told_of_once_though_its_run_ended_with_it() -> None:
    left = MountLeft(ago(minutes=9), "r", "g", "fs01", "vbr01", "/m/1", "no")
    assert titles(RUN, left, RunEnded(ago(minutes=9), "r", 7, Totals(), 1, 0, 1)) == ["1 mount may be left behind"]


@pytest.mark.parametrize(
    ("events", "tone", "title"),
    [
        ([], "quiet", "Nothing is running"),
        ([RUN], "good", "All is well"),
        ([RUN, Stopping(NOW, "drain")], "fair", "Needs a look"),
        ([Stopping(NOW, "drain"), MountLeft(NOW, "r", "g", "fs01", "v", "/m", "no")], "bad", "Needs attention"),
    ],
)
def test_the_headline_is_as_bad_as_the_worst_alert(events: list[Event], tone: str, title: str) -> None:
    snapshot = seen(*events)
    assert headline(snapshot, alerts(snapshot))[:2] == (tone, title)


def test_sites_of_a_fleet_are_shown_while_a_run_goes_on() -> None:
    pace = [SitePace(NOW, "munich", 1, 2, 12.0, 3 << 20), SitePace(NOW, "", 0, 0, 0.0, 0.0)]
    text = _Page(status_fragment(seen(RUN, *pace), Look())).text
    assert re.search(r"every site\s+0\s+0\s+0\s+0 B/s\s+munich\s+1\s+2\s+12\s+3.00 MiB/s", text)
    ended = RunEnded(NOW, "r", 0, Totals(), 0, 0, 0)
    assert "munich" not in _Page(status_fragment(seen(RUN, *pace, ended), Look())).text


def test_a_time_to_go_that_leaves_a_run_out_says_so() -> None:
    text = _Page(status_fragment(busy_board().snapshot(NOW), Look())).text
    assert re.search(r"To go >\d+ min", text)
    assert "To go 2 min" in _Page(status_fragment(well_board().snapshot(NOW), Look())).text
    assert "To go ? Speed" in _Page(status_fragment(seen(RUN), Look())).text


@pytest.mark.parametrize("code", [*ExitCode, 99, None])
def test_every_ending_has_a_word_for_the_history(code: int | None) -> None:
    assert short_verdict(code)


def test_everything_that_is_kept_as_recent_has_a_line() -> None:
    snapshot = hostile_board("x").snapshot(NOW)
    board = Board(NOW)
    board.add(QueuePaused(NOW, False))
    board.add(RunStarted(NOW, "r", "j", 1, resumed=True))
    board.add(RunEnded(NOW, "r", 0, Totals(), 0, 0, 0))
    for event in (*snapshot.recent, *board.snapshot(NOW).recent):
        assert told(event), event
    assert told(OperatorActed(NOW, "10.0.0.7", "drain", "r")) == "10.0.0.7 asked to drain r"
    assert told(Stopping(NOW, "cancel")) == "stopping everything, at once"


def test_the_json_has_every_field_of_the_snapshot_and_exact_names() -> None:
    table = json.loads(status_json(hostile_board(NOT_UNICODE).snapshot(NOW)))
    assert list(table) == [field.name for field in fields(Snapshot)]
    assert table["at"] == "2026-11-24T03:14:07Z"
    assert table["runs"][0]["groups"][0]["vm_b64"] == "L3Nydi9jYWbp"
    assert {event["event"] for event in table["recent"]} >= {"notice", "operator_acted", "mount_left"}
    assert (NOW - ago(minutes=3)) == timedelta(minutes=3)
    assert table["mounts"][0]["opened"] == "2026-11-24T03:11:07Z"


def test_the_json_keeps_the_numbers_of_a_run_apart() -> None:
    run = json.loads(status_json(busy_board().snapshot(NOW)))["runs"][0]
    assert (run["groups_planned"], run["groups_ended"], run["groups_waiting"], run["late"]) == (12, 7, 1, True)
    assert run["problems"][0] | {"examples": []} == {"reason": "locked", "count": 6, "examples": []}
