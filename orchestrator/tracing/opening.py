"""The one door: works without the extra, and says what to install when it is needed."""

from collections.abc import Callable
from typing import Protocol

from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.events import Event

EXTRA = "pip install 'orchestrator[otel]'"


class Traces(Protocol):
    """Takes events and sends spans."""

    def add(self, event: Event) -> None:
        """Fold one event in. Takes some microseconds and raises nothing."""
        ...

    def close(self) -> None:
        """End what is still open and send what was not sent yet. Blocks for as long as the collector lets it; whoever
        calls it sets the limit. Harmless when called again."""
        ...


def open_traces(endpoint: str, version: str, tell: Callable[[str], None]) -> Traces:
    """What sends traces to the OTLP collector at `endpoint` (its base address, or that of its traces). `tell` is called
    once, from another thread, when spans could not be sent. ConfigInvalid when OpenTelemetry is not installed."""
    try:
        from orchestrator.tracing.sending import SendingTraces
    except ModuleNotFoundError as cause:
        if not (cause.name or "").startswith("opentelemetry"):
            raise
        problem = f"traces need OpenTelemetry, which is not installed: {EXTRA}, or remove the key"
        raise ConfigInvalid(place="tracing.otlp_endpoint", problems=problem) from cause
    return SendingTraces.to(endpoint, version, tell)
