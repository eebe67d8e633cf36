"""The contract of the port LeaseLedger."""

from typing import Protocol

import pytest

from orchestrator.core.errors import RunUnknown
from orchestrator.core.lifecycle import OPEN_STATES, LeaseState
from orchestrator.engine.ports import LeaseLedger, RunLedger
from tests.support.ledger_rows import later, make_lease, make_point, make_run, make_session


class Ledger(RunLedger, LeaseLedger, Protocol):
    """A lease belongs to a run."""


def test_a_lease_is_read_as_it_was_written(journal: Ledger) -> None:
    journal.begin(make_run())
    lease = make_lease(
        before=("/mounts/1", "/mounts/2"),
        task_href="/tasks/1",
        mount_href="/mounts/3",
        share="/mnt/vbr01",
        folder="fs\udcff_3c75de11",
        ended=later(9.5),
        note="left: \u2028 why",
        host="mount02",
        point=make_point(vm="fs\ud800"),
    )
    journal.write_lease(lease)
    assert journal.leases("r1") == [lease]


def test_a_lease_is_updated_in_place(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.write_lease(make_lease())
    journal.write_lease(make_lease(state=LeaseState.HELD, mount_href="/mounts/3"))
    assert journal.leases("r1") == [make_lease(state=LeaseState.HELD, mount_href="/mounts/3")]


def test_leases_of_one_run_come_oldest_first(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.begin(make_run("r2"))
    journal.write_lease(make_lease("young", opened=later(2)))
    journal.write_lease(make_lease("old", opened=later(1)))
    journal.write_lease(make_lease("other", "r2"))
    journal.write_lease(make_lease("same", opened=later(2)))
    journal.write_lease(make_lease("young", opened=later(2), note="again"))
    assert [lease.id for lease in journal.leases("r1")] == ["old", "young", "same"]


@pytest.mark.parametrize("state", LeaseState)
def test_open_leases_are_those_that_em_may_still_hold(journal: Ledger, state: LeaseState) -> None:
    journal.begin(make_run())
    journal.write_lease(make_lease(state=state))
    assert bool(journal.open_leases()) == (state in OPEN_STATES)


def test_open_leases_of_all_runs_come_oldest_first(journal: Ledger) -> None:
    for number, run in enumerate(("r2", "r1")):
        journal.begin(make_run(run))
        journal.write_lease(make_lease(f"l{run}", run, opened=later(-number)))
    assert [lease.id for lease in journal.open_leases()] == ["lr1", "lr2"]


def test_a_lease_of_an_unknown_run_is_refused(journal: Ledger) -> None:
    with pytest.raises(RunUnknown):
        journal.write_lease(make_lease(run="r9"))


def test_a_session_is_kept_until_it_is_erased(journal: Ledger) -> None:
    journal.write_session(make_session())
    assert journal.sessions() == [make_session()]
    journal.erase_session("s1")
    assert journal.sessions() == []
    journal.erase_session("s1")


def test_erasing_a_session_leaves_its_leases_and_other_sessions(journal: Ledger) -> None:
    journal.begin(make_run())
    journal.write_lease(make_lease())
    journal.write_session(make_session())
    journal.write_session(make_session("s2", sealed=b"other"))
    journal.erase_session("s1")
    assert journal.leases("r1") == [make_lease()]
    assert journal.sessions() == [make_session("s2", sealed=b"other")]
