"""The contract of the port OriginalLedger."""

import pytest

from orchestrator.core.errors import RunUnknown
from orchestrator.core.originals import OriginalState, Standing
from orchestrator.engine.ports_originals import OriginalLedger
from orchestrator.journal import Journal
from tests.support.fakes import MemoryJournal
from tests.support.ledger_rows import later, make_original, make_run


def test_what_em_was_asked_for_is_kept_by_run_group_and_path_in_the_order_of_asking(
    journal: Journal | MemoryJournal,
) -> None:
    ledger: OriginalLedger = journal
    for run in ("r1", "r2"):
        journal.begin(make_run(run))
    second = make_original("C:\\b\udcff", asked=later(2), standing=Standing.OVERWRITE, before=("/tasks/1",), size=0)
    first = make_original("C:\\x", asked=later(1), group="g2", message="caf\udce9")
    other = make_original("C:\\x", "r2", vm="db01")
    for row in (second, first, other):
        ledger.write_original(row)
    assert list(ledger.originals("r1")) == [first, second]
    assert list(ledger.originals("r2")) == [other]
    assert list(ledger.originals("r3")) == []
    assert list(ledger.originals_of_vm("fs01")) == [first, second]
    asked = make_original("C:\\x", asked=later(1), group="g2", state=OriginalState.ASKED, task_href="/tasks/2")
    ledger.write_original(asked)
    assert list(ledger.originals("r1")) == [asked, second]


@pytest.mark.parametrize("state", OriginalState)
def test_only_what_nobody_has_seen_the_end_of_is_open(journal: Journal | MemoryJournal, state: OriginalState) -> None:
    journal.begin(make_run())
    row = make_original(state=state, ended=later(9))
    journal.write_original(row)
    is_open = state in (OriginalState.INTENDED, OriginalState.ASKED)
    assert journal.open_originals() == ([row] if is_open else [])


def test_a_run_that_never_began_has_asked_for_nothing(journal: OriginalLedger) -> None:
    with pytest.raises(RunUnknown):
        journal.write_original(make_original())
