"""Traces folded from events: which span stands below which, how long it lasts, and what it says."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.events import (
    Event,
    GroupEnded,
    GroupStarted,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    RequestAnswered,
    RunEnded,
    RunStarted,
    SessionRenewed,
    Stopping,
)
from orchestrator.core.ledger import Totals
from orchestrator.tracing import open_traces
from orchestrator.tracing.sending import SendingTraces

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def nanoseconds(seconds: float) -> int:
    return int(at(seconds).timestamp()) * 1_000_000_000


STARTED = RunStarted(AT, "r1", "nightly", 1)
GROUP = GroupStarted(at(1), "r1", "g1", "fs01", "vbr01", "uid-1", AT)
OPENED = MountOpened(at(5), "r1", "g1", "fs01", "vbr01", "/api/m/1", 3.0)
DELETED = MountDeleted(at(60), "r1", "g1", "fs01", "vbr01", "/api/m/1", 57.0)
GROUP_ENDED = GroupEnded(at(61), "r1", "g1", "fs01", "done", Totals(10, 2, 0, 0, 5000), 60.0)
ENDED = RunEnded(at(62), "r1", 0, Totals(10, 2, 0, 0, 5000), 1, 1, 0)


def spans(*events: Event) -> dict[str, ReadableSpan]:
    """The spans of these events, by their names and what they are of."""
    exporter = InMemorySpanExporter()
    traces = SendingTraces(exporter, "1.2.3", lambda: None)
    for event in events:
        traces.add(event)
    traces.close()
    return {titled(span): span for span in exporter.get_finished_spans()}


def titled(span: ReadableSpan) -> str:
    found = attributes(span)
    return f"{span.name} {found.get('vm') or found.get('job') or ''}".rstrip()


def parent(span: ReadableSpan) -> int:
    return span.parent.span_id if span.parent else 0


def own(span: ReadableSpan) -> int:
    assert span.context
    return span.context.span_id


def attributes(span: ReadableSpan) -> dict[str, object]:
    return {name.removeprefix("orchestrator."): value for name, value in (span.attributes or {}).items()}


def test_a_run_holds_its_groups_and_a_group_its_mounts_with_the_times_of_the_events() -> None:
    found = spans(STARTED, GROUP, OPENED, DELETED, GROUP_ENDED, ENDED)
    run, group, mount = found["run nightly"], found["group fs01"], found["mount fs01"]
    assert (parent(run), parent(group), parent(mount)) == (0, own(run), own(group))
    assert len({span.context.trace_id for span in found.values() if span.context}) == 1
    times = [(span.start_time, span.end_time) for span in (run, group, mount)]
    expected = [(0, 62), (1, 61), (2, 60)]
    assert times == [(nanoseconds(begun), nanoseconds(over)) for begun, over in expected]


def test_spans_say_what_they_are_of_and_what_became_of_it() -> None:
    found = spans(STARTED, GROUP, OPENED, DELETED, GROUP_ENDED, ENDED)
    run = attributes(found["run nightly"])
    assert (run["run"], run["job"], run["exit_code"], run["totals.restored"]) == ("r1", "nightly", 0, 10)
    assert (run["mounts_opened"], run["mounts_left"], run["resumed"]) == (1, 0, False)
    group = attributes(found["group fs01"])
    assert (group["vm"], group["backup_server"], group["restore_point"]) == ("fs01", "vbr01", "uid-1")
    assert (group["state"], group["totals.bytes"]) == ("done", 5000)
    assert attributes(found["mount fs01"])["mount"] == "deleted"
    assert found["run nightly"].resource.attributes["service.name"] == "orchestrator"
    assert found["run nightly"].resource.attributes["service.version"] == "1.2.3"


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 7])
def test_a_run_that_did_not_end_well_is_an_error(code: int) -> None:
    run = spans(STARTED, RunEnded(at(1), "r1", code, Totals(), 0, 0, 0))["run nightly"]
    assert run.status.status_code is StatusCode.ERROR
    assert run.status.description == f"exit code {code}"


def test_a_run_that_was_stopped_on_request_is_no_error() -> None:
    found = spans(STARTED, Stopping(at(1), "drain"), RunEnded(at(2), "r1", 6, Totals(), 0, 0, 0))
    assert found["run nightly"].status.status_code is StatusCode.UNSET
    assert [event.name for event in found["run nightly"].events] == ["stopping"]


def test_a_group_that_failed_says_why_and_a_mount_that_was_lost_or_left_too() -> None:
    bad = GroupEnded(at(9), "r1", "g1", "fs01", "failed", Totals(), 8.0, "the mount failed")
    assert spans(STARTED, GROUP, bad)["group fs01"].status.description == "the mount failed"
    gone = MountGone(at(6), "r1", "g1", "fs01", "/api/m/1", "the session ended")
    left = MountLeft(at(6), "r1", "g1", "fs01", "vbr01", "/api/m/1", "no answer")
    for event, cause in ((gone, "the session ended"), (left, "no answer")):
        mount = spans(STARTED, GROUP, OPENED, event)["mount fs01"]
        assert (mount.status.status_code, mount.status.description) == (StatusCode.ERROR, cause)


def test_a_group_that_is_tried_again_has_a_span_for_each_turn() -> None:
    exporter = InMemorySpanExporter()
    traces = SendingTraces(exporter, "1", lambda: None)
    for event in (STARTED, GROUP, GROUP, GROUP_ENDED, ENDED):
        traces.add(event)
    traces.close()
    turns = [span for span in exporter.get_finished_spans() if span.name == "group"]
    assert [attributes(span)["state"] for span in turns] == ["waiting", "done"]
    assert [span.status.status_code for span in turns] == [StatusCode.ERROR, StatusCode.UNSET]


def test_a_request_belongs_to_the_run_that_is_going_on() -> None:
    request = RequestAnswered(at(7), "GET", "/tasks/{id}", 200, 2.0)
    found = spans(STARTED, request, ENDED)
    span = found["GET /tasks/{id}"]
    assert parent(span) == own(found["run nightly"])
    assert (span.start_time, span.end_time) == (nanoseconds(5), nanoseconds(7))
    assert span.kind is SpanKind.CLIENT
    assert span.attributes == {
        "http.request.method": "GET", "http.route": "/tasks/{id}", "http.response.status_code": 200,
    }  # fmt: skip
    assert span.status.status_code is StatusCode.UNSET


def test_a_request_of_no_run_or_of_one_of_several_is_a_trace_of_its_own() -> None:
    request = RequestAnswered(AT, "GET", "/query", 200, 0.1)
    assert parent(spans(request)["GET /query"]) == 0
    two = spans(STARTED, RunStarted(AT, "r2", "other", 1), request)
    assert parent(two["GET /query"]) == 0


@pytest.mark.parametrize(("status", "kind"), [(0, "no_answer"), (404, "404"), (503, "503")])
def test_a_request_that_was_not_served_is_an_error(status: int, kind: str) -> None:
    span = spans(RequestAnswered(AT, "GET", "/tasks/{id}", status, 0.1))["GET /tasks/{id}"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes
    assert span.attributes["error.type"] == kind
    assert span.attributes.get("http.response.status_code", 0) == status


def test_a_new_session_is_marked_in_every_run_that_goes_on() -> None:
    found = spans(STARTED, RunStarted(AT, "r2", "other", 1), SessionRenewed(at(3), 2, "401"))
    for name in ("run nightly", "run other"):
        assert [event.name for event in found[name].events] == ["session renewed"]


def test_what_is_open_when_the_process_ends_is_sent_as_cut_short() -> None:
    found = spans(STARTED, GROUP, OPENED)
    assert len(found) == 3
    for span in found.values():
        assert attributes(span)["cut_short"] is True
        assert span.end_time


def test_nothing_is_taken_after_the_end() -> None:
    exporter = InMemorySpanExporter()
    traces = SendingTraces(exporter, "1", lambda: None)
    traces.close()
    traces.add(STARTED)
    traces.close()
    assert exporter.get_finished_spans() == ()


class Failing(SpanExporter):
    """A collector that is away."""

    def __init__(self, how: str) -> None:
        self._how = how

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._how == "raises":
            raise ConnectionError("refused")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None: ...


@pytest.mark.parametrize("how", ["raises", "fails"])
def test_spans_that_could_not_be_sent_are_told_of_once(how: str) -> None:
    told: list[int] = []
    traces = SendingTraces(Failing(how), "1", lambda: told.append(1))
    for _ in range(1200):  # more than two batches
        traces.add(RequestAnswered(AT, "GET", "/query", 200, 0.1))
    traces.close()
    assert told == [1]


def test_names_that_are_no_unicode_do_not_spoil_a_batch() -> None:
    odd = GroupStarted(at(1), "r1", "g1", "caf\udce9", "vbr01", "uid", AT)
    bad = GroupEnded(at(2), "r1", "g1", "caf\udce9", "failed", Totals(), 1.0, "no \udce9")
    sent = encode_spans(list(spans(STARTED, odd, bad, ENDED).values()))
    assert "no ?" in str(sent)


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith(("opentelemetry", "orchestrator.tracing."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)


@pytest.mark.usefixtures("without_the_extra")
def test_without_opentelemetry_the_error_says_what_to_install() -> None:
    with pytest.raises(ConfigInvalid, match=r"tracing\.otlp_endpoint.*pip install 'orchestrator\[otel\]'") as refusal:
        open_traces("http://127.0.0.1:4318", "1", print)
    assert refusal.value.exit_code == 2


EVENTS: Sequence[Event] = (
    STARTED, GROUP, OPENED, DELETED, GROUP_ENDED, ENDED, Stopping(AT, "drain"), SessionRenewed(AT, 2, ""),
    RequestAnswered(AT, "GET", "/query", 200, 0.1), MountGone(AT, "r1", "g1", "fs01", "/api/m/1", "x"),
    MountLeft(AT, "r1", "g1", "fs01", "vbr01", "/api/m/1", "x"), RunStarted(AT, "r2", "other", 2),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(EVENTS), max_size=20))
def test_whatever_order_events_come_in_none_is_refused_and_every_span_ends(events: list[Event]) -> None:
    assert all(span.end_time for span in spans(*events).values())
