"""The life of a lease: the table is the law."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.lifecycle import OPEN_STATES, IllegalStep, LeaseState, LeaseStep, advance

LEGAL = {
    "intended": {
        "requested": "requested",
        "held": "held",
        "nothing": "released",
        "released": "released",
        "lost": "lost",
        "left": "left",
    },
    "requested": {"held": "held", "nothing": "released", "released": "released", "lost": "lost", "left": "left"},
    "held": {"released": "released", "lost": "lost", "left": "left"},
    "lost": {"released": "released", "confirmed": "confirmed", "left": "left", "lost": "lost"},
    "left": {"released": "released", "confirmed": "confirmed", "left": "left", "lost": "lost"},
    "released": {"confirmed": "confirmed"},
    "confirmed": {},
}


@pytest.mark.parametrize(("state", "step"), list(product(LeaseState, LeaseStep)))
def test_a_step_is_in_the_table_or_illegal(state: LeaseState, step: LeaseStep) -> None:
    expected = LEGAL[state.value].get(step.value)
    if expected is None:
        with pytest.raises(IllegalStep, match=f"in state {state.value} cannot take the step {step.value}"):
            advance(state, step)
    else:
        assert advance(state, step) is LeaseState(expected)


@given(st.lists(st.sampled_from(LeaseStep), max_size=20))
def test_what_em_may_hold_can_always_be_settled_and_what_is_settled_never_opens_again(steps: list[LeaseStep]) -> None:
    state = LeaseState.INTENDED
    for step in steps:
        before = state
        try:
            state = advance(state, step)
        except IllegalStep:
            assert state is before
        assert before in OPEN_STATES or state not in OPEN_STATES
    assert state not in OPEN_STATES or LEGAL[state.value].keys() & {"released", "nothing"}


def test_exactly_the_settled_states_are_closed() -> None:
    assert set(LeaseState) - OPEN_STATES == {LeaseState.RELEASED, LeaseState.CONFIRMED}
