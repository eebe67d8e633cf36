"""The contract of the port RunLedger."""

from dataclasses import replace

import pytest

from orchestrator.core.errors import RunUnknown
from orchestrator.core.ledger import GroupState, RunState
from orchestrator.engine.ports import RunLedger
from tests.support.ledger_rows import later, make_group, make_run


def test_a_run_is_read_as_it_was_begun(journal: RunLedger) -> None:
    run = make_run(job="naïve \udcff job", plan='{"vm": "fs01"}', started=later(0.000001), checksum="sha256")
    journal.begin(run)
    assert journal.run("r1") == run


def test_a_run_that_never_began_is_unknown(journal: RunLedger) -> None:
    with pytest.raises(RunUnknown, match="r9"):
        journal.run("r9")
    with pytest.raises(RunUnknown, match="r9"):
        journal.end(make_run("r9"))


def test_how_a_run_ended_is_kept_with_its_plan(journal: RunLedger) -> None:
    begun = make_run(plan="the plan", checksum="blake3")
    journal.begin(begun)
    journal.end(make_run(plan="", state=RunState.STOPPED, ended=later(60), exit_code=6))
    assert journal.run("r1") == replace(begun, state=RunState.STOPPED, ended=later(60), exit_code=6)


def test_a_run_that_begins_again_is_running_and_not_ended(journal: RunLedger) -> None:
    journal.begin(make_run())
    journal.end(make_run(state=RunState.STOPPED, ended=later(60), exit_code=6))
    journal.begin(make_run())
    assert journal.run("r1") == make_run()
    assert len(journal.runs()) == 1


def test_runs_come_newest_first(journal: RunLedger) -> None:
    for name, seconds in (("b", 10.5), ("a", 20), ("c", 10), ("d", 10)):
        journal.begin(make_run(name, started=later(seconds)))
    assert [run.id for run in journal.runs()] == ["a", "b", "d", "c"]


def test_a_group_is_updated_in_place_and_groups_come_by_id(journal: RunLedger) -> None:
    journal.begin(make_run())
    journal.begin(make_run("r2"))
    journal.write_group(make_group(group="g2"))
    journal.write_group(make_group(group="g1"))
    journal.write_group(make_group("r2", "g0"))
    done = make_group(group="g1", vm="fs\udc80", state=GroupState.DONE, message="ok", seconds=12.5)
    journal.write_group(done)
    assert journal.groups("r1") == [done, make_group(group="g2")]
    assert journal.groups("r9") == []


def test_a_group_of_an_unknown_run_is_refused(journal: RunLedger) -> None:
    with pytest.raises(RunUnknown):
        journal.write_group(make_group("r9"))
