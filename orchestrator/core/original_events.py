"""Events of restores to the original location, which EM does inside the guest."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.originals import OriginalState, Standing


@dataclass(frozen=True, slots=True)
class OriginalAsked:
    """EM is asked to restore a path to its original location; `standing` is what becomes of a file that is there."""

    at: datetime
    run: str
    group: str
    vm: str
    guest_path: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class OriginalEnded:
    """What came of it: RESTORED, FAILED, UNKNOWN, or NOTHING when EM did not begin. `message` is in EM's words,
    `seconds` since EM was asked."""

    at: datetime
    run: str
    group: str
    vm: str
    guest_path: str
    standing: Standing
    result: OriginalState
    message: str
    seconds: float
