"""Which steps a lease may take. The table is the law: what is not in it is illegal and changes nothing.

INTENDED --requested--> REQUESTED --held--> HELD --released--> RELEASED --confirmed--> CONFIRMED
INTENDED --held--> HELD                      (adopted by listing, no task was ever named)
INTENDED, REQUESTED --nothing--> RELEASED    (EM refused, or listing proves that nothing was made)
INTENDED, REQUESTED, HELD --lost--> LOST     (the session that made it is gone)
any open state --left--> LEFT                (could not be deleted within the time limit)
LEFT, LOST --released--> RELEASED            (a sweep deleted it, or proved it gone)
"""

from enum import Enum

from orchestrator.core.errors import OrchestratorError


class LeaseState(Enum):
    """Where a lease is in its life; the value is what the journal stores."""

    INTENDED = "intended"
    REQUESTED = "requested"
    HELD = "held"
    RELEASED = "released"
    CONFIRMED = "confirmed"
    LOST = "lost"
    LEFT = "left"


class LeaseStep(Enum):
    """What can happen to a lease."""

    REQUESTED = "requested"
    HELD = "held"
    NOTHING = "nothing"
    RELEASED = "released"
    CONFIRMED = "confirmed"
    LOST = "lost"
    LEFT = "left"


OPEN_STATES = frozenset({LeaseState.INTENDED, LeaseState.REQUESTED, LeaseState.HELD, LeaseState.LOST, LeaseState.LEFT})
"""States in which EM may still hold something of ours."""

_S, _T = LeaseState, LeaseStep
_TABLE: dict[tuple[LeaseState, LeaseStep], LeaseState] = {
    (_S.INTENDED, _T.REQUESTED): _S.REQUESTED,
    (_S.INTENDED, _T.HELD): _S.HELD,
    (_S.INTENDED, _T.NOTHING): _S.RELEASED,
    (_S.INTENDED, _T.LOST): _S.LOST,
    (_S.INTENDED, _T.LEFT): _S.LEFT,
    (_S.INTENDED, _T.RELEASED): _S.RELEASED,
    (_S.REQUESTED, _T.RELEASED): _S.RELEASED,
    (_S.REQUESTED, _T.HELD): _S.HELD,
    (_S.REQUESTED, _T.NOTHING): _S.RELEASED,
    (_S.REQUESTED, _T.LOST): _S.LOST,
    (_S.REQUESTED, _T.LEFT): _S.LEFT,
    (_S.HELD, _T.RELEASED): _S.RELEASED,
    (_S.HELD, _T.LOST): _S.LOST,
    (_S.HELD, _T.LEFT): _S.LEFT,
    (_S.LOST, _T.LOST): _S.LOST,
    (_S.LOST, _T.RELEASED): _S.RELEASED,
    (_S.LOST, _T.CONFIRMED): _S.CONFIRMED,
    (_S.LOST, _T.LEFT): _S.LEFT,
    (_S.LEFT, _T.LEFT): _S.LEFT,
    (_S.LEFT, _T.LOST): _S.LOST,
    (_S.LEFT, _T.RELEASED): _S.RELEASED,
    (_S.LEFT, _T.CONFIRMED): _S.CONFIRMED,
    (_S.RELEASED, _T.CONFIRMED): _S.CONFIRMED,
}


class IllegalStep(OrchestratorError):
    """A lease in state {state} cannot take the step {step}."""


def advance(state: LeaseState, step: LeaseStep) -> LeaseState:
    """The state after `step`; IllegalStep when the table has no such step."""
    try:
        return _TABLE[state, step]
    except KeyError:
        raise IllegalStep(state=state.value, step=step.value) from None
