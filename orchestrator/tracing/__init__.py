"""Traces: a fold of the events into OpenTelemetry spans, run > group > mount, with the requests to EM.

Law: plain `def`. It may touch OpenTelemetry, which is an optional extra and is imported only when traces are wanted;
the library sends from a thread of its own. It promises: `add` is cheap, is called on the event loop and raises nothing;
a collector that is away costs nothing but the spans, which is told once. It refuses: the clock (events carry their
times), spans of anybody else, and to wait for the collector before `close`.
"""

from orchestrator.tracing.opening import Traces, open_traces

__all__ = ["Traces", "open_traces"]
