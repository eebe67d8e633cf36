"""The contract of the port DropLedger."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.drops import DropState
from orchestrator.engine.ports_watch import DropLedger
from tests.support.ledger_rows import later, make_drop

ANY_NAME = st.text(st.characters(exclude_categories=()))


def test_a_claim_is_read_as_it_was_written(journal: DropLedger) -> None:
    bare = make_drop()
    full = make_drop(
        "d2",
        taken=later(0.000001),
        state=DropState.ENDED,
        digest="ab" * 32,
        owner="CORP\\ann",
        job="nightly",
        run="nightly-20261120T060000Z",
        attempts=3,
        next_try=later(60),
        due=later(-1),
        ended=later(90.5),
        exit_code=3,
        line="exit 3: 2 files are not restored",
    )
    journal.write_drop(bare)
    journal.write_drop(full)
    assert [journal.drop("d1"), journal.drop("d2"), journal.drop("d3")] == [bare, full, None]


def test_a_claim_is_updated_in_place(journal: DropLedger) -> None:
    claim = make_drop(taken=later(5))
    journal.write_drop(claim)
    journal.write_drop(make_drop("d2", taken=later(5)))
    running = replace(claim, state=DropState.RUNNING, digest="aa", job="nightly", run="r1", attempts=1)
    journal.write_drop(running)
    assert journal.drop("d1") == running
    assert [row.id for row in journal.recent_drops(10)] == ["d2", "d1"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=ANY_NAME, owner=ANY_NAME, job=ANY_NAME, line=ANY_NAME)
def test_every_name_that_a_dropped_file_can_have_survives(
    journal: DropLedger, file: str, owner: str, job: str, line: str
) -> None:
    row = make_drop(file=file, owner=owner, job=job, line=line)
    journal.write_drop(row)
    assert journal.drop("d1") == row


def test_unfinished_claims_come_oldest_first(journal: DropLedger) -> None:
    for name, seconds, state in (
        ("young", 9, DropState.WAITING),
        ("old", 1, DropState.RUNNING),
        ("over", 0, DropState.ENDED),
        ("middle", 5.5, DropState.WAITING),
        ("same", 5.5, DropState.WAITING),
    ):
        journal.write_drop(make_drop(name, taken=later(seconds), state=state))
    assert [row.id for row in journal.unfinished_drops()] == ["old", "middle", "same", "young"]


def test_the_history_comes_newest_first_up_to_its_limit(journal: DropLedger) -> None:
    for name, seconds in (("b", 2), ("a", 1), ("c", 3), ("d", 3)):
        journal.write_drop(make_drop(name, taken=later(seconds), state=DropState.ENDED))
    assert [row.id for row in journal.recent_drops(3)] == ["d", "c", "b"]
    assert len(journal.recent_drops(100)) == 4
    assert journal.recent_drops(0) == []
