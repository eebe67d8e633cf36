"""What slows copying down on purpose: limits of the bandwidth, and runs that are paused."""

from orchestrator.core.events import Event, LimitChanged, RunEnded, RunPaused, Stopping
from orchestrator.core.rates import rate_of
from orchestrator.metrics.series import Maker


class LimitsInForce:
    """A fold over what is told of limits and pauses."""

    def __init__(self, passing: Maker) -> None:
        self._bandwidth = passing.gauge(
            "bandwidth_limit_bytes_per_second",
            "Most that is copied, of one backup server or (empty) of all; absent where nothing is limited.",
            "backup_server",
        )
        self._runs_paused = passing.gauge("runs_paused", "Runs that are paused.")
        self._limited: set[str] = set()
        self._paused: set[str] = set()

    def add(self, event: Event) -> None:
        match event:
            case LimitChanged(what="bandwidth", run="", backup_server=server, value=value):
                self._limit(server, rate_of(value))
            case RunPaused(run=run, paused=True):
                self._paused.add(run)
            case RunPaused(run=run) | RunEnded(run=run):
                self._paused.discard(run)
            case Stopping(run=run):
                self._paused = self._paused - {run} if run else set()
            case _:
                return
        self._runs_paused.set(len(self._paused))

    def _limit(self, server: str, rate: int | None) -> None:
        if rate is not None:
            self._limited.add(server)
            self._bandwidth.labels(server).set(rate)
        elif server in self._limited:
            self._limited.discard(server)
            self._bandwidth.remove(server)
