"""The queue as a person looks at it."""

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
    lines = queue_lines(rows, jobs, {"weekly": NOON}, NOON)
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
    assert by_job["weekly"].begins == utc("2026-11-28 03:00")
    assert by_job["weekly"].cause == "schedule 0 3 * * SAT (UTC)"
    assert by_job["gone"].cause == "its file in active cannot be read"
    assert by_job["high"].begins is None
