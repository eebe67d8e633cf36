"""Members of several versions over one journal, and members that have ended without a word."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import psycopg
import pytest

from orchestrator.core.errors import JournalUnusable, SchemaUnknown
from orchestrator.core.fleet import Member, MemberKind, MemberState, Unit, unit_of
from orchestrator.core.fleet_errors import NameTaken, OlderServe, RunFollowed
from orchestrator.core.plan import Plan
from orchestrator.core.plan_sent import NotUnderstood, received, sent
from orchestrator.journal_postgres import Access, Units, migrate, open_journal, open_units, upgrade
from tests.core.values import group
from tests.support.postgres import USER

RUN = "night-20261126T020000Z"


@pytest.fixture
def access(database: str) -> Access:
    return Access(database)


@pytest.fixture
def units(access: Access) -> Iterator[Units]:
    with closing(open_units(access)) as opened:
        yield opened


def member(name: str, kind: MemberKind = MemberKind.WORKER, home: str = "", earlier: str = "") -> Member:
    return Member(f"id-{name}-{home}", name, kind, "", 4, "host", "1.0", 60.0, home, earlier)


def unit(name: str) -> Unit:
    return Unit(RUN, name, name, "vbr01", 0, (), {}, "{}")


def execute(access: Access, *statements: str) -> None:
    with psycopg.connect(access.dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO orchestrator")
        for statement in statements:
            connection.execute(statement.encode())


def states(units: Units) -> dict[str, MemberState]:
    return {one.member.id: one.state for one in units.members()}


# Steps that older programs cannot take


def step(access: Access, oldest: int) -> None:
    """Bring the schema to that of a program that knows one more, and demands that others know `oldest`."""
    with psycopg.connect(access.dsn, autocommit=True) as connection:
        connection.execute("SET search_path TO orchestrator")
        known = migrate.KNOWN + 1
        steps = {known: "ALTER TABLE runs ADD mood TEXT"}
        migrate.migrate(connection, access, known=known, oldest=oldest, steps=steps)


def test_a_step_that_only_adds_is_taken_while_members_of_the_version_before_work_and_they_work_on(
    access: Access, units: Units
) -> None:
    units.join(member("anna"))
    step(access, migrate.OLDEST)
    heard = units.renew(member("anna").id)
    assert heard is not None
    assert not heard.outdated
    units.submit([unit("a")], "submitter")
    assert units.take(member("anna").id) is not None
    open_journal(access).close()
    units.join(member("bert"))


def test_a_step_that_they_could_not_work_with_waits_for_them_and_names_them(access: Access, units: Units) -> None:
    units.join(member("anna"))
    with pytest.raises(OlderServe, match=r"could not work with it: anna on host \(1\.0\)"):
        step(access, migrate.KNOWN + 1)
    heard = units.renew(member("anna").id)
    assert heard is not None
    assert not heard.outdated, "nobody is told to end unless somebody has asked for that"
    units.leave(member("anna").id)
    step(access, migrate.KNOWN + 1)
    with pytest.raises(SchemaUnknown):
        units.join(member("bert"))
    with pytest.raises(SchemaUnknown):
        open_journal(access)


def test_dead_members_hold_up_no_step(access: Access, units: Units) -> None:
    units.join(member("anna"))
    execute(access, "UPDATE members SET seen = seen - interval '1 hour'")
    step(access, migrate.KNOWN + 1)
    with pytest.raises(SchemaUnknown):
        units.join(member("bert"))


@pytest.fixture
def newer(access: Access, units: Units, monkeypatch: pytest.MonkeyPatch) -> int:
    """This program knows one schema more, with which members that do not cannot work; anna is one of them."""
    units.join(member("anna"))
    known = migrate.KNOWN + 1
    bring = partial(migrate.migrate, known=known, oldest=known, steps={known: "ALTER TABLE runs ADD mood TEXT"})
    monkeypatch.setattr("orchestrator.journal_postgres.store.migrate", bring)
    monkeypatch.setattr("orchestrator.journal_postgres.upgrading.KNOWN", known)
    monkeypatch.setattr("orchestrator.journal_postgres.upgrading.OLDEST", known)
    return known


def version(access: Access) -> tuple[int, ...]:
    """What the schema says of itself: version, oldest, coming."""
    with psycopg.connect(access.dsn) as connection:
        row = connection.execute("SELECT version, oldest, coming FROM orchestrator.journal_version").fetchone()
    assert row is not None
    return row


def test_whoever_upgrades_lets_older_members_end_and_changes_the_tables_when_they_have(
    access: Access, units: Units, newer: int
) -> None:
    said: list[str] = []

    def wait(error: OlderServe) -> bool:
        said.append(str(error.facts["who"]))
        assert version(access) == (newer - 1, migrate.OLDEST, newer), "announced: renewals tell of it"
        units.leave(member("anna").id)
        return True

    assert upgrade(access, wait) == newer
    assert said == ["anna on host (1.0)"]
    assert version(access) == (newer, newer, 0)


def test_who_waits_no_longer_takes_back_what_was_announced(access: Access, newer: int) -> None:
    with pytest.raises(OlderServe):
        upgrade(access, lambda error: False)
    assert version(access) == (newer - 1, migrate.OLDEST, 0)


def test_a_member_hears_that_its_program_is_to_end_and_nobody_like_it_comes_in(access: Access, units: Units) -> None:
    units.join(member("anna"))
    execute(access, "UPDATE journal_version SET coming = version + 1")
    heard = units.renew(member("anna").id)
    assert heard is not None
    assert heard.outdated
    with pytest.raises(SchemaUnknown):
        units.join(member("bert"))
    open_journal(access, read_only=True).close()


def test_a_member_that_is_to_end_and_loses_its_connection_gets_it_back(access: Access, units: Units) -> None:
    units.join(member("anna"))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
    execute(access, "UPDATE journal_version SET coming = version + 1", f"{others} current_database()")
    heard = units.renew(member("anna").id)
    assert heard is not None
    assert heard.outdated


def test_who_does_not_own_the_tables_brings_nobody_to_an_end(access: Access, units: Units) -> None:
    role = f"mere_{access.dsn.rpartition('/')[2]}"
    execute(
        access,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA orchestrator TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA orchestrator TO {role}",
    )
    units.join(member("anna"))
    with pytest.raises(JournalUnusable, match="let `orchestrator fleet upgrade` do that with the account that owns"):
        step(replace(access, dsn=access.dsn.replace(USER, role, 1)), migrate.KNOWN + 1)


# What a newer version has submitted


def plan() -> Plan:
    return Plan(RUN, "night", (group("fs01"),))


def test_a_unit_says_nothing_that_has_its_default_so_that_older_workers_understand_it() -> None:
    content = unit_of(plan(), plan().groups[0], 0, (), {}).content
    assert "warnings" not in json.loads(content)
    assert received(content) == plan()


@pytest.mark.parametrize("place", [("gently",), ("groups", 0, "gently"), ("groups", 0, "selections", 0, "gently")])
def test_a_word_that_this_version_does_not_know_is_not_passed_over(place: tuple[str | int, ...]) -> None:
    said = json.loads(sent(plan()))
    at = said
    for one in place[:-1]:
        at = at[one]
    at[place[-1]] = True
    with pytest.raises(NotUnderstood, match="gently"):
        received(json.dumps(said))


def test_a_value_that_this_version_does_not_know_is_named_by_its_place() -> None:
    said = json.loads(sent(plan()))
    said["groups"][0]["selections"][0]["on_conflict"] = "ask"
    with pytest.raises(NotUnderstood, match="on_conflict"):
        received(json.dumps(said))


# Members that have ended without a word


def test_who_has_the_state_folder_of_a_worker_takes_its_name_and_clears_up_after_it_at_once(units: Units) -> None:
    first = member("anna", home="one")
    units.join(first)
    units.submit([unit("a")], "submitter")
    taken = units.take(first.id)
    assert taken is not None
    with pytest.raises(NameTaken):
        units.join(member("anna", home="elsewhere", earlier="another"))
    again = member("anna", home="two", earlier="one")
    units.join(again)
    assert states(units)[first.id] is MemberState.DEAD
    heard = units.renew(again.id)
    assert heard is not None
    assert heard.heir_of == (first.id,)
    assert units.take(again.id) is None, "not before it was cleared up"
    units.bury(first.id, again.id)
    given = units.take(again.id)
    assert given is not None
    assert given.number > taken.number


def test_a_run_is_followed_by_one_and_by_another_when_that_has_ended(units: Units) -> None:
    first = member("first", MemberKind.SUBMITTER, home="one")
    units.join(first)
    units.submit([unit("a")], first.id)
    second = member("second", MemberKind.SUBMITTER, home="two")
    units.join(second)
    assert units.followed(second.id) == {RUN}
    with pytest.raises(RunFollowed, match=f"{RUN} is going on already: first on host follows it"):
        units.submit([unit("a"), unit("b")], second.id)
    assert units.follow(RUN).unfinished == 1, "nothing was submitted"
    assert units.followed("", "one") == frozenset(), "who has its state folder knows that it has ended"
    third = member("third", MemberKind.SUBMITTER, home="three", earlier="one")
    units.join(third)
    units.check_followed(RUN, third.id)
    units.submit([unit("a"), unit("b")], third.id)
    assert units.follow(RUN).unfinished == 2
