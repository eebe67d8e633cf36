"""What members of a fleet must not write, sweep, bury or begin beside each other, in a real PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from orchestrator.config_fleet import FleetSettings
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.fleet import Member, MemberKind, MemberState, Taken, Unit
from orchestrator.core.fleet_errors import MemberDead, UnitLost
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, SessionRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.originals import OriginalState
from orchestrator.core.paths import TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside
from orchestrator.fleet import Fleet
from orchestrator.journal_postgres import Access, open_journal, open_units
from tests.rooms.test_fleet_units import AT, RUN, House, groups, unit
from tests.support.fleet import Silent
from tests.support.ledger_rows import make_original


@pytest.fixture
def house(database: str) -> Iterator[House]:
    access = Access(database)
    with ExitStack() as stack:
        journal = stack.enter_context(closing(open_journal(access)))
        yield House(journal, stack.enter_context(closing(open_units(access))), {})


def dead_and_heir(house: House, *units: Unit) -> tuple[Member, Member]:
    """A worker that has taken all `units` and is going to die, and the one that is to clear up after it."""
    dead, heir = house.worker("dead"), house.worker("heir")
    house.submit(*units)
    house.write_as(dead, *(taken_by(house, dead) for _ in units))
    return dead, heir


def taken_by(house: House, member: Member) -> Taken:
    """The next unit, which is there for that worker."""
    taken = house.take(member)
    assert taken is not None
    return taken


def inherit(house: House, dead: Member, heir: Member) -> None:
    """The member is found dead by its heir, who writes from here on."""
    house.silent(dead)
    heard = house.units.renew(heir.id)
    assert heard is not None
    assert heard.heir_of == (dead.id,)
    house.held.clear()
    house.write_as(heir)


def state_of(house: House, lease: str) -> LeaseState:
    [found] = [row.state for row in house.journal.leases(RUN) if row.id == lease]
    return found


def failed(group: str, path: str = "C:\\x") -> Outcome:
    return Outcome(group, path, "", Verdict.FAILED, reason=Reason.READ_ERROR, message="bad sector")


# Mounts


def test_a_worker_may_settle_a_mount_of_its_own_when_the_unit_is_over_by_then(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"))
    taken = taken_by(house, anna)
    house.write_as(anna, taken)
    lost = house.mount("a", anna, LeaseState.INTENDED)
    house.journal.write_lease(replace(lost, state=LeaseState.LOST))
    house.units.settle(taken, anna.id, over=True)
    house.journal.write_lease(replace(lost, state=LeaseState.CONFIRMED))
    assert state_of(house, lost.id) is LeaseState.CONFIRMED


def test_an_heir_deletes_also_what_was_left_of_units_that_are_over_or_anothers_by_now(house: House) -> None:
    dead, heir, third = house.worker("dead"), house.worker("heir"), house.worker("third")
    house.submit(unit("a"), unit("b", 1))
    over, back = taken_by(house, dead), taken_by(house, dead)
    house.write_as(dead, over, back)
    left = [house.mount(group, dead, LeaseState.LEFT) for group in "ab"]
    house.units.settle(over, dead.id, over=True)
    house.units.settle(back, dead.id, over=False)
    assert taken_by(house, third).unit.group == "b"
    inherit(house, dead, heir)
    for row in left:
        house.journal.write_lease(replace(row, state=LeaseState.RELEASED))
        assert state_of(house, row.id) is LeaseState.RELEASED


def test_nobody_writes_about_the_mount_of_a_living_worker(house: House) -> None:
    anna, bert = house.worker("anna"), house.worker("bert")
    house.submit(unit("a"))
    assert house.take(anna) is not None
    row = house.mount("a", anna)
    house.write_as(bert)
    with pytest.raises(UnitLost):
        house.journal.write_lease(replace(row, state=LeaseState.RELEASED))
    assert state_of(house, row.id) is LeaseState.HELD


def test_a_mount_for_a_unit_that_is_anothers_is_not_begun(house: House) -> None:
    anna, bert = house.worker("anna"), house.worker("bert")
    house.submit(unit("a"))
    assert house.take(anna) is not None
    house.write_as(bert)
    with pytest.raises(UnitLost):
        house.mount("a", bert, LeaseState.INTENDED)
    assert house.journal.leases(RUN) == []


def test_who_takes_a_unit_is_told_who_had_a_mount_for_it_before(house: House) -> None:
    dead, heir = dead_and_heir(house, unit("a"), unit("b", 1))
    row = house.mount("a", dead, LeaseState.INTENDED)
    inherit(house, dead, heir)
    house.journal.write_lease(replace(row, state=LeaseState.RELEASED))
    house.units.bury(dead.id, heir.id)
    again = [house.take(heir), house.take(heir)]
    assert [one.predecessors if one else None for one in again] == [(dead.id,), ()]


def test_what_a_dead_worker_sets_aside_is_not_noted_any_more(house: House) -> None:
    dead, heir = dead_and_heir(house, unit("a"))
    aside = Aside(TargetPath("/t", "a"), TargetPath("/t", "held/a"), 1, 1, "x", 1, "y")
    house.journal.write_asides(RUN, [aside])
    house.silent(dead)
    assert house.units.renew(heir.id) is not None
    with pytest.raises(MemberDead):
        house.journal.write_asides(RUN, [replace(aside, size=2)])
    assert house.journal.asides(RUN, None, 9) == [aside]


def test_a_mount_that_begins_while_others_are_listed_is_never_taken_for_ones_own(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"))
    assert house.take(anna) is not None

    class Slow:
        """A ledger; just before it answers, another worker makes its first mount."""

        def open_leases(self) -> list[LeaseRow]:
            house.mount("a", anna)
            return house.journal.open_leases()

        def sessions(self) -> list[SessionRow]:
            house.mount("a", anna)
            return house.journal.sessions()

    fleet = Fleet(FleetSettings(), Slow(), house.units, house.units, lambda kind: Silent())  # type: ignore[arg-type]
    chosen = fleet.own_leases()
    assert chosen.open_leases() == []
    assert chosen.sessions() == []


def test_what_a_living_worker_has_asked_a_guest_for_is_nobody_elses_to_settle(house: House) -> None:
    anna, bert = house.worker("anna"), house.worker("bert")
    house.submit(unit("a"))
    assert house.take(anna) is not None
    house.mount("a", anna)
    asked = make_original("C:\\x", RUN, group="a", session="session of anna", state=OriginalState.ASKED)
    house.journal.write_original(asked)
    fleet = Fleet(FleetSettings(), house.journal, house.units, house.units, lambda kind: Silent())
    fleet.become(replace(bert, kind=MemberKind.SUBMITTER), lambda event: None, lambda: AT)
    assert fleet.own_originals().open_originals() == []
    house.silent(anna)
    assert fleet.own_originals().open_originals() == [asked]


# Heirs


def test_an_heir_that_was_called_dead_itself_buries_nobody(house: House) -> None:
    dead, heir = dead_and_heir(house, unit("a"))
    house.mount("a", dead)
    third = house.worker("third")
    inherit(house, dead, heir)
    house.silent(heir)
    assert house.units.renew(third.id) is not None
    heard = house.units.renew(third.id)
    assert heard is not None
    assert set(heard.heir_of) == {dead.id, heir.id}
    house.units.bury(dead.id, heir.id)
    assert house.take(third) is None, "the mounts of the dead one are still there"
    house.units.bury(dead.id, third.id)
    assert groups(house.take(third)) == ["a"]


def test_an_heir_that_is_none_any_more_buries_nobody(house: House) -> None:
    dead, heir = dead_and_heir(house, unit("a"))
    third = house.worker("third")
    inherit(house, dead, heir)
    assert house.units.pass_on(dead.id, heir.id)
    heard = house.units.renew(third.id)
    assert heard is not None
    assert heard.heir_of == (dead.id,)
    house.units.bury(dead.id, heir.id)
    assert MemberState.DEAD in {one.state for one in house.units.members()}
    assert house.take(third) is None


def test_the_dead_are_passed_on_until_everybody_has_tried_and_then_to_whoever_is_left(house: House) -> None:
    dead, heir = dead_and_heir(house, unit("a"))
    third = house.worker("third")
    inherit(house, dead, heir)
    assert house.units.pass_on(dead.id, heir.id)
    heard = house.units.renew(heir.id)
    assert heard is not None
    assert heard.heir_of == (), "it has tried"
    heard = house.units.renew(third.id)
    assert heard is not None
    assert heard.heir_of == (dead.id,)
    assert not house.units.pass_on(dead.id, third.id), "nobody else is left to try"
    house.units.withdraw(third.id)
    house.units.leave(third.id)
    heard = house.units.renew(heir.id)
    assert heard is not None
    assert heard.heir_of == (dead.id,)


# Going on with a run while workers are at it


def test_what_a_worker_has_told_of_a_machine_is_not_forgotten_when_the_run_is_resumed_beside_it(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"), unit("b", 1))
    taken = house.take(anna)
    assert taken is not None
    house.write_as(anna, taken)
    house.journal.write_group(GroupRow(RUN, "a", "a", GroupState.RUNNING))
    house.journal.record(RUN, [failed("a")])
    house.journal.guard = None
    house.journal.record(RUN, [failed("b")])
    house.journal.begin(RunRow(RUN, "job", RunState.RUNNING, AT, "{}"))
    for group in "ab":
        house.journal.write_group(GroupRow(RUN, group, group, GroupState.WAITING))
    house.units.submit([unit("a"), unit("b", 1)], "another")
    assert [one.group for one in house.journal.problems(RUN)] == ["a"]
    assert [(one.group, one.state.value) for one in house.journal.groups(RUN)] == [("a", "running"), ("b", "waiting")]
    assert house.journal.in_hand(RUN) == 2


def test_a_lost_mount_of_a_run_whose_units_are_forgotten_can_still_be_settled(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"))
    taken = taken_by(house, anna)
    house.write_as(anna, taken)
    row = house.mount("a", anna, LeaseState.INTENDED)
    house.journal.write_lease(replace(row, state=LeaseState.LOST))
    house.units.settle(taken, anna.id, over=True)
    house.units.forget(RUN)
    house.journal.write_lease(replace(row, state=LeaseState.LEFT))
    assert state_of(house, row.id) is LeaseState.LEFT
