"""A close look at a plan, as it is read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator.core.census import Census
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.survey import Look, Past, Room, Survey, forecast
from orchestrator.core.windows import Windows
from orchestrator.views.survey import survey_text
from tests.views.golden_files import assert_golden
from tests.views.samples import HOSTILE, sample_plan

AT = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)


def seen() -> Survey:
    census = Census()
    census.add("C:/a", Entry("a", EntryKind.FILE, 5_000_000))
    census.add("C:/b", Entry("b", EntryKind.FILE, 1_000))
    fates = (("new", 1), ("refused", 1))
    one = Look("g0001", 0, "/restore/fs01", census.tree(), fates, 5_000_000, 0, (f"C:\\{HOSTILE}: no name",))
    return Survey((one, replace(one, group="g0002", refusals=())), ("web01: no disk",))


def test_a_close_look_reads_as_what_would_be_done() -> None:
    rooms = [Room("/restore", 10_000_000, 2 << 30, 256 << 20), Room("/other", 1, None, 0)]
    past = Past(3, AT - timedelta(days=3), 1_000, 10_000_000, 20.0, 60.0)
    ahead = forecast(sample_plan(), seen(), past, rooms, Windows.of(["20:00-22:00"]), AT)
    assert_golden("survey.txt", survey_text(sample_plan(), seen(), ahead))


def test_without_a_past_nothing_is_promised() -> None:
    text = survey_text(sample_plan(), seen(), forecast(sample_plan(), seen(), Past(), [], None, AT))
    assert "Time: not known" in text
    assert "Locks: not known" in text
    assert "Backup window" not in text


def test_the_next_backup_window_is_held_against_the_end_of_the_run() -> None:
    past = Past(3, AT, 1_000, 10_000_000, 20.0, 60.0)
    for windows, words in (
        ("20:00-20:01", "open until"),
        ("20:01-21:00", "after the end"),
        ("20:00-21:00", "may fail"),
    ):
        ahead = forecast(sample_plan(), seen(), past, [], Windows.of([windows]), AT)
        assert words in survey_text(sample_plan(), seen(), ahead)
    slow = forecast(sample_plan(), seen(), replace(past, seconds=9_000.0), [], Windows.of(["20:01-21:00"]), AT)
    assert "BEFORE the end" in survey_text(sample_plan(), seen(), slow)
