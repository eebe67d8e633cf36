"""Progress on stderr: live bars for a terminal, a line now and then for anything else, or nothing.

`add` is called on the event loop for every event and never writes itself: a paused terminal (Ctrl-S) or a pipe that
nobody reads must not stop the run that holds the mounts. What does not fit meanwhile is counted and told.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self, TextIO

from orchestrator.cli.aside import Aside
from orchestrator.core.events import (
    Event,
    FileProblem,
    GroupEnded,
    GroupsStuck,
    GroupStarted,
    LimitChanged,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    RunEnded,
    RunPaused,
    RunStarted,
    SessionRenewed,
    Stopping,
    WorkerReady,
)
from orchestrator.core.tally import Tally
from orchestrator.views.limits import change_line
from orchestrator.views.log import progress_line
from orchestrator.views.told import stuck_words, told
from orchestrator.views.units import count, duration, size, visible

Clock = Callable[[], datetime]

LINE_SECONDS = 5.0
LINES_PER_REASON = 5
"""Problem lines shown for each reason; the report has them all, and a full disk makes millions."""


class Progress(Protocol):
    """Shows what happens. `add` is cheap, is called on the event loop and raises nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def add(self, event: Event) -> None:
        """Take one event."""
        ...


def make_progress(console_is_terminal: bool, quiet: bool, clock: Clock, stream: TextIO) -> Progress:
    """The right kind of progress for `stream`; `clock` gives the time now, UTC."""
    if quiet:
        return NoProgress()
    if not console_is_terminal:
        return PlainProgress(clock, stream)
    from orchestrator.cli.bars import LiveProgress  # and rich with it, which no service needs

    return LiveProgress(clock, stream)


class NoProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def add(self, event: Event) -> None:
        return None


class Headlines:
    """Turns the events that deserve a line of their own into one; the fifth problem of a reason is the last shown."""

    def __init__(self) -> None:
        self._problems: Counter[str] = Counter()
        self._machines: dict[str, str] = {}
        self._stuck: tuple[str, ...] = ()

    def line(self, event: Event, *, verbose: bool) -> str | None:
        """The line of an event; None when it has none. `verbose`: milestones have one too."""
        match event:
            case GroupStarted(group=group, vm=vm):
                self._machines[group] = vm
                return None
            case FileProblem(group=group, guest_path=path, verdict=verdict, reason=reason, message=message):
                where = f"{self._machines[group]}: {path}" if group in self._machines else path
                return self._problem(f"{verdict.value} {where}: {message or reason} [{reason}]", reason)
            case MountLeft(vm=vm, href=href, cause=cause):
                return f"MOUNT LEFT of {vm} ({href}): {cause.rstrip('.')}; `orchestrator sweep` tries again"
            case MountGone(vm=vm, cause=cause):
                return f"mount of {vm} lost: {cause}"
            case SessionRenewed(cause=cause):
                return f"logged on to Enterprise Manager again: {cause}"
            case Stopping(how=how):
                return "stopping: " + ("files in flight are finished" if how == "drain" else "at once")
            case LimitChanged() | RunPaused():
                return change_line(event)
            case GroupsStuck(why=why):
                anew, self._stuck = why != self._stuck, why
                return stuck_words(event) if anew else None
            case Notice(message=message):
                return message
            case WorkerReady():
                return told(event)
            case GroupEnded(vm=vm, state=state, message=message) if state != "done":
                return f"{vm} {state}" + (f": {message}" if message else "")
            case _:
                return self._milestone(event) if verbose else None

    def _problem(self, text: str, reason: str) -> str | None:
        self._problems[reason] += 1
        if self._problems[reason] > LINES_PER_REASON:
            return None
        last = self._problems[reason] == LINES_PER_REASON
        return text + (f" (further {reason} problems: see the report)" if last else "")

    def _milestone(self, event: Event) -> str | None:
        match event:
            case RunStarted(run=run, job=job, groups=groups, resumed=resumed):
                return f"run {run} of job {job} {'resumed' if resumed else 'started'}, {count(groups, 'restore point')}"
            case MountOpened(vm=vm, backup_server=server, seconds=seconds):
                return f"mounted {vm} on {server} in {duration(seconds)}"
            case MountDeleted(vm=vm, open_seconds=seconds):
                return f"deleted the mount of {vm}, open for {duration(seconds)}"
            case GroupEnded(vm=vm, state=state, totals=totals, seconds=seconds):
                problems = totals.refused + totals.failed
                bad = f", {count(problems, 'problem')}" if problems else ""
                return f"{vm} {state}: {count(totals.files, 'file')}, {size(totals.bytes)}{bad}, {duration(seconds)}"
            case _:
                return None


def lines_lost(number: int) -> str:
    """What is shown where lines are missing."""
    return f"{count(number, 'line')} not shown: nobody took them"


class PlainProgress:
    """One plain line at most every LINE_SECONDS, and one for each milestone. For logs, pipes and cron mail."""

    def __init__(self, clock: Clock, stream: TextIO) -> None:
        self._clock = clock
        self._stream = stream
        self._tally = Tally()
        self._headlines = Headlines()
        self._last: datetime | None = None
        self._lines = Aside(self._write, "progress", gap=lambda number: self._stamped(lines_lost(number)))

    def __enter__(self) -> Self:
        self._lines.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tally.started is not None:
            self._show(progress_line(self._tally, self._clock()))
        self._lines.__exit__(kind, error, trace)

    def add(self, event: Event) -> None:
        self._tally.add(event)
        line = self._headlines.line(event, verbose=True)
        if line is not None:
            self._show(line)
        now = self._clock()
        if self._last is None:
            self._last = now
        if (now - self._last).total_seconds() >= LINE_SECONDS and not isinstance(event, RunEnded):
            self._last = now
            self._show(progress_line(self._tally, now))

    def _show(self, line: str) -> None:
        self._lines.add(self._stamped(line))

    def _stamped(self, line: str) -> str:
        stamp = self._clock().astimezone(UTC).strftime("%H:%M:%SZ")
        return f"{stamp} {visible(line)}\n"

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()
