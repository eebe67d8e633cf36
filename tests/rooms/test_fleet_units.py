"""The units of a fleet in a real PostgreSQL: who gets which, under which limits, and what becomes of the dead's."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import pytest

from orchestrator.config_fleet import FleetSettings
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import Notice
from orchestrator.core.fleet import (
    Member,
    MemberKind,
    MemberState,
    Order,
    Pace,
    Queued,
    Taken,
    Unit,
    living,
    stuck,
)
from orchestrator.core.fleet_errors import MemberDead, NameTaken, SeatTaken, UnitLost
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, SessionRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.limiting import Limit
from orchestrator.fleet import Fleet
from orchestrator.journal_postgres import Access, Fence, SharedJournal, Units, open_journal, open_signs, open_units
from tests.core.values import point

ALL = Limit("mounts")
AT = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)
RUN = "job-20261125T210000Z"


@dataclass
class House:
    """A journal, its units, and workers that have joined. `held` are the lease numbers that the journal writes with."""

    journal: SharedJournal
    units: Units
    held: dict[tuple[str, str], int]

    def worker(self, name: str, site: str = "", lease: float = 60.0) -> Member:
        member = Member(f"id-{name}", name, MemberKind.WORKER, site, 4, "host", "1", lease)
        self.units.join(member)
        return member

    def submit(self, *units: Unit) -> None:
        self.journal.begin(RunRow(RUN, "job", RunState.RUNNING, AT, "{}"))
        for unit in units:
            self.journal.write_group(GroupRow(RUN, unit.group, unit.vm, GroupState.WAITING))
        self.units.submit(units, "submitter")

    def take(self, member: Member) -> Taken | None:
        return self.units.take(member.id)

    def mount(self, group: str, member: Member, state: LeaseState = LeaseState.HELD) -> LeaseRow:
        """What the journal has of a mount."""
        self.journal.member = member.id
        self.journal.write_session(SessionRow(f"session of {member.name}", 1, "https://em", AT, b"sealed"))
        row = LeaseRow(f"lease {group}", RUN, group, f"session of {member.name}", point(vm=group), state, AT)
        self.journal.write_lease(row)
        return row

    def write_as(self, member: Member, *taken: Taken) -> None:
        """From now on the journal writes as that worker."""
        self.held.update({(one.unit.run, one.unit.group): one.number for one in taken})
        self.journal.guard = Fence(member, self.held, "here")

    def silent(self, member: Member) -> None:
        """The member was last heard of long ago."""
        statement = "UPDATE members SET seen = seen - interval '1 hour' WHERE id = %s"
        self.journal.store.once(lambda cursor: cursor.execute(statement, [member.id]))

    def an_hour_passes(self) -> None:
        """For what nobody can take."""
        statement = "UPDATE units SET unserved = unserved - interval '1 hour'"
        self.journal.store.once(lambda cursor: cursor.execute(statement))


@pytest.fixture
def house(database: str) -> Iterator[House]:
    access = Access(database)
    with ExitStack() as stack:
        journal = stack.enter_context(closing(open_journal(access)))
        yield House(journal, stack.enter_context(closing(open_units(access))), {})


def unit(group: str, position: int = 0, sites: tuple[str, ...] = (), **seats: int) -> Unit:
    return Unit(RUN, group, group, "vbr01", position, sites, seats, "{}")


def groups(*taken: Taken | None) -> list[str]:
    return [one.unit.group if one is not None else "" for one in taken]


def test_units_are_given_out_in_order_and_each_once(house: House) -> None:
    anna, bert = house.worker("anna"), house.worker("bert")
    house.submit(unit("b", 1), unit("a", 0), unit("c", 2))
    assert groups(house.take(anna), house.take(bert), house.take(anna), house.take(bert)) == ["a", "b", "c", ""]


def test_no_more_units_are_given_out_than_a_seat_carries_and_a_mount_keeps_its_seat_until_it_is_gone(
    house: House,
) -> None:
    anna, bert = house.worker("anna"), house.worker("bert")
    house.submit(unit("a", server=2), unit("b", 1, server=2), unit("c", 2, server=2), unit("d", 3, other=1))
    first, second = house.take(anna), house.take(bert)
    assert groups(first, second, house.take(anna), house.take(bert)) == ["a", "b", "d", ""]
    assert first is not None
    row = house.mount("a", anna, LeaseState.LEFT)
    house.units.settle(first, anna.id, over=True)
    assert house.take(bert) is None, "the mount is left: its seat is taken"
    house.journal.write_lease(replace(row, state=LeaseState.RELEASED))
    assert groups(house.take(bert)) == ["c"]


def test_a_mount_that_would_be_one_too_many_is_refused_before_it_is_asked_for(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a", server=1), unit("b", 1, server=5))
    taken, other = house.take(anna), house.take(anna)
    assert taken is not None
    assert other is not None
    house.write_as(anna, taken, other)
    with pytest.raises(SeatTaken, match="server"):
        house.mount("a", anna, LeaseState.INTENDED)


def test_a_unit_goes_to_its_own_site_first_and_to_another_while_nobody_there_can(house: House) -> None:
    berlin, munich = house.worker("b1", "berlin"), house.worker("m1", "munich")
    house.submit(unit("a", 0, ("berlin", "munich")), unit("b", 1, ("munich",)), unit("c", 2, ("berlin", "munich")))
    assert groups(house.take(munich), house.take(munich)) == ["b", ""]
    taken = house.take(berlin)
    assert groups(taken) == ["a"]
    assert taken is not None
    house.units.refuse(taken, berlin.id, "no way to the share")
    assert groups(house.take(munich)) == ["a"], "its own site has refused it"
    house.silent(berlin)
    assert groups(house.take(munich)) == ["c"], "nobody of its own site lives"


def test_what_waits_for_nobody_is_told_with_the_words_of_those_who_refused(house: House) -> None:
    anna = house.worker("anna", "berlin")
    house.submit(unit("a", 0, ("berlin",)), unit("b", 1, ("hamburg",)))
    taken = house.take(anna)
    assert taken is not None
    house.units.refuse(taken, anna.id, "the share cannot be read")
    assert stuck(house.units.follow(RUN).queued, house.units.members()) == {
        "anna refuses: the share cannot be read": 1,
        "no worker of hamburg is serving; start one: orchestrator worker --site hamburg": 1,
    }
    now = house.units.now()
    assert len(stuck(now.queued, now.members)) == 2, "anybody may look"


def test_what_nobody_could_take_for_too_long_is_given_up_and_what_somebody_can_waits_on(house: House) -> None:
    anna = house.worker("anna", "berlin")
    house.submit(unit("a", 0, ("berlin",)), unit("b", 1, ("hamburg",)), unit("c", 2, ("berlin",)))
    taken = house.take(anna)
    assert groups(taken) == ["a"]
    assert taken is not None
    house.units.refuse(taken, anna.id, "no way")
    assert house.units.unserved(RUN, 60.0) == {}, "only just"
    assert house.units.unserved(RUN, 0.0) == {
        "a": Queued(1, ("berlin",), {"anna": "no way"}),
        "b": Queued(1, ("hamburg",), {}),
    }
    assert groups(house.take(anna), house.take(anna)) == ["c", ""]
    assert house.units.follow(RUN).unfinished == 1
    house.submit(unit("a", 0, ("berlin",)))
    assert groups(house.take(anna)) == ["a"], "a resumed run waits again"


def test_a_worker_that_comes_in_time_ends_the_wait_and_a_pause_does_too(house: House) -> None:
    house.submit(unit("a", 0, ("berlin",)))
    house.units.unserved(RUN, 60.0)
    anna = house.worker("anna", "berlin")
    house.units.unserved(RUN, 60.0)
    house.units.leave(anna.id)
    house.units.unserved(RUN, 60.0)
    house.units.unserved(RUN, None)
    house.an_hour_passes()
    assert house.units.unserved(RUN, 60.0) == {}
    house.an_hour_passes()
    assert set(house.units.unserved(RUN, 60.0)) == {"a"}


def test_who_refused_what_nobody_else_can_take_is_asked_again_and_the_wait_goes_on(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"))
    for number in (1, 2):
        taken = house.take(anna)
        assert taken is not None, number
        house.units.refuse(taken, anna.id, "no way")
        assert house.take(anna) is None
        assert house.units.unserved(RUN, 9000.0, ask_again=True) == {}
        house.an_hour_passes()
    taken = house.take(anna)
    assert taken is not None
    house.units.refuse(taken, anna.id, "no way")
    assert set(house.units.unserved(RUN, 7000.0)) == {"a"}, "it has waited for two hours"


def test_what_a_dead_worker_has_and_nobody_can_clear_up_after_is_given_up_too_and_is_its_own_no_more(
    house: House,
) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"), unit("b", 1))
    taken, other = house.take(anna), house.take(anna)
    assert taken is not None
    assert other is not None
    house.write_as(anna, taken, other)
    house.mount("a", anna)
    assert house.units.follow(RUN).queued == []
    assert house.units.unserved(RUN, 0.0) == {}, "it has somebody who lives"
    house.silent(anna)
    assert house.units.follow(RUN).queued == [Queued(2, (), {}, orphaned=True)]
    assert house.units.unserved(RUN, 60.0) == {}
    house.an_hour_passes()
    assert set(house.units.unserved(RUN, 60.0)) == {"a", "b"}
    assert house.units.follow(RUN).unfinished == 0
    house.units.renew(anna.id)
    with pytest.raises(UnitLost):
        house.journal.write_group(GroupRow(RUN, "a", "a", GroupState.DONE))
    with pytest.raises(UnitLost):
        house.units.settle(taken, anna.id, over=True)


def test_a_mount_that_is_made_ends_the_wait_for_somebody(house: House) -> None:
    house.submit(unit("a"))
    house.units.unserved(RUN, 9000.0)
    house.an_hour_passes()
    anna = house.worker("anna")
    taken = house.take(anna)
    assert taken is not None
    house.write_as(anna, taken)
    house.mount("a", anna, LeaseState.INTENDED)
    house.silent(anna)
    assert house.units.unserved(RUN, 60.0) == {}, "the hour before was another wait"


def test_a_member_says_how_fast_it_is(house: House) -> None:
    anna = house.worker("anna", "berlin")
    house.units.renew(anna.id, Pace(12.5, 3e6))
    assert [one.pace for one in house.units.now().members] == [Pace(12.5, 3e6)]


def test_a_dead_worker_may_write_nothing_more_and_its_units_wait_when_its_heir_has_cleared_up(house: House) -> None:
    dead, heir = house.worker("dead"), house.worker("heir")
    house.submit(unit("a"), unit("b", 1))
    taken, done = house.take(dead), house.take(dead)
    assert taken is not None
    assert done is not None
    house.write_as(dead, taken, done)
    row = house.mount("a", dead)
    house.journal.write_group(GroupRow(RUN, "b", "b", GroupState.DONE))
    house.silent(dead)
    heard = house.units.renew(heir.id)
    assert heard is not None
    assert heard.heir_of == (dead.id,)
    assert house.units.sessions_of(dead.id) == {"session of dead"}
    assert house.units.renew(dead.id) is None
    with pytest.raises(MemberDead):
        house.journal.write_lease(row)
    with pytest.raises(MemberDead):
        house.journal.write_group(GroupRow(RUN, "a", "a", GroupState.DONE))
    with pytest.raises(UnitLost):
        house.units.settle(taken, dead.id, over=True)
    assert house.take(heir) is None, "its mount is still there"
    house.held.clear()
    house.write_as(heir)
    house.journal.write_lease(replace(row, state=LeaseState.RELEASED))
    house.units.bury(dead.id, heir.id)
    again = house.take(heir)
    assert groups(again, house.take(heir)) == ["a", ""], "what was done is not done again"
    assert again is not None
    assert again.number > taken.number


def test_an_heir_that_dies_too_is_replaced(house: House) -> None:
    first, second, third = house.worker("first"), house.worker("second"), house.worker("third")
    house.silent(first)
    assert house.units.renew(second.id) is not None
    house.silent(second)
    heard = house.units.renew(third.id)
    assert heard is not None
    heard = house.units.renew(third.id)
    assert heard is not None
    assert set(heard.heir_of) == {first.id, second.id}


def test_the_sessions_of_the_living_are_nobody_elses_to_sweep(house: House) -> None:
    anna, bert = house.worker("anna"), house.worker("bert")
    house.submit(unit("a"))
    house.mount("a", anna)
    assert house.units.protected(bert.id) == {"session of anna"}
    assert house.units.protected(anna.id) == frozenset()
    house.silent(anna)
    assert house.units.protected(bert.id) == frozenset()


def test_a_worker_sweeps_nothing_of_others_beside_what_it_inherits(house: House) -> None:
    dead, new = house.worker("dead"), house.worker("new")
    house.submit(unit("a"), unit("b", 1))
    house.mount("a", dead)
    house.mount("b", new)
    house.silent(dead)
    fleet = Fleet(FleetSettings(), house.journal, house.units, house.units, partial(open_signs, Access("")))
    fleet.become(new, lambda event: None, lambda: AT)
    assert [row.group for row in fleet.own_leases().open_leases()] == ["b"]
    assert [row.id for row in fleet.own_leases().sessions()] == ["session of new"]
    fleet.become(replace(new, id="submitter", kind=MemberKind.SUBMITTER), lambda event: None, lambda: AT)
    assert [row.group for row in fleet.own_leases().open_leases()] == ["a"], "who only submits may sweep it"


def test_an_older_lease_number_of_a_living_worker_is_refused(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"))
    taken = house.take(anna)
    assert taken is not None
    house.units.settle(taken, anna.id, over=False)
    again = house.take(anna)
    assert again is not None
    assert again.number == taken.number + 1
    house.write_as(anna, taken)
    with pytest.raises(UnitLost):
        house.journal.write_group(GroupRow(RUN, "a", "a", GroupState.RUNNING))
    with pytest.raises(UnitLost):
        house.units.settle(taken, anna.id, over=True)
    house.write_as(anna, again)
    house.journal.write_group(GroupRow(RUN, "a", "a", GroupState.RUNNING))


def test_a_run_that_is_to_drain_begins_nothing_and_a_paused_one_begins_nothing_yet(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"), unit("b", 1))
    house.units.order(RUN, Order(paused=True))
    assert house.take(anna) is None
    house.units.order(RUN, Order())
    taken = house.take(anna)
    assert taken is not None
    house.units.order(RUN, Order(draining=True))
    heard = house.units.renew(anna.id)
    assert heard is not None
    assert heard.orders == {RUN: Order(draining=True)}
    assert house.units.follow(RUN).unfinished == 1
    house.units.settle(taken, anna.id, over=False)
    assert house.units.follow(RUN).unfinished == 0, "nobody else is to do it"
    house.submit(unit("a"), unit("b", 1))
    assert groups(house.take(anna)) == ["a"], "a resumed run waits again"


def test_nothing_is_given_out_while_who_submitted_it_holds_and_what_is_in_hand_is_not_paused(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"), unit("b", 1))
    assert house.take(anna) is not None
    house.units.order(RUN, Order(holding=True))
    assert house.take(anna) is None
    heard = house.units.renew(anna.id)
    assert heard is not None
    assert heard.orders == {RUN: Order(holding=True)}
    house.units.order(RUN, Order())
    assert groups(house.take(anna)) == ["b"]


def test_mounts_that_are_changed_by_hand_count_for_the_next_unit_and_no_mount_is_refused_for_it(house: House) -> None:
    anna = house.worker("anna")
    house.submit(*(unit(name, number, all=3) for number, name in enumerate("abcdefg")))
    first = house.take(anna)
    assert groups(first, house.take(anna)) == ["a", "b"]
    house.units.order(RUN, Order(by_hand=((ALL, 1),)))
    assert house.take(anna) is None
    assert first is not None
    house.write_as(anna, first)
    row = house.mount("a", anna, LeaseState.INTENDED)
    house.journal.write_lease(replace(row, state=LeaseState.RELEASED))
    house.units.settle(first, anna.id, over=True)
    assert house.take(anna) is None, "one is still in use"
    house.units.order(RUN, Order(by_hand=((ALL, 5),)))
    assert groups(*(house.take(anna) for _ in range(5))) == ["c", "d", "e", "f", ""], "more than the config has"
    house.units.order(RUN, Order(by_hand=((ALL, 9), (Limit("mounts", RUN), 5))))
    assert house.take(anna) is None, "the run has its five"
    house.units.order(RUN, Order(by_hand=((ALL, 9), (Limit("mounts", RUN), 6))))
    assert groups(house.take(anna)) == ["g"]


def test_what_another_submitter_has_changed_of_all_mounts_counts_while_his_run_has_something_to_do(
    house: House,
) -> None:
    anna = house.worker("anna")
    house.submit(unit("a", all=3), unit("b", 1, all=3))
    other = replace(unit("x", all=3), run="other")
    house.journal.begin(RunRow("other", "job", RunState.RUNNING, AT, "{}"))
    house.units.submit([other], "somebody", Order(by_hand=((ALL, 1),), holding=True))
    assert groups(house.take(anna), house.take(anna)) == ["a", ""]
    heard = house.units.renew(anna.id)
    assert heard is not None
    assert heard.orders["other"].by_hand == ((ALL, 1),)
    house.units.order("other", Order(draining=True, by_hand=((ALL, 1),)))
    heard = house.units.renew(anna.id)
    assert heard is not None
    assert heard.orders["other"].by_hand == ()
    assert groups(house.take(anna)) == ["b"]


def test_a_worker_hears_how_many_share_the_line_of_its_site(house: House) -> None:
    members = [house.worker("b1", "berlin"), house.worker("b2", "berlin"), house.worker("m", "munich")]
    members.append(house.worker("any"))

    def at_sites() -> list[int]:
        return [heard.at_site for one in members if (heard := house.units.renew(one.id))]

    assert at_sites() == [3, 3, 2, 4], "one of every site may copy anywhere"
    house.units.leave(members.pop().id)
    assert at_sites() == [2, 2, 1]
    house.silent(members.pop(0))
    assert at_sites() == [1, 1], "the dead have no part of it"


def test_what_is_told_is_heard_once_and_in_order(house: House) -> None:
    house.submit(unit("a"))
    told = [Notice(AT, f"{number} \udcff") for number in range(3)]
    house.units.tell(RUN, told[:2])
    house.units.tell(RUN, told[2:])
    assert house.units.follow(RUN).events == told
    assert house.units.follow(RUN).events == []


def test_what_is_told_too_late_of_a_run_that_has_ended_is_not_kept(house: House) -> None:
    house.submit(unit("a"))
    house.units.forget(RUN)
    house.units.tell(RUN, [Notice(AT, "a frozen worker goes on")])
    assert house.units.follow(RUN).events == []


def test_a_name_is_free_again_when_its_worker_has_gone_or_died(house: House) -> None:
    anna = house.worker("anna")
    twin = replace(anna, id="twin")
    with pytest.raises(NameTaken, match="named anna"):
        house.units.join(twin)
    house.silent(anna)
    house.units.join(twin)
    house.units.leave(twin.id)
    assert [one.member.id for one in house.units.members()] == [anna.id]
    assert living(house.units.members()) == []


def test_a_member_that_still_holds_something_does_not_go(house: House) -> None:
    anna = house.worker("anna")
    house.submit(unit("a"))
    assert house.take(anna) is not None
    house.units.withdraw(anna.id)
    house.units.leave(anna.id)
    assert [one.state for one in house.units.members()] == [MemberState.DRAINING]
    assert house.take(anna) is None


def test_half_a_job_is_never_submitted(house: House) -> None:
    with pytest.raises((OrchestratorError, TypeError)):
        house.submit(unit("a"), replace(unit("b"), position=None))  # type: ignore[arg-type]
    assert house.units.follow(RUN).unfinished == 0
