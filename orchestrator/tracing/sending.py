"""From spans to the collector: OTLP over HTTP, in batches, from a thread of the library's own."""

import logging
from collections.abc import Callable, Sequence
from typing import Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from orchestrator.core.events import Event
from orchestrator.tracing.spans import Spans

SEND_WITHIN = 3.0
"""Seconds that sending one batch may take, with what the library tries again."""

PATH = "/v1/traces"
"""Where a collector takes traces (OTLP specification, "OTLP/HTTP Request")."""


class SendingTraces:
    """Fulfils Traces. `exporter` sends; `tell` hears of it when it fails, once."""

    def __init__(self, exporter: SpanExporter, version: str, tell: Callable[[], None]) -> None:
        resource = Resource.create({SERVICE_NAME: "orchestrator", SERVICE_VERSION: version})
        # The library would close everything at the exit of the process, and wait for the collector there.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_Telling(exporter, tell)))
        self._spans = Spans(self._provider.get_tracer("orchestrator", version))
        self._open = True

    @classmethod
    def to(cls, endpoint: str, version: str, tell: Callable[[str], None]) -> Self:
        """To the collector at `endpoint`."""
        # It would log every failed attempt to stderr, in the middle of the progress.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        address = endpoint.rstrip("/")
        address = address if address.endswith(PATH) else address + PATH

        def failed() -> None:
            tell(f"traces could not be sent to {endpoint}; the run goes on without them")

        return cls(OTLPSpanExporter(endpoint=address, timeout=SEND_WITHIN), version, failed)

    def add(self, event: Event) -> None:
        """See Traces."""
        if self._open:
            self._spans.add(event)

    def close(self) -> None:
        """See Traces."""
        if self._open:
            self._open = False
            self._spans.end_all()
            self._provider.shutdown()


class _Telling(SpanExporter):
    """Sends by `exporter`, and calls `tell` when that fails for the first time."""

    def __init__(self, exporter: SpanExporter, tell: Callable[[], None]) -> None:
        self._exporter = exporter
        self._tell = tell
        self._told = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:
            result = SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS and not self._told:
            self._told = True
            self._tell()
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)
