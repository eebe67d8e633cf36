"""The fold: which span begins and ends with which event, and what it says."""

from dataclasses import fields
from datetime import datetime, timedelta

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from orchestrator.core.errors import ExitCode
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
from orchestrator.core.ledger import GroupState, Totals

Attributes = dict[str, str | int | float | bool]
_Key = tuple[str, ...]
"""("run", run), ("group", run, group) or ("mount", run, path at EM)."""


class Spans:
    """Spans that are open, by what they are of. Every span is begun and ended with the times of events."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._open: dict[_Key, Span] = {}

    def add(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case RunStarted() | RunEnded():
                self._run(event)
            case GroupStarted() | GroupEnded():
                self._group(event)
            case MountOpened() | MountDeleted() | MountGone() | MountLeft():
                self._mount(event)
            case RequestAnswered():
                self._request(event)
            case SessionRenewed(at=at, generation=generation):
                self._mark("session renewed", at, {"orchestrator.session.generation": generation})
            case Stopping(at=at, how=how, run=run):
                self._mark("stopping", at, {"orchestrator.stop": how}, run)
            case _:
                pass

    def end_all(self) -> None:
        """The process ends: what is open was cut short. It ends now, whenever that is."""
        for key in sorted(self._open, key=lambda one: one[0] == "run"):
            self._open[key].set_attribute("orchestrator.cut_short", True)
            self._open[key].end()
        self._open.clear()

    def _run(self, event: RunStarted | RunEnded) -> None:
        key = ("run", event.run)
        match event:
            case RunStarted(at=at, run=run, job=job, groups=groups, resumed=resumed):
                begun = _ours(run=run, job=job, groups=groups, resumed=resumed)
                self._begin(key, "run", at, None, begun)
            case RunEnded(at=at, exit_code=code, totals=totals, mounts_opened=opened, mounts_deleted=deleted):
                ended = _ours(
                    exit_code=code, mounts_opened=opened, mounts_deleted=deleted, mounts_left=event.mounts_left
                )
                bad = "" if code in (ExitCode.OK, ExitCode.STOPPED) else f"exit code {code}"
                self._end(key, at, ended | _of_totals(totals), bad)

    def _group(self, event: GroupStarted | GroupEnded) -> None:
        key = ("group", event.run, event.group)
        match event:
            case GroupStarted(at=at, run=run, group=group, vm=vm, backup_server=server, restore_point=point):
                begun = _ours(run=run, group=group, vm=vm, backup_server=server, restore_point=point)
                # A group that could not be mounted is tried once more, and has said nothing of its first turn's end.
                self._end(key, at, _ours(state=GroupState.WAITING.value), "not mounted; tried again later")
                self._begin(key, "group", at, ("run", run), begun)
            case GroupEnded(at=at, state=state, totals=totals, message=message):
                bad = (message or state) if state == GroupState.FAILED.value else ""
                self._end(key, at, _ours(state=state) | _of_totals(totals), bad)

    def _mount(self, event: MountOpened | MountDeleted | MountGone | MountLeft) -> None:
        key = ("mount", event.run, event.href)
        match event:
            case MountOpened(at=at, run=run, group=group, vm=vm, backup_server=server, href=href, seconds=seconds):
                begun = _ours(run=run, vm=vm, backup_server=server, href=href, mount_seconds=seconds)
                self._begin(key, "mount", at - timedelta(seconds=seconds), ("group", run, group), begun)
            case MountDeleted(at=at):
                self._end(key, at, _ours(mount="deleted"))
            case MountGone(at=at, cause=cause):
                self._end(key, at, _ours(mount="lost"), cause)
            case MountLeft(at=at, cause=cause):
                self._end(key, at, _ours(mount="left"), cause)

    def _request(self, event: RequestAnswered) -> None:
        """A span that is over when it is told of. It belongs to the run that is going on, if there is only one."""
        runs = [key for key in self._open if key[0] == "run"]
        failed = event.status == 0 or event.status >= 400
        attributes: Attributes = {
            "http.request.method": event.method,
            "http.route": event.route,
        }
        if event.status:
            attributes["http.response.status_code"] = event.status
        if failed:
            attributes["error.type"] = str(event.status) if event.status else "no_answer"
        span = self._tracer.start_span(
            f"{event.method} {event.route}",
            context=self._context(runs[0] if len(runs) == 1 else None),
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=_nanoseconds(event.at - timedelta(seconds=event.seconds)),
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(_nanoseconds(event.at))

    def _begin(self, key: _Key, name: str, at: datetime, parent: _Key | None, attributes: Attributes) -> None:
        if key in self._open:
            self._end(key, at, {})
        self._open[key] = self._tracer.start_span(
            name, context=self._context(parent), attributes=attributes, start_time=_nanoseconds(at)
        )

    def _end(self, key: _Key, at: datetime, attributes: Attributes, bad: str = "") -> None:
        """End a span, if it is open. `bad` says what went wrong, and is empty when nothing did."""
        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes(attributes)
        if bad:
            span.set_status(Status(StatusCode.ERROR, _sendable(bad)))
        span.end(_nanoseconds(at))

    def _mark(self, name: str, at: datetime, attributes: Attributes, run: str = "") -> None:
        """A moment in every run that is going on, or in one of them."""
        for key, span in self._open.items():
            if key[0] == "run" and run in ("", key[1]):
                span.add_event(name, attributes, _nanoseconds(at))

    def _context(self, parent: _Key | None) -> Context:
        """Below `parent`, or at the root when that is not open; never below whatever else the process may trace."""
        span = self._open.get(parent) if parent else None
        return set_span_in_context(span, Context()) if span else Context()


def _ours(**values: str | int | float | bool) -> Attributes:
    return {
        f"orchestrator.{name}": _sendable(value) if isinstance(value, str) else value for name, value in values.items()
    }


def _sendable(text: str) -> str:
    """A name that is no Unicode would spoil the whole batch."""
    return text.encode("utf-8", "replace").decode()


def _of_totals(totals: Totals) -> Attributes:
    return {f"orchestrator.totals.{field.name}": getattr(totals, field.name) for field in fields(totals)}


def _nanoseconds(at: datetime) -> int:
    """Since 1970, as OpenTelemetry counts."""
    return round(at.timestamp() * 1_000_000) * 1000
