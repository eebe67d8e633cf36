"""What a job wants of its files beside their bytes, and the words for what became of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.applying import PutOn, settled
from orchestrator.core.errors import JobInvalid
from orchestrator.core.fidelity import (
    BASIC,
    Card,
    Kept,
    LinkPolicy,
    Metadata,
    OwnerPolicy,
    Property,
    Wishes,
    fidelity_code,
    fidelity_of,
)
from orchestrator.core.job import read_job
from orchestrator.core.plan import MountGroup, plan_from_json, plan_to_json, refusing
from orchestrator.core.residual import residual_job
from orchestrator.files import unknown_accounts
from tests.core.values import group, job, planned, point


@given(st.dictionaries(st.sampled_from(Property), st.sampled_from(Kept)))
def test_what_became_of_a_file_comes_back_from_its_code(fidelity: dict[Property, Kept]) -> None:
    assert fidelity_of(fidelity_code(fidelity)) == fidelity


def test_a_card_counts_files_by_property() -> None:
    card = Card.of([("mode:kept owner:sidecar", 3), ("mode:kept", 2), ("", 9), ("owner:lost", 1)])
    assert card.counts == {Property.MODE: {Kept.KEPT: 5}, Property.OWNER: {Kept.SIDECAR: 3, Kept.LOST: 1}}
    assert (card.total(Kept.KEPT), card.total(Kept.SIDECAR), card.total(Kept.LOST)) == (5, 3, 1)


def test_what_was_put_on_since_is_kept_and_never_more_than_waited() -> None:
    card = Card.of([("mode:sidecar owner:sidecar", 3), ("owner:kept", 2)])
    found = card.put_on({Property.MODE: 2, Property.OWNER: 9, Property.ACL: 1})
    assert found.counts == {
        Property.MODE: {Kept.SIDECAR: 1, Kept.KEPT: 2},
        Property.OWNER: {Kept.SIDECAR: 0, Kept.KEPT: 5},
    }
    assert card.total(Kept.SIDECAR) == 6


def test_what_was_put_on_is_told_of_the_groups_that_restored_there() -> None:
    done = PutOn([f"/restore/{vm}" for vm in ("fs01", "fs011", "web01")])
    names = "/restore/fs01/a", "/restore/fs01/b", "/restore/fs01/a", "/restore/fs011/c", "/elsewhere/d"
    for number, name in enumerate(names, 1):
        done.add(number, name, frozenset({Property.MODE, Property.OWNER}))
    assert done.counts["/restore/fs01"] == {Property.MODE: 2, Property.OWNER: 2}
    waiting = Card.of([("mode:sidecar", 1)])
    groups = [group_to(vm, number) for number, vm in enumerate(("fs01", "fs01", "fs011", "web01"))]
    cards = settled({one.id: waiting for one in groups}, groups, done.counts | {"": {}})
    assert [cards[one.id].count(Property.MODE, Kept.KEPT) for one in groups] == [1, 1, 1, 0]


def test_what_was_put_on_once_stays_so_when_the_rest_is_put_on_later() -> None:
    first, second = frozenset({Property.MODE}), frozenset({Property.OWNER})
    done, nothing = PutOn(["/restore"]), frozenset[Property]()
    for number in (1, 2, 4, 5, 6, 9):
        done.add(number, f"/restore/{number}", first if number != 5 else nothing)
    assert done.lines == {Property.MODE: [(1, 2), (4, 4), (6, 6), (9, 9)]}
    later = PutOn(["/restore"], done.lines)
    for number in range(1, 10):
        later.add(number, f"/restore/{number}", second if number == 5 else nothing)
    assert later.lines == {Property.MODE: done.lines[Property.MODE], Property.OWNER: [(5, 5)]}
    assert later.counts == {"/restore": {Property.MODE: 5, Property.OWNER: 1}}


def group_to(vm: str, number: int) -> MountGroup:
    one = group(vm)
    (wanted,) = one.selections
    return replace(one, id=f"g{number}", selections=(replace(wanted, destination=f"/restore/{vm}"),))


def test_an_entry_of_a_job_overrides_the_defaults_key_by_key() -> None:
    text = b"""
name = "j"
[defaults]
to = "/restore"
metadata = "full"
owner = "map"
users = { 1000 = "alice", "1001" = 2001 }
[[restore]]
vm = "a"
paths = ["/srv"]
[[restore]]
vm = "b"
paths = ["/srv"]
owner = "none"
links = "link"
"""
    read = read_job(text, "j.toml")
    one, other = (read.wishes(entry) for entry in read.restore)
    assert one == Wishes(Metadata.FULL, OwnerPolicy.MAP, LinkPolicy.SKIP, users=((1000, "alice"), (1001, 2001)))
    assert (other.metadata, other.owner, other.links) == (Metadata.FULL, OwnerPolicy.NONE, LinkPolicy.LINK)


def test_without_a_word_a_job_wants_the_basic_things() -> None:
    plain = job({"vm": "a"})
    assert plain.wishes(plain.restore[0]) == BASIC
    assert not BASIC.reads_properties


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('owner = "map"', 'owner = "map" and nobody in users or groups'),
        ('users = { alice = "bob" }', "'alice' is no id of the guest"),
        ('users = { "-1" = "bob" }', "'-1' is no id of the guest"),
        ("users = { 4294967295 = 1 }", "is no id of the guest"),
        ('groups = { 1 = "" }', "is no local account"),
        ('metadata = "all"', "metadata"),
        ('links = "copy"', "links"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_with_its_key_and_value(line: str, said: str) -> None:
    text = f'name = "j"\n[defaults]\nto = "/r"\n{line}\n[[restore]]\nvm = "a"\npaths = ["/srv"]\n'
    with pytest.raises(JobInvalid) as caught:
        read_job(text.encode(), "j.toml")
    assert said in str(caught.value)


def test_wishes_survive_the_plan_and_the_residual_job() -> None:
    wanted = job({"vm": "a", "metadata": "full", "owner": "map", "users": {"1": "x"}, "links": "link"})
    made = planned(wanted, [point("a")])
    assert plan_from_json(plan_to_json(made)) == made
    assert made.groups[0].selections[0].wishes == wanted.wishes(wanted.restore[0])
    assert residual_job(made, []) is None


def test_a_plan_of_an_older_version_wants_the_basic_things() -> None:
    text = plan_to_json(planned(job({"vm": "a"}), [point("a")]))
    start = text.index(',"wishes"')
    older = text[:start] + text[text.index("}", start) + 1 :]
    assert plan_from_json(older).groups[0].selections[0].wishes == BASIC


def test_what_wishes_for_an_account_that_is_not_here_is_a_problem_of_the_plan() -> None:
    wanted = job({"vm": "a", "metadata": "full", "owner": "map", "users": {"1": "nobody here"}}, {"vm": "b"})
    made = refusing(planned(wanted, [point("a"), point("b")]), unknown_accounts)
    assert [str(problem) for problem in made.problems] == ["restore[1].owner: there is no local user 'nobody here'"]
    assert [group.vm for group in made.groups] == ["b"]
