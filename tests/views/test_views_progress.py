"""Progress on stderr (cli/progress.py): which kind, what it says, and that it never holds the run up."""

import io
import threading
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from orchestrator.cli.bars import BARS_SHOWN, LINES_WAITING, LiveProgress, screen
from orchestrator.cli.progress import LINES_PER_REASON, NoProgress, PlainProgress, make_progress
from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    BytesCopied,
    Event,
    FileProblem,
    FilesDone,
    FilesScanned,
    GroupEnded,
    GroupsStuck,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    RunEnded,
    RunStarted,
    SessionRenewed,
    SitePace,
    Stopping,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.tally import Tally
from tests.views.samples import START

BEGIN = RunStarted(START, "r1", "night", 20)


class FakeClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def problem(path: str, reason: str = "locked") -> FileProblem:
    return FileProblem(START, "r1", "g1", path, Verdict.FAILED, reason, "sharing violation")


def opened(group: str) -> list[Event]:
    return [
        GroupStarted(START, "r1", group, f"vm-{group}", "vbr01", "uid", START),
        MountOpened(START, "r1", group, f"vm-{group}", "vbr01", f"/m/{group}", 9.5),
    ]


def shown(tally: Tally, now: datetime = START) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    console.print(screen(tally, now))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


@pytest.mark.parametrize(
    ("terminal", "quiet", "kind"),
    [
        (True, False, LiveProgress),
        (False, False, PlainProgress),
        (True, True, NoProgress),
        (False, True, NoProgress),
    ],
)
def test_the_kind_of_progress_follows_the_terminal_unless_quiet(terminal: bool, quiet: bool, kind: type) -> None:
    assert type(make_progress(terminal, quiet, FakeClock(), io.StringIO())) is kind


def test_no_progress_says_nothing() -> None:
    stream = io.StringIO()
    with make_progress(False, True, FakeClock(), stream) as progress:
        progress.add(BEGIN)
    assert stream.getvalue() == ""


def test_plain_progress_is_one_line_in_five_seconds_however_many_events() -> None:
    clock, stream = FakeClock(), io.StringIO()
    with PlainProgress(clock, stream) as progress:
        for _ in range(101):  # 0 to 10 s
            progress.add(BytesCopied(clock.now, "r1", "g1", 1))
            clock.forward(0.1)
    assert len(stream.getvalue().splitlines()) == 2
    assert stream.getvalue().startswith("22:00:05Z 0/0 restore points")


def test_plain_progress_gives_milestones_their_own_line_at_once_and_ends_with_where_it_is() -> None:
    stream = io.StringIO()
    totals = Totals(2, 0, 0, 1, 4096)
    with PlainProgress(FakeClock(), stream) as progress:
        for event in (
            BEGIN,
            *opened("g1"),
            *opened("g2"),
            SessionRenewed(START, 2, "it had ended"),
            MountGone(START, "r1", "g1", "fs01", "/m/g1", "401"),
            Notice(START, "a notice"),
            Stopping(START, "drain"),
            MountDeleted(START, "r1", "g1", "fs01", "vbr01", "/m/g1", 63.0),
            MountLeft(START, "r1", "g1", "fs01", "vbr01", "/m/g1", "no answer."),
            GroupEnded(START, "r1", "g1", "fs01", "done", totals, 61.0),
            GroupEnded(START, "r1", "g2", "fs02", "failed", totals, 61.0, "no folder"),
            RunEnded(START, "r1", 7, totals, 1, 1, 1),
        ):
            progress.add(event)
    assert [line.removeprefix("22:00:00Z ") for line in stream.getvalue().splitlines()] == [
        "run r1 of job night started, 20 restore points",
        "mounted vm-g1 on vbr01 in 9.5 s",
        "mounted vm-g2 on vbr01 in 9.5 s",
        "logged on to Enterprise Manager again: it had ended",
        "mount of fs01 lost: 401",
        "a notice",
        "stopping: files in flight are finished",
        "deleted the mount of fs01, open for 1 min 03 s",
        "MOUNT LEFT of fs01 (/m/g1): no answer; `orchestrator sweep` tries again",
        "fs01 done: 3 files, 4.00 KiB, 1 problem, 1 min 01 s",
        "fs02 failed: no folder",
        "2/20 restore points, 0/0 files, 0 B/0 B, 0 B/s, time to go unknown, 0 mounts open, 1 mount left behind",
    ]


def test_a_fleet_is_shown_by_its_sites_and_what_waits_for_nobody_has_its_reason_once() -> None:
    stream, nobody = io.StringIO(), ("no worker of bonn is serving",)
    tally = Tally()
    with PlainProgress(FakeClock(), stream) as progress:
        for event in (
            BEGIN,
            SitePace(START, "berlin", 3, 8, 1340.4, 120e6),
            SitePace(START, "", 1, 2, 0.0, 0.0),
            GroupsStuck(START, "r1", 2, nobody),
            GroupsStuck(START, "r1", 1, nobody),
        ):
            progress.add(event)
            tally.add(event)
    assert [line.removeprefix("22:00:00Z ") for line in stream.getvalue().splitlines()][1:] == [
        "2 restore points wait that no worker can take: no worker of bonn is serving",
        "0/20 restore points, 0/0 files, 0 B/0 B, 0 B/s, time to go unknown, 0 mounts open, "
        "every site: 1 worker, 0 B/s, 0 files/s, berlin: 3 workers, 114 MiB/s, 1,340 files/s, "
        "1 restore point that no worker can take",
    ]
    text = shown(tally)
    assert "berlin: 3 workers, 114 MiB/s, 1,340 files/s" in text
    assert "1 restore point that no worker can take" in text
    for number in range(20):
        tally.add(SitePace(START, f"site{number}", 1, 1, 1.0, 1.0))
    assert "16 more sites" in shown(tally)


def test_only_the_first_problems_of_a_reason_are_printed_and_the_last_of_them_says_so() -> None:
    stream = io.StringIO()
    with PlainProgress(FakeClock(), stream) as progress:
        for number in range(100):
            progress.add(problem(f"C:\\{number}"))
        progress.add(problem("C:\\other", "no-space"))
    lines = stream.getvalue().splitlines()
    assert len(lines) == LINES_PER_REASON + 1
    assert "further locked problems: see the report" in lines[LINES_PER_REASON - 1]
    assert "C:\\other" in lines[-1]


def test_a_hostile_name_cannot_drive_the_terminal() -> None:
    stream = io.StringIO()
    with PlainProgress(FakeClock(), stream) as progress:
        progress.add(problem("C:\\\x1b[2J\nfake line"))
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_a_stream_that_cannot_show_a_letter_gets_an_escape() -> None:
    raw = io.BytesIO()
    with PlainProgress(FakeClock(), io.TextIOWrapper(raw, encoding="ascii")) as progress:
        progress.add(problem("C:\\Größe"))
    assert b"C:\\Gr\\xf6\\xdfe" in raw.getvalue()


def test_a_closed_pipe_ends_the_showing_and_not_the_run() -> None:
    stream = io.StringIO()
    with PlainProgress(FakeClock(), stream) as progress:
        stream.close()
        progress.add(BEGIN)
        progress.add(BEGIN)


def test_the_screen_shows_a_dozen_groups_and_sums_up_the_rest() -> None:
    tally = Tally()
    tally.add(BEGIN)
    for number in range(BARS_SHOWN + 3):
        for event in opened(f"g{number:02d}"):
            tally.add(event)
        tally.add(FilesScanned(START, "r1", f"g{number:02d}", 10, 2048, complete=True))
        tally.add(FilesDone(START, "r1", f"g{number:02d}", Totals(5, 0, 0, 0, 1024), 1024))
    text = shown(tally, START + timedelta(seconds=10))
    assert text.count("vm-g") == BARS_SHOWN
    assert "and 3 more machines: 15 files, 3.00 KiB" in text
    assert "50% 5/10 files, 1.00 KiB/2.00 KiB" in text
    assert f"mounts open {BARS_SHOWN + 3}" in text
    assert len(text.splitlines()) <= 20
    assert max(map(len, text.splitlines())) <= 100


def test_a_group_that_is_still_listed_has_no_percentage() -> None:
    tally = Tally()
    for event in (BEGIN, *opened("g1"), FilesScanned(START, "r1", "g1", 10, 2048)):
        tally.add(event)
    assert "listing files" in shown(tally)
    assert "%" not in shown(tally)


def test_a_waiting_an_ended_and_an_empty_group_are_shown_as_what_they_are() -> None:
    tally = Tally()
    events: list[Event] = [BEGIN, opened("g1")[0], *opened("g2"), *opened("g3")]
    events.append(GroupEnded(START, "r1", "g2", "vm-g2", "done", Totals(), 1.0))
    events.append(FilesScanned(START, "r1", "g3", 0, 0, complete=True))
    for event in events:
        tally.add(event)
    text = shown(tally)
    assert "mounting" in text
    assert "vm-g2" not in text
    assert "100% 0/0 files" in text


def test_problems_and_left_mounts_are_counted_below_the_bars() -> None:
    tally = Tally()
    events: list[Event] = [BEGIN, *opened("g1"), FilesDone(START, "r1", "g1", Totals(0, 0, 2, 3), 0)]
    for event in [*events, MountLeft(START, "r1", "g1", "vm", "vbr01", "/m", "no")]:
        tally.add(event)
    text = shown(tally)
    assert "5 files refused or failed" in text
    assert "1 mount could not be deleted" in text


def test_live_progress_prints_problems_above_the_bars_and_leaves_the_last_picture() -> None:
    stream = io.StringIO()
    with LiveProgress(FakeClock(), stream, width=100) as progress:
        for event in (BEGIN, *opened("g1"), problem("C:\\a\x1b[2J.txt")):
            progress.add(event)
    text = stream.getvalue()
    assert "failed vm-g1: C:\\a\\x1b[2J.txt: sharing violation [locked]" in text
    assert text.rindex("mounts open 1") > text.index("sharing violation")


class Stuck(io.StringIO):
    """A terminal that was paused: writing waits until it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.goes_on = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.goes_on.wait(15)
        return super().write(text)


def test_a_paused_terminal_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.bars.CLOSING_SECONDS", 0.05)
    stream = Stuck()
    progress = LiveProgress(FakeClock(), stream, width=100)

    def add_many() -> None:
        for _ in range(1000):
            progress.add(problem("C:\\a"))

    adder = threading.Thread(target=add_many)
    try:
        with progress:
            assert stream.entered.wait(10)
            adder.start()
            adder.join(10)
            assert not adder.is_alive()
        assert not stream.goes_on.is_set()
    finally:
        stream.goes_on.set()


def test_lines_that_a_paused_terminal_could_not_take_are_counted() -> None:
    stream = Stuck()
    with LiveProgress(FakeClock(), stream, width=100) as progress:
        progress.add(BEGIN)
        assert stream.entered.wait(10)
        for number in range(LINES_WAITING + 7):
            progress.add(Notice(START, f"notice {number}"))
        stream.goes_on.set()
    text = stream.getvalue()
    assert "7 lines not shown" in text
    assert "notice 6\n" not in text
    assert "notice 7\n" in text


def test_a_terminal_that_went_away_ends_the_showing_and_not_the_run() -> None:
    stream = io.StringIO()
    stream.close()
    with LiveProgress(FakeClock(), stream, width=100) as progress:
        progress.add(BEGIN)
