"""The queue as a person looks at it."""

from dataclasses import replace
from datetime import timedelta

from orchestrator.core.drops import DropRow, DropState
from orchestrator.core.job import Job, read_job
from orchestrator.core.waiting import queue_lines
from tests.core.test_core_zones import utc
from tests.support.watchtower import job_text

NOON = utc("2026-11-24 12:00")


def job(name: str, **more: object) -> Job:
    return read_job(job_text(name, **more).encode(), f"{name}.toml")


def row(name: str, **more: object) -> DropRow:
    return DropRow(f"id-{name}", f"{name}.toml", NOON - timedelta(minutes=5), job=name, **more)  # type: ignore[arg-type] # fields of the row


def test_running_then_waiting_in_turn_then_recurring_each_with_when_and_why() -> None:
    jobs = {
        "id-low": job("low", priority=-1),
        "id-high": job("high", priority=9),
        "id-night": job("night", windows=["22:00-06:00"]),
        "id-run": job("run"),
        "id-weekly": job("weekly", schedule="0 3 * * SAT"),
        "id-turn": job("turn", schedule="0 3 * * SAT"),
        "id-again": job("again"),
    }
    rows = [
        row("weekly"),
        row("low"),
        row("night"),
        row("high"),
        row("gone"),
        row("run", state=DropState.RUNNING, run="run-1"),
        row("turn", due=NOON),
        row("again", next_try=NOON + timedelta(minutes=3)),
    ]
    lines = queue_lines(rows, jobs, {"weekly": NOON}, NOON, watched=True, at_once=2)
    assert [(one.job, one.state) for one in lines] == [
        ("run", "running"),
        ("high", "waiting"),
        ("again", "held"),
        ("night", "held"),
        ("turn", "waiting"),
        ("low", "waiting"),
        ("gone", "held"),
        ("weekly", "recurring"),
    ]
    by_job = {one.job: one for one in lines}
    assert by_job["run"].run == "run-1"
    assert by_job["night"].begins == utc("2026-11-24 22:00")
    assert by_job["night"].cause == "its windows are closed"
    assert by_job["again"].begins == NOON + timedelta(minutes=3)
    assert by_job["again"].cause == "tried again after a failure that may pass"
    assert by_job["weekly"].begins == utc("2026-11-28 03:00")
    assert by_job["weekly"].cause == "schedule 0 3 * * SAT (UTC)"
    assert by_job["gone"].cause == "its file in active cannot be read"
    assert by_job["high"].begins is None


def causes(*rows: DropRow, watched: bool = True, at_once: int = 2) -> list[str]:
    jobs = {one.id: job(one.job) for one in rows}
    return [line.cause for line in queue_lines(rows, jobs, {}, NOON, watched=watched, at_once=at_once)]


def test_a_job_that_nothing_holds_says_what_it_waits_for_all_the_same() -> None:
    running, twin = row("run", state=DropState.RUNNING, run="run-1"), replace(row("run"), id="id-twin")
    assert causes(row("a")) == ["its turn is next; if it does not begin, the watcher's log says why"]
    assert causes(running, twin) == ["", "another run of the same job is going on"]
    assert causes(running, row("a"), at_once=1) == ["", "watch.runs = 1: that many run already"]


def test_without_a_watcher_that_is_why_nothing_begins_or_goes_on() -> None:
    running = row("run", state=DropState.RUNNING, run="run-1")
    assert causes(running, row("a"), watched=False) == [
        "its watcher has ended; it goes on when one is started",
        "no watcher is running",
    ]
