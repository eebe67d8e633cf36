"""Whose claims meet: the one pass gives what comparing every pair gives."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.claims import claims, meet, rivals, touching
from orchestrator.core.layout import Layout
from orchestrator.core.paths import parse_guest_path

CLAIMS = st.lists(st.sampled_from("ab"), max_size=4).map(tuple)


@given(st.lists(st.tuples(CLAIMS, st.sampled_from("xyz")), max_size=12))
def test_one_pass_finds_exactly_the_claims_that_meet_one_of_another_owner(
    claimed: list[tuple[tuple[str, ...], str]],
) -> None:
    found = rivals(claimed)
    expected = {
        (claim, owner)
        for claim, owner in claimed
        if any(meet(claim, other) and owner != rival for other, rival in claimed)
    }
    assert found.keys() == expected
    for (claim, owner), rival in found.items():
        assert owner != rival
        assert any(meet(claim, other) for other, one in claimed if one == rival)


def test_a_claim_is_where_a_path_lands() -> None:
    paths = [parse_guest_path(text) for text in ("C:\\a", "/srv", "*")]
    assert len(claims("/r", paths[2:], Layout(below=("{volume}", "x"), bare=True))) == 27
    assert claims("/r/x/", paths) == (("/", "R", "X", "C", "A"), ("/", "R", "X", "SRV"), ("/", "R", "X"))


def test_machines_whose_volumes_come_first_in_the_destination_do_not_meet() -> None:
    every = [parse_guest_path("*")]
    one, other = (Layout(below=("{volume}", vm), bare=True) for vm in ("fs01", "fs02"))
    assert not touching(claims("/r", every, one), claims("/r", every, other))
    assert touching(claims("/r", every, one), claims("/r/d", [parse_guest_path("/fs01/x")]))
    assert not touching(claims("/r", every, one), claims("/r/fs03", every))
