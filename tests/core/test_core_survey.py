"""What follows from a survey: room, time and locks; and what differs between two."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.core.census import Census
from orchestrator.core.decide import Copy, Examine, Refuse, Renamed, SetAside, Skip
from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind
from orchestrator.core.looks import is_look, look_id
from orchestrator.core.reasons import Reason
from orchestrator.core.survey import (
    EXAMPLES,
    Fate,
    Look,
    Past,
    Room,
    Survey,
    Tally,
    expected,
    fate_of,
    forecast,
    surveys_differ,
    wanted_room,
)
from orchestrator.core.windows import Windows
from tests.views.samples import sample_plan

AT = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)
THERE = Found(FoundKind.FILE, 7)
GONE = Found(FoundKind.NOTHING)
PAST = Past(2, AT, files=100, bytes=1000, seconds=10.0, mounted=20.0)


def look(
    group: str = "g0001", number: int = 0, files: int = 1, needed: int = 0, freed: int = 0, to: str = "/r"
) -> Look:
    census = Census()
    for one in range(files):
        census.add(f"C:/{one}", Entry(str(one), EntryKind.FILE, 1))
    return Look(group, number, to, census.tree(), (), needed, freed, ())


@pytest.mark.parametrize(
    ("decision", "found", "fate"),
    [
        (Copy(), GONE, Fate.NEW),
        (Copy(replace=True), THERE, Fate.REPLACE),
        (SetAside(), THERE, Fate.ASIDE),
        (Renamed(), THERE, Fate.RENAME),
        (Skip(Reason.EXISTS), THERE, Fate.SKIP),
        (Refuse(Reason.SPECIAL), GONE, Fate.REFUSE),
        (Examine(Copy(replace=True)), THERE, Fate.COMPARE),
    ],
)
def test_each_decision_is_a_fate(decision: Copy, found: Found, fate: Fate) -> None:
    assert fate_of(decision, found) is fate


def test_a_tally_counts_what_is_written_and_what_makes_room_and_no_folder() -> None:
    tally = Tally()
    tally.add("C:\\a", Entry("a", EntryKind.FILE, 10), Copy(), GONE)
    tally.add("C:\\b", Entry("b", EntryKind.FILE, 20), Copy(replace=True), THERE)
    tally.add("C:\\c", Entry("c", EntryKind.FILE, 40), Skip(Reason.EXISTS), THERE)
    tally.add("C:\\d", Entry("d", EntryKind.FOLDER), Copy(), GONE)
    for number in range(EXAMPLES + 2):
        tally.add(f"C:\\{number}", Entry(f"{number}", EntryKind.LINK), Refuse(Reason.LINK_SKIPPED), GONE)
    seen = tally.look(sample_plan().groups[0], 0)
    assert (seen.needed, seen.freed, seen.tree.bytes) == (30, 7, 70)
    assert (seen.count(Fate.NEW), seen.count(Fate.REPLACE), seen.count(Fate.SKIP)) == (1, 1, 1)
    assert seen.count(Fate.REFUSE) == EXAMPLES + 2
    assert len(seen.refusals) == EXAMPLES
    assert seen.refusals[0].startswith("C:\\0: ")


def test_a_run_takes_as_long_as_its_files_or_its_bytes_whichever_is_slower() -> None:
    assert expected(50, 0, PAST, PAST.seconds) == 5.0
    assert expected(1, 2000, PAST, PAST.seconds) == 20.0
    assert expected(1, 2000, Past(), 0.0) is None
    assert expected(50, 10, replace(PAST, bytes=0), PAST.seconds) == 5.0


def test_the_machines_of_one_backup_file_lock_it_one_after_the_other() -> None:
    plan = sample_plan()
    point = replace(plan.groups[0].point, backup_file="daily.vbk")
    groups = tuple(replace(group, point=replace(point, vm=group.vm, uid=group.vm)) for group in plan.groups)
    shared = replace(plan, groups=groups)
    survey = Survey((look("g0001", files=10), look("g0002", files=20)))
    [lock] = forecast(shared, survey, PAST, (), None, AT).locks
    assert (lock.file, lock.machines, lock.seconds) == ("daily.vbk", ("fs01", "web01"), 6.0)
    apart = forecast(plan, survey, PAST, (), None, AT)
    assert [one.seconds for one in apart.locks] == [4.0, 2.0]
    assert apart.lock_minutes == pytest.approx(0.1)
    assert forecast(plan, survey, Past(), (), None, AT).lock_minutes is None


def test_a_run_collides_with_a_window_that_is_open_or_opens_before_its_end() -> None:
    plan, survey = sample_plan(), Survey((look(needed=120_000),))  # 20 minutes
    windows = Windows.of(["20:15-21:00"])
    ahead = forecast(plan, survey, PAST, (), windows, AT)
    assert ahead.window == AT + timedelta(minutes=15)
    assert ahead.collides
    assert not forecast(plan, survey, Past(), (), windows, AT).collides
    assert not forecast(plan, survey, PAST, (), Windows.of(["20:30-21:00"]), AT).collides
    inside = forecast(plan, survey, PAST, (), windows, AT + timedelta(minutes=20))
    assert inside.collides
    assert inside.closes == AT + timedelta(hours=1)
    assert not forecast(plan, survey, PAST, (), None, AT).collides


def test_room_is_what_is_written_less_what_it_replaces_and_the_reserve_stays() -> None:
    looks = [look(needed=10, freed=4), look("g0002", needed=5, freed=9), look("g0002", 1, needed=1, to="/q")]
    assert wanted_room(looks) == {"/r": 6, "/q": 1}
    assert Room("/r", 6, 10, 4).fits
    assert not Room("/r", 7, 10, 4).fits
    assert Room("/r", 7, None, 4).fits


def test_two_surveys_differ_by_files_by_what_is_missing_and_by_new_problems() -> None:
    plan = sample_plan()
    then = Survey((look(files=2), look("g0002")), ("old trouble",))
    assert surveys_differ(plan, then, then) == []
    told = surveys_differ(plan, then, Survey((look(files=3),), ("old trouble", "new trouble")))
    assert told == [
        "the files of fs01: 2 files of 2 bytes when it was planned, 3 files of 3 bytes now; changed in C:",
        "the files of web01: could not be listed again",
        "new trouble",
    ]


def test_the_id_of_a_look_is_that_of_no_run() -> None:
    assert is_look(look_id("job", "0123456789abcdef"))
    assert not is_look("job-20261125T205442Z")
    assert not is_look("job-0123456z-look")
