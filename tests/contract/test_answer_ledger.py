"""The contract of the port AnswerLedger."""

from orchestrator.core.catalog import GuestOs, PointKind
from orchestrator.engine.ports import AnswerLedger
from tests.support.ledger_rows import make_answer


def test_a_chain_has_one_answer_which_is_the_last(journal: AnswerLedger) -> None:
    assert journal.answers() == []
    journal.write_answer(make_answer("nightly caf\udce9", share="/mnt/a\udcff"))
    assert journal.answers() == [make_answer("nightly caf\udce9", share="/mnt/a\udcff")]
    journal.write_answer(make_answer("nightly caf\udce9"))
    assert journal.answers() == [make_answer("nightly caf\udce9")]


def test_servers_kinds_and_guests_have_answers_of_their_own(journal: AnswerLedger) -> None:
    rows = [
        make_answer(),
        make_answer(backup_server="vbr02"),
        make_answer(kind=PointKind.REPLICA),
        make_answer(os=GuestOs.LINUX),
        make_answer("weekly"),
    ]
    for row in rows:
        journal.write_answer(row)
    assert {*journal.answers()} == {*rows}
