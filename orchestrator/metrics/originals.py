"""Restores to the original location, done by Enterprise Manager inside guests."""

from orchestrator.core.events import Event, OriginalEnded
from orchestrator.core.originals import OriginalState
from orchestrator.metrics.series import Maker

RESULTS = (OriginalState.RESTORED, OriginalState.FAILED, OriginalState.UNKNOWN)


class Originals:
    """A fold over the ends of such restores. One that did not begin is asked for anew, and does not count."""

    def __init__(self, passing: Maker) -> None:
        self._ended = passing.counter(
            "original_restores_total", "Paths that EM was asked to restore to their original location.", "result"
        )
        for result in RESULTS:
            self._ended.labels(result.value)

    def add(self, event: Event) -> None:
        match event:
            case OriginalEnded(result=result) if result in RESULTS:
                self._ended.labels(result.value).inc()
            case _:
                pass
