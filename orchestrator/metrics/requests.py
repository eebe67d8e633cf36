"""What Enterprise Manager is asked, and how it answers."""

from orchestrator.core.events import Event, RequestAnswered, SessionRenewed
from orchestrator.metrics.series import Maker

ANSWERS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Requests:
    """A fold over the events of requests and of the logon session."""

    def __init__(self, passing: Maker) -> None:
        self._requests = passing.counter(
            "em_requests_total", "Requests to Enterprise Manager; status 0 is no answer.", "method", "route", "status"
        )
        self._seconds = passing.histogram(
            "em_request_duration_seconds",
            "Time from sending a request to Enterprise Manager until its answer, or until it was given up.",
            "method", "route",
            buckets=ANSWERS,
        )  # fmt: skip
        self._renewals = passing.counter("session_renewals_total", "Logons because the session had ended.")

    def add(self, event: Event) -> None:
        match event:
            case RequestAnswered(method=method, route=route, status=status, seconds=seconds):
                self._requests.labels(method, route, str(status)).inc()
                self._seconds.labels(method, route).observe(seconds)
            case SessionRenewed():
                self._renewals.inc()
            case _:
                pass
