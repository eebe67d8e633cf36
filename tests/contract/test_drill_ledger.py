"""Restore drills in the journal."""

from orchestrator.journal import Journal
from tests.support.ledger_rows import later, make_drill


def test_a_drill_is_read_as_it_was_written(journal: Journal) -> None:
    row = make_drill(
        job="caf\udce9",
        ended=later(0.000001),
        bytes=2**62,
        slowest_vm="fs\ud800",
        differences=3,
        removed=4997,
        exit_code=3,
    )
    journal.write_drill(row)
    assert journal.drills() == journal.drills("caf\udce9") == [row]


def test_a_drill_is_updated_in_place(journal: Journal) -> None:
    journal.write_drill(make_drill())
    journal.write_drill(make_drill(seconds=1.5, exit_code=7))
    assert journal.drills() == [make_drill(seconds=1.5, exit_code=7)]


def test_drills_come_newest_first_all_of_them_or_those_of_one_job(journal: Journal) -> None:
    for run, job, seconds in (("r2", "a", 2), ("r1", "b", 1), ("r4", "a", 4), ("r3", "b", 3), ("r5", "b", 3)):
        journal.write_drill(make_drill(run, job=job, ended=later(seconds)))
    assert [row.run for row in journal.drills()] == ["r4", "r5", "r3", "r2", "r1"]
    assert [row.run for row in journal.drills("b")] == ["r5", "r3", "r1"]
    assert journal.drills("c") == []
