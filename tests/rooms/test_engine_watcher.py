"""The watcher in virtual time: schedules, windows, changes of the clocks, pauses, failures, deaths."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import anyio
import pytest
from blockbuster import BlockBuster

from orchestrator.core.drops import DropRow
from orchestrator.core.errors import (
    DropFolderUnusable,
    EmUnreachable,
    ExitCode,
    JobInvalid,
    LogonRefused,
    ShareUnreadable,
)
from orchestrator.core.events import (
    DeadlineInDanger,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    Notice,
    QueuePaused,
    RunStarted,
    ScheduleMissed,
)
from orchestrator.engine.serving import Ask
from tests.support.watchtower import World, in_virtual_time, job_text

Story = Callable[[], Awaitable[None]]
Tell = Callable[[Story], None]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, nothing_blocks_the_event_loop: BlockBuster) -> Tell:
    nothing_blocks_the_event_loop.deactivate()  # what is done in threads is done on the loop here
    return lambda story: in_virtual_time(story, monkeypatch)


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_two_weeks_over_the_change_to_summer_time(tell: Tell) -> None:
    """In Berlin the clocks go from 02:00 to 03:00 on 29 March 2026."""
    world = World(utc("2026-03-20 00:00"), lengths={"long": 30 * 3600, "hourly": 120, "nightly": 600}, poll=300.0)

    async def story() -> None:
        world.folder.drop(job_text("nightly", schedule="30 2 * * *", time_zone="Europe/Berlin"), "nightly.toml")
        world.folder.drop(job_text("hourly", schedule="0 * * * *", time_zone="Europe/Berlin"), "hourly.toml")
        world.folder.drop(job_text("weekly", schedule="0 12 * * SAT", time_zone="Europe/Berlin"), "weekly.toml")
        world.folder.drop(job_text("long", windows=["22:00-06:00"], time_zone="Europe/Berlin", priority=5), "long.toml")
        async with world.watcher(at_once=3):
            await world.until(world.start + 14 * DAY)

    tell(story)
    nights = [utc(f"2026-03-{day} 01:30") for day in range(20, 29)]  # 02:30 in winter
    nights += [utc("2026-03-29 01:00")]  # 02:30 is skipped: the first instant after the gap, 03:00
    nights += [utc(f"2026-03-{day} 00:30") for day in range(30, 32)]  # 02:30 in summer
    nights += [utc(f"2026-04-0{day} 00:30") for day in range(1, 3)]
    assert _to_the_minute(world.starts("nightly")) == nights
    assert _to_the_minute(world.starts("hourly")) == [world.start + n * HOUR for n in range(1, 14 * 24)]
    assert _to_the_minute(world.starts("weekly")) == [utc("2026-03-21 11:00"), utc("2026-03-28 11:00")]
    assert world.told(ScheduleMissed) == []
    # 30 hours within nights of 22:00 to 06:00 by the clock in Berlin: eight, eight, eight and six hours.
    assert [(start, end) for job, start, end in world.worked if job == "long"] == [
        (pytest.approx(start, abs=timedelta(minutes=1)), pytest.approx(end, abs=timedelta(minutes=1)))
        for start, end in (
            (utc("2026-03-20 00:00"), utc("2026-03-20 05:00")),
            (utc("2026-03-20 21:00"), utc("2026-03-21 05:00")),
            (utc("2026-03-21 21:00"), utc("2026-03-22 05:00")),
            (utc("2026-03-22 21:00"), utc("2026-03-23 05:00")),
            (utc("2026-03-23 21:00"), utc("2026-03-23 22:00")),
        )
    ]
    assert len(world.starts("long")) == 1, "one run, gone on with in each window"
    assert world.lines("long") == ["exit 0: everything is restored, 0 restored, mounts opened 1, deleted 1, left 0"]
    assert world.most_at_once <= 3


def _to_the_minute(times: list[datetime]) -> list[datetime]:
    late = [time - time.replace(second=0, microsecond=0) for time in times]
    assert all(one < timedelta(seconds=30) for one in late), late
    return [time.replace(second=0, microsecond=0) for time in times]


def test_two_weeks_over_the_change_to_winter_time(tell: Tell) -> None:
    """In Berlin the hour from 02:00 to 03:00 is repeated on 25 October 2026."""
    world = World(utc("2026-10-18 00:00"), lengths={"window": 100 * 3600}, poll=300.0)

    async def story() -> None:
        world.folder.drop(job_text("nightly", schedule="30 2 * * *", time_zone="Europe/Berlin"), "nightly.toml")
        world.folder.drop(job_text("hourly", schedule="0 * * * *", time_zone="Europe/Berlin"), "hourly.toml")
        world.folder.drop(job_text("window", windows=["01:00-04:00"], time_zone="Europe/Berlin"), "window.toml")
        async with world.watcher(at_once=3):
            await world.until(world.start + 14 * DAY)

    tell(story)
    nights = [utc(f"2026-10-{day} 00:30") for day in range(18, 26)]  # on the 25th the first of the two 02:30
    nights += [utc(f"2026-10-{day} 01:30") for day in range(26, 32)]
    assert _to_the_minute(world.starts("nightly")) == nights
    assert _to_the_minute(world.starts("hourly")) == [world.start + n * HOUR for n in range(1, 14 * 24)]
    nightly_hours = {start.date(): round((end - start) / HOUR) for job, start, end in world.worked if job == "window"}
    assert nightly_hours.pop(utc("2026-10-24 23:00").date()) == 4, "the night of the change is an hour longer"
    assert set(list(nightly_hours.values())[1:-1]) == {3}


def test_due_times_that_nobody_was_there_for_come_to_one_run_if_the_last_is_recent(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        world.folder.drop(job_text("hourly", schedule="0 * * * *"), "hourly.toml")
        world.folder.drop(job_text("daily", schedule="0 3 * * *"), "daily.toml")
        async with world.killed():
            await world.until(utc("2026-11-25 01:30"))
        await world.until(utc("2026-11-25 06:30"))
        async with world.watcher():
            await world.until(utc("2026-11-25 07:30"))

    tell(story)
    assert _to_the_minute(world.starts("hourly")) == [
        utc("2026-11-25 01:00"),
        utc("2026-11-25 06:30"),
        utc("2026-11-25 07:00"),
    ]
    assert world.starts("daily") == [], "three and a half hours late is too late"
    missed = Counter(event.job for event in world.told(ScheduleMissed))
    assert missed == {"hourly": 4, "daily": 1}


def test_a_due_time_at_which_the_turn_before_is_not_over_is_left_out_and_told(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"hourly": 90 * 60})

    async def story() -> None:
        world.folder.drop(job_text("hourly", schedule="0 * * * *"), "hourly.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 05:30"))

    tell(story)
    assert _to_the_minute(world.starts("hourly")) == [utc(f"2026-11-25 0{hour}:00") for hour in (1, 3, 5)]
    assert [event.cause for event in world.told(ScheduleMissed)] == ["the turn before it is not over yet"] * 2


def test_a_schedule_is_replaced_by_a_new_file_of_the_same_job_and_ended_by_removing_its_file(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        world.folder.drop(job_text("drill", schedule="0 * * * *"), "old.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 02:30"))
            world.folder.drop(job_text("drill", schedule="15 * * * *"), "new.toml")
            await world.until(utc("2026-11-25 04:30"))
            world.folder.active.clear()
            await world.until(utc("2026-11-25 08:30"))
            world.folder.drop(job_text("drill", schedule="15 * * * *"), "new.toml")
            await world.until(utc("2026-11-25 09:30"))

    tell(story)
    assert [time.strftime("%H:%M") for time in world.starts("drill")] == ["01:00", "02:00", "03:15", "04:15", "09:15"]
    lines = world.lines("drill")
    assert "replaced by new.toml" in lines
    assert "withdrawn: its file was removed from active" in lines
    assert [row.job for row in world.journal.schedules()] == ["drill"]


def test_jobs_begin_by_priority_then_deadline_then_arrival_and_no_more_than_may_run_at_once(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        async with world.watcher(at_once=1) as serving:
            await world.until(utc("2026-11-25 00:01"))
            await serving.do(Ask("pause"))
            for name, more in {
                "fifth": {"priority": -1},
                "third": {"deadline": utc("2026-11-25 09:00")},
                "second": {"deadline": utc("2026-11-25 08:00")},
                "fourth": {},
                "first": {"priority": 9},
            }.items():
                world.folder.drop(job_text(name, **more), f"{name}.toml")
            await world.until(utc("2026-11-25 00:10"))
            assert world.told(RunStarted) == []
            await serving.do(Ask("unpause"))
            await world.until(utc("2026-11-25 00:30"))

    tell(story)
    assert [event.job for event in world.told(RunStarted)] == ["first", "second", "third", "fourth", "fifth"]
    assert world.most_at_once == 1
    assert [event.paused for event in world.told(QueuePaused)] == [True, False]
    assert {event.cause for event in world.told(JobHeld)} == {"the queue is paused"}
    assert len(world.logons) == 1, "all of them under one session"


def test_a_job_that_is_not_before_its_time_waits_and_says_until_when(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        world.folder.drop(job_text("later", not_before=utc("2026-11-25 04:00")), "later.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 05:00"))

    tell(story)
    assert _to_the_minute(world.starts("later")) == [utc("2026-11-25 04:00")]
    assert [(event.until, event.cause) for event in world.told(JobHeld)] == [
        (utc("2026-11-25 04:00"), "its time has not come")
    ]


def test_a_run_that_will_be_late_is_told_of_once_and_goes_on(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"late": 3 * 3600})

    async def story() -> None:
        world.folder.drop(job_text("late", deadline=utc("2026-11-25 01:00")), "late.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 05:00"))

    tell(story)
    danger = world.told(DeadlineInDanger)
    assert [event.job for event in danger] == ["late"]
    assert world.lines("late")[0].startswith("exit 0")


def test_while_enterprise_manager_is_away_no_job_is_lost_and_the_pauses_grow(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), em_is_away=EmUnreachable(url="https://em", cause="refused"))

    async def story() -> None:
        world.folder.drop(job_text("patient"), "patient.toml")
        async with world.watcher() as serving:
            await world.until(utc("2026-11-25 02:00"))
            assert "Enterprise Manager could not be asked" in serving.hindrances()[0]
            world.em_is_away = None
            await world.until(utc("2026-11-25 02:30"))
            assert serving.hindrances() == []

    tell(story)
    pauses = [round((later - sooner).total_seconds() / 60) for sooner, later in pairwise(world.logons)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert set(pauses[4:-1]) == {15}
    assert world.lines("patient")[0].startswith("exit 0")
    assert all(event.exit_code == ExitCode.EM for event in world.told(JobNotStarted))
    again = [event.message for event in world.told(Notice) if event.message.startswith("tried again")]
    assert re.fullmatch(r"tried again at [0-9:]{8} UTC, no job is lost", again[0]), "why has just been told of the job"


def test_after_a_refused_logon_the_account_is_left_alone_for_a_while(tell: Tell) -> None:
    refused = LogonRefused(username="x", cause="wrong password", password_source="$EM_PASSWORD")
    world = World(utc("2026-11-25 00:00"), em_is_away=refused)

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 01:00"))

    tell(story)
    assert 4 <= len(world.logons) <= 5


def test_a_job_that_cannot_be_planned_is_answered_at_once_and_one_whose_share_is_away_is_tried_again(
    tell: Tell,
) -> None:
    world = World(utc("2026-11-25 00:00"), refuses=JobInvalid(place="a.toml", problems="there is no machine fs01"))

    async def story() -> None:
        world.folder.drop(job_text("wrong"), "wrong.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:10"))
            world.refuses = ShareUnreadable(share="/mnt", backup_server="vbr01", cause="not mounted")
            world.folder.drop(job_text("away"), "away.toml")
            await world.until(utc("2026-11-25 00:12"))
            world.refuses = None
            await world.until(utc("2026-11-25 00:20"))
            world.refuses = ShareUnreadable(share="/mnt", backup_server="vbr01", cause="not mounted")
            world.folder.drop(job_text("hopeless"), "hopeless.toml")
            await world.until(utc("2026-11-25 03:00"))

    tell(story)
    assert world.lines("wrong") == ["not started: a.toml: there is no machine fs01"]
    assert world.lines("away")[0].startswith("exit 0")
    assert world.lines("hopeless")[0].startswith("not started: The share /mnt")
    assert sum(1 for event in world.told(JobNotStarted) if event.job == "hopeless") == 4


def test_a_killed_watcher_goes_on_with_what_was_running_and_what_waited(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"running": 1000})

    async def story() -> None:
        world.folder.drop(job_text("running"), "running.toml")
        world.folder.drop(job_text("waiting", not_before=utc("2026-11-25 01:00")), "waiting.toml")
        async with world.killed():
            await world.until(utc("2026-11-25 00:05"))
        world.folder.active["abc123-0000beef"] = "claimed.toml", job_text("claimed").encode()
        world.folder.active["fffff0-0000beef"] = "theirs.toml", job_text("theirs").encode()
        async with world.watcher():
            await world.until(utc("2026-11-25 02:00"))

    tell(story)
    assert {event.job for event in world.told(RunStarted)} == {"running", "waiting", "claimed"}
    assert len({event.run for event in world.told(RunStarted)}) == 3
    assert {event.job for event in world.told(JobEnded) if event.exit_code == 0} == {"running", "waiting", "claimed"}


def test_a_job_during_which_the_watcher_dies_again_and_again_is_not_begun_for_ever(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"poison": 10_000})

    async def story() -> None:
        world.folder.drop(job_text("poison"), "poison.toml")
        for minutes in range(1, 8):
            async with world.killed():
                await world.until(world.start + timedelta(minutes=minutes))

    tell(story)
    assert len(world.told(RunStarted)) == 4
    assert world.lines("poison")[0].startswith("not begun again: the watcher died 4 times")


def test_a_drop_folder_that_goes_away_is_told_of_once_and_answers_come_when_it_is_back(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 300})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.watcher() as serving:
            await world.until(utc("2026-11-25 00:02"))
            world.folder.trouble = "no such folder"
            await world.until(utc("2026-11-25 00:30"))
            assert "no such folder" in serving.hindrances()[0]
            assert world.folder.ended == []
            world.folder.trouble = ""
            await world.until(utc("2026-11-25 00:31"))
            assert serving.hindrances() == []

    tell(story)
    assert [job for job, _, _ in world.folder.ended] == ["a"]
    notices = [event.message for event in world.told(Notice)]
    assert sum("no such folder" in message for message in notices) == 1
    assert "the drop folder can be used again" in notices


def test_an_answer_that_could_not_be_given_before_the_watcher_died_is_given_by_the_next_and_nothing_runs_twice(
    tell: Tell,
) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 60})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.killed():
            await world.until(utc("2026-11-25 00:00") + timedelta(seconds=50))
            world.folder.trouble = "read only"
            await world.until(utc("2026-11-25 00:05"))
        world.folder.trouble = ""
        async with world.watcher():
            await world.until(utc("2026-11-25 00:10"))

    tell(story)
    assert len(world.told(RunStarted)) == 1
    assert [(job, folder) for job, folder, _ in world.folder.ended] == [("a", "done")]
    assert world.folder.active == {}


def test_a_claim_that_could_not_be_accepted_for_a_while_is_accepted_when_the_folder_can_be_used_again(
    tell: Tell,
) -> None:
    world = World(utc("2026-11-25 00:00"))
    first = world.folder.first
    calls = []

    def fails_twice(row: DropRow) -> str:
        calls.append(row)
        if len(calls) <= 2:
            raise DropFolderUnusable(folder="memory", cause="no room")
        return first(row)

    world.folder.first = fails_twice  # type: ignore[method-assign] # one call of the folder fails

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:05"))

    tell(story)
    assert len(calls) == 3
    assert world.lines("a")[0].startswith("exit 0")


def test_a_job_that_waits_is_withdrawn_by_removing_its_file(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        world.folder.drop(job_text("later", not_before=utc("2026-11-25 04:00")), "later.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:05"))
            world.folder.active.clear()
            await world.until(utc("2026-11-25 05:00"))

    tell(story)
    assert world.told(RunStarted) == []
    assert world.lines("later") == ["withdrawn: its file was removed from active"]
    assert world.journal.unfinished_drops() == []


def test_who_dropped_what_is_told_and_a_rejected_file_is_answered(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        world.folder.drop(job_text("good"), "good.toml")
        world.folder.drop('name = "bad"', "bad.toml")
        world.folder.drop('name = "half', "half.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:00") + timedelta(seconds=6))
            assert "half.toml" in world.folder.incoming, "broken TOML may still be being written"
            await world.until(utc("2026-11-25 00:01"))

    tell(story)
    taken = world.told(JobTaken)
    assert [(event.file, event.job, event.owner, len(event.digest)) for event in taken] == [
        ("good.toml", "good", "operator", 64)
    ]
    assert {event.file for event in world.told(JobRejected)} == {"bad.toml", "half.toml"}
    assert "restore: missing" in world.folder.answers["bad.toml"]


def test_a_stop_leaves_what_was_running_to_the_next_start(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 3600})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:10"))
        assert world.folder.ended == []
        async with world.watcher():
            await world.until(utc("2026-11-25 02:10"))

    tell(story)
    assert [event.resumed for event in world.told(RunStarted)] == [False, True]
    assert world.lines("a")[0].startswith("exit 0")


@pytest.mark.parametrize("method", ["look", "wait", "read", "claim", "claimed", "content", "put", "end", "first"])
def test_a_drop_folder_that_hangs_does_not_keep_the_watcher_from_ending(tell: Tell, method: str) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 3600, "b": 3600})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        world.folder.drop(job_text("turns", schedule="5 * * * *"), "turns.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:02"))
            world.folder.drop(job_text("b"), "b.toml")
            world.folder.hang = {method}
            await world.until(utc("2026-11-25 02:00"))
        assert world.now() < utc("2026-11-25 02:05"), "whoever asks to stop waits for no dead share"

    tell(story)


def test_a_watcher_that_begins_on_a_drop_folder_that_hangs_can_be_stopped(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 3600})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:10"))
        world.folder.hang = {"content", "claimed"}
        async with world.watcher():
            await world.until(utc("2026-11-25 00:20"))
        world.folder.hang = set()
        async with world.watcher():
            await world.until(utc("2026-11-25 02:00"))

    tell(story)
    assert [line[:6] for line in world.lines("a")] == ["exit 0"]


def test_an_answer_that_a_hanging_folder_does_not_take_is_given_when_it_can_be_used_again(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 600})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:05"))
            world.folder.hang = {"end"}
            await world.until(utc("2026-11-25 00:15"))
            assert [line[:6] for line in world.lines("a")] == ["exit 0"]
            assert any("has not answered" in event.message for event in world.told(Notice))
            world.folder.hang = set()
            await world.until(utc("2026-11-25 00:20"))

    tell(story)
    assert [(job, folder) for job, folder, _ in world.folder.ended] == [("a", "done")]


def test_one_run_is_stopped_by_an_operator_and_is_answered_while_the_others_go_on(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"a": 3600, "b": 3600})

    async def story() -> None:
        world.folder.drop(job_text("a"), "a.toml")
        world.folder.drop(job_text("b"), "b.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 00:10"))
            run = next(event.run for event in world.told(RunStarted) if event.job == "a")
            world.asked += [Ask("drain", run), Ask("drain", "nobody")]
            await world.until(utc("2026-11-25 02:10"))

    tell(story)
    assert "stopped by an operator" in world.lines("a")[0]
    assert world.lines("b")[0].startswith("exit 0")
    assert any("no run nobody is going on" in event.message for event in world.told(Notice))


def test_mounts_that_were_left_are_swept_every_few_minutes_while_nothing_runs(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))
    rows = [object()]
    world.journal.open_leases = lambda: rows  # type: ignore[assignment, return-value] # only whether there are any

    async def story() -> None:
        async with world.watcher():
            await world.until(utc("2026-11-25 00:21"))
            rows.clear()
            await world.until(utc("2026-11-25 02:00"))

    tell(story)
    assert [round((time - world.start) / timedelta(minutes=1)) for time in world.logons] == [0, 5, 10, 15, 20, 25]


def test_a_clock_that_is_put_forward_or_back_loses_no_due_time_and_makes_none_twice(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"))

    async def story() -> None:
        world.folder.drop(job_text("hourly", schedule="0 * * * *"), "hourly.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 01:10"))
            world.ahead = timedelta(hours=-1)
            await anyio.sleep(3600)
            world.ahead = timedelta(minutes=30)
            await anyio.sleep(3600)

    tell(story)
    at = [time.replace(minute=0, second=0, microsecond=0) for time in world.starts("hourly")]
    assert at == [utc("2026-11-25 01:00"), utc("2026-11-25 02:00"), utc("2026-11-25 03:00")]


def test_a_stopped_run_that_nobody_asked_to_stop_is_answered_and_not_begun_again_at_once(tell: Tell) -> None:
    """No room, or too many failures: a person has to look."""
    world = World(
        utc("2026-11-25 00:00"),
        ends=lambda report: replace(report, state="stopped", exit_code=int(ExitCode.STOPPED)),
    )

    async def story() -> None:
        world.folder.drop(job_text("full"), "full.toml")
        async with world.watcher():
            await world.until(utc("2026-11-25 01:00"))

    tell(story)
    assert len(world.told(RunStarted)) == 1
    assert "`orchestrator resume full-" in world.lines("full")[0]


def test_old_runs_are_looked_for_once_a_day_and_never_while_a_job_runs(tell: Tell) -> None:
    world = World(utc("2026-11-25 00:00"), lengths={"long": 30 * 3600})

    async def story() -> None:
        async with world.watcher():
            await world.until(utc("2026-11-25 23:00"))
            world.folder.drop(job_text("long"), "long.toml")
            await world.until(utc("2026-11-28 12:00"))

    tell(story)
    (began, ended) = next((start, end) for job, start, end in world.worked if job == "long")
    assert [time for time in world.tidied if began < time < ended] == []
    assert [time.day for time in world.tidied] == [25, 27, 28]
