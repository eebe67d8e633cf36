"""The contract of the port PauseLedger."""

from orchestrator.engine.ports_watch import PauseLedger


def test_the_queue_is_not_paused_until_somebody_pauses_it(journal: PauseLedger) -> None:
    assert journal.paused() is False
    for paused in (True, True, False, True):
        journal.write_paused(paused)
        assert journal.paused() is paused
