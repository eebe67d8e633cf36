"""The contract of the port FidelityLedger."""

from orchestrator.core.fidelity import Card, Kept, Property
from orchestrator.engine.ports import OutcomeLedger, RunLedger
from orchestrator.engine.ports_metadata import FidelityLedger
from tests.support.ledger_rows import make_outcome, make_run

FULL = {Property.MODE: Kept.KEPT, Property.OWNER: Kept.SIDECAR}


class Ledger(OutcomeLedger, RunLedger, FidelityLedger):
    pass


def test_files_and_folders_of_a_group_are_one_card(journal: Ledger) -> None:
    for run in ("r1", "r2"):
        journal.begin(make_run(run))
    journal.record("r1", [make_outcome("a", fidelity=FULL), make_outcome("b"), make_outcome("c", fidelity=FULL)])
    journal.record("r2", [make_outcome("a", fidelity={Property.MODE: Kept.LOST})])
    journal.record_folders("r1", "g1", 0, {"mode:kept": 5, "mode:lost": 1})
    journal.record_folders("r1", "caf\udce9", 0, {"mode:kept": 2})
    counts = {Property.MODE: {Kept.KEPT: 7, Kept.LOST: 1}, Property.OWNER: {Kept.SIDECAR: 2}}
    assert journal.fidelity("r1") == {"g1": Card(counts), "caf\udce9": Card({Property.MODE: {Kept.KEPT: 2}})}
    assert journal.fidelity("r3") == {}


def test_the_folders_of_a_stage_that_is_done_again_count_once(journal: Ledger) -> None:
    journal.begin(make_run("r1"))
    journal.record_folders("r1", "g1", 0, {"mode:kept": 5, "mode:lost": 1})
    journal.record_folders("r1", "g1", 1, {"mode:kept": 1})
    journal.record_folders("r1", "g1", 0, {"mode:kept": 6})
    assert journal.fidelity("r1") == {"g1": Card({Property.MODE: {Kept.KEPT: 7}})}


def test_what_became_of_a_file_comes_back_with_its_outcome(journal: Ledger) -> None:
    journal.begin(make_run("r1"))
    outcome = make_outcome("a", fidelity=FULL)
    journal.record("r1", [outcome])
    assert list(journal.restored("r1")) == [outcome]
