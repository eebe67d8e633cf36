"""The contract of the port ScheduleLedger."""

from orchestrator.engine.ports_watch import ScheduleLedger
from tests.support.ledger_rows import later, make_schedule


def test_schedules_come_by_job_as_they_were_written(journal: ScheduleLedger) -> None:
    rows = [make_schedule("a"), make_schedule("naïve \udcff", seen=later(0.5)), make_schedule("z")]
    for row in reversed(rows):
        journal.write_schedule(row)
    assert journal.schedules() == [rows[0], rows[1], rows[2]]


def test_a_schedule_is_updated_in_place(journal: ScheduleLedger) -> None:
    journal.write_schedule(make_schedule())
    journal.write_schedule(make_schedule(seen=later(3600)))
    assert journal.schedules() == [make_schedule(seen=later(3600))]


def test_a_forgotten_schedule_is_gone_and_the_others_stay(journal: ScheduleLedger) -> None:
    for job in ("nightly", "caf\udce9"):
        journal.write_schedule(make_schedule(job))
    journal.forget_schedule("caf\udce9")
    journal.forget_schedule("never known")
    assert journal.schedules() == [make_schedule()]
