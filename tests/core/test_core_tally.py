"""Progress folded from events."""

import time
from datetime import datetime, timedelta

import pytest

from orchestrator.core.events import (
    BytesCopied,
    Event,
    FilesDone,
    FilesScanned,
    GroupEnded,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    RunEnded,
    RunStarted,
    SessionRenewed,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.tally import Tally
from tests.core.values import AT


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def tally_of(*events: Event, groups: int = 1) -> Tally:
    tally = Tally()
    tally.add(RunStarted(AT, "r", "j", groups))
    for event in events:
        tally.add(event)
    return tally


def started(group: str = "g") -> GroupStarted:
    return GroupStarted(AT, "r", group, "fs01", "vbr01", "u", AT)


def scanned(files: int, size: int, group: str = "g", complete: bool = True) -> FilesScanned:
    return FilesScanned(AT, "r", group, files, size, complete)


def done(seconds: float, files: int, size: int, group: str = "g") -> FilesDone:
    return FilesDone(at(seconds), "r", group, Totals(files, 0, 0, 0, size), size)


def ended(group: str = "g", state: str = "done") -> GroupEnded:
    return GroupEnded(at(99), "r", group, "fs01", state, Totals(), 1.0)


def test_mounts_are_counted_from_opening_to_deleting_or_losing() -> None:
    opened = MountOpened(AT, "r", "g", "fs01", "vbr01", "/m/1", 1.0)
    tally = tally_of(started(), opened)
    assert (tally.mounts_open, tally.groups["g"].state) == (1, "copying")
    tally.add(MountGone(AT, "r", "g", "fs01", "/m/1", "401"))
    assert (tally.mounts_open, tally.groups["g"].state) == (0, "mounting")
    for event in (
        opened,
        MountDeleted(AT, "r", "g", "fs01", "vbr01", "/m/2", 5.0),
        MountLeft(AT, "r", "g", "fs01", "vbr01", "/m/3", "no"),
        SessionRenewed(AT, 2, "401"),
        Notice(AT, "x"),
        RunEnded(AT, "r", 7, Totals(), 2, 1, 1),
    ):
        tally.add(event)
    assert (tally.mounts_open, tally.mounts_opened, tally.mounts_deleted, tally.mounts_left) == (0, 2, 1, 1)
    assert (tally.renewals, tally.exit_code) == (1, 7)


def test_groups_that_an_earlier_process_has_done_count_from_the_start() -> None:
    tally = Tally()
    tally.add(RunStarted(AT, "r", "j", 3, resumed=True, done=2))
    assert (tally.ended, tally.planned) == (2, 3)
    tally.add(started())
    tally.add(ended())
    assert tally.ended == 3


def test_the_rate_is_measured_over_the_last_half_minute_only() -> None:
    tally = tally_of(started(), scanned(10_000, 10_000_000))
    for second in range(101):
        tally.add(done(second, 1 if second <= 50 else 5, 100 if second <= 50 else 500))
    files, size = tally.rate(at(100))
    assert files == pytest.approx(5, rel=0.05)
    assert size == pytest.approx(500, rel=0.05)


def test_a_stall_shows_as_a_falling_rate() -> None:
    tally = tally_of(started(), scanned(100, 1000), done(0, 1, 10), done(10, 10, 100))
    assert tally.rate(at(10)) == (1.0, 10.0)
    assert tally.rate(at(100))[0] == pytest.approx(0.1)


def test_there_is_no_rate_before_anything_moved_or_when_the_clock_went_back() -> None:
    assert tally_of(started()).rate(AT) == (0.0, 0.0)
    assert tally_of(started(), done(5, 1, 1)).rate(at(3)) == (0.0, 0.0)


def test_bytes_of_a_file_in_flight_count_once() -> None:
    tally = tally_of(started(), scanned(2, 1000))
    tally.add(BytesCopied(at(1), "r", "g", 400))
    assert (tally.bytes_done, tally.group_bytes_done("g")) == (400, 400)
    tally.add(BytesCopied(at(2), "r", "g", 500))
    tally.add(done(3, 1, 900))
    assert tally.bytes_done == 900
    tally.add(BytesCopied(at(4), "r", "g", 50))
    tally.add(ended())
    assert tally.bytes_done == 900


def test_the_time_to_go_is_unknown_until_a_walk_is_complete_and_something_moves() -> None:
    tally = tally_of(started(), scanned(10, 1000, complete=False), done(0, 1, 1), done(1, 1, 1))
    assert tally.eta(at(1)) is None
    tally.add(scanned(0, 0))
    assert tally.eta(at(1)) is not None
    assert tally_of(started(), scanned(10, 1000)).eta(AT) is None


def test_the_time_to_go_follows_files_or_bytes_whichever_takes_longer() -> None:
    many = tally_of(started(), scanned(110, 110), done(0, 0, 0), done(10, 10, 100))
    assert many.eta(at(10)) == pytest.approx(100)
    large = tally_of(started(), scanned(11, 10_100), done(0, 0, 0), done(10, 10, 100))
    assert large.eta(at(10)) == pytest.approx(1000)


def test_groups_not_listed_yet_count_as_the_mean_of_those_that_are() -> None:
    tally = tally_of(started(), scanned(20, 0), done(0, 0, 0), done(10, 10, 0), groups=3)
    assert tally.eta(at(10)) == pytest.approx(10 + 2 * 20)


def test_a_group_that_failed_is_not_waited_for() -> None:
    tally = tally_of(started("a"), started("b"), started("c"), groups=3)
    tally.add(scanned(100, 0, "c"))
    tally.add(ended("b", "failed"))
    tally.add(ended("c", "failed"))
    for event in (scanned(20, 0, "a"), done(0, 0, 0, "a"), done(10, 10, 0, "a")):
        tally.add(event)
    assert tally.eta(at(10)) == pytest.approx(10)
    tally.add(done(20, 10, 0, "a"))
    tally.add(ended("a"))
    assert tally.eta(at(20)) == 0.0


def test_a_group_that_never_started_lists_and_ends_nothing() -> None:
    tally = tally_of(scanned(5, 5), ended())
    assert (tally.files_found, tally.ended) == (0, 0)


def test_what_an_earlier_process_settled_is_done_from_the_start_and_is_no_rate() -> None:
    tally = tally_of(done(0, 900, 9000))
    assert (tally.files_done, tally.bytes_done) == (900, 9000)
    tally.add(started())
    for event in (scanned(1000, 10_000), done(1, 0, 0), done(11, 10, 100)):
        tally.add(event)
    assert (tally.files_done, tally.group_bytes_done("g")) == (910, 9100)
    assert tally.rate(at(11))[0] == pytest.approx(1.0)
    assert tally.eta(at(11)) == pytest.approx(90)


def test_a_second_turn_of_a_group_counts_nothing_twice() -> None:
    problems = FilesDone(at(1), "r", "g", Totals(4, 0, 1, 5, 40), 100)
    tally = tally_of(started(), scanned(10, 100), problems, ended(state="failed"))
    tally.add(started())
    assert (tally.files_found, tally.ended) == (0, 0)
    # What failed is restored now, and one link is refused as before: only what changes is told.
    for event in (scanned(10, 100), FilesDone(at(2), "r", "g", Totals(5, 0, 0, -5, 50), 0), ended()):
        tally.add(event)
    assert (tally.files_found, tally.totals, tally.ended) == (10, Totals(9, 0, 1, 0, 90), 1)


def test_adding_an_event_is_cheap_however_large_the_estate() -> None:
    tally = tally_of(*(started(f"g{number}") for number in range(5000)), groups=5000)
    begun = time.process_time()
    for number in range(2000):
        tally.add(BytesCopied(at(number / 100), "r", f"g{number}", 1))
    assert time.process_time() - begun < 1.0
    assert tally.bytes_done == 2000
