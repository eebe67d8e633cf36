"""Progress on stderr: live bars for a terminal, a line now and then for anything else, or nothing.

`add` is called on the event loop for every event and never writes itself: a paused terminal (Ctrl-S) or a pipe that
nobody reads must not stop the run that holds the mounts. What does not fit meanwhile is counted and told.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.aside import Aside
from orchestrator.core.events import (
    Event,
    FileProblem,
    GroupEnded,
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
)
from orchestrator.core.tally import GroupTally, Tally
from orchestrator.views.limits import change_line
from orchestrator.views.log import progress_line
from orchestrator.views.units import count, duration, rate, size, visible

Clock = Callable[[], datetime]

BARS_SHOWN = 12
"""More mount groups than this are summed up in one line; a terminal has 24 lines at least."""

REFRESH_SECONDS = 0.25
LINE_SECONDS = 5.0
LINES_WAITING = 200
LINES_PER_REASON = 5
"""Problem lines shown for each reason; the report has them all, and a full disk makes millions."""

CLOSING_SECONDS = 2.0
"""How long the end of a run waits for a terminal that does not take its last lines."""


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
    return LiveProgress(clock, stream) if console_is_terminal else PlainProgress(clock, stream)


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
            case Notice(message=message):
                return message
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


class LiveProgress:
    """Bars that are redrawn a few times a second, with problems printed above them.

    Everything that writes to the terminal runs in one thread of its own, and the lock is only held to fold an event
    or to take a picture, never while writing: a terminal that does not take its output stops nothing else.
    """

    def __init__(self, clock: Clock, stream: TextIO, width: int | None = None) -> None:
        self._clock = clock
        self._console = Console(file=stream, force_terminal=True, width=width, highlight=False, markup=False)
        self._lock = threading.Lock()
        self._tally = Tally()
        self._headlines = Headlines()
        self._lines: deque[str] = deque(maxlen=LINES_WAITING)
        self._lost = 0
        self._over = threading.Event()
        self._painter = threading.Thread(target=self._paint, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._painter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._painter.join(CLOSING_SECONDS)

    def add(self, event: Event) -> None:
        with self._lock:
            self._tally.add(event)
            line = self._headlines.line(event, verbose=False)
            if line is not None:
                self._lost += len(self._lines) == LINES_WAITING
                self._lines.append(line)

    def _paint(self) -> None:
        try:
            with Live(console=self._console, auto_refresh=False, redirect_stdout=False) as live:
                while not self._over.wait(REFRESH_SECONDS):
                    self._show(live)
                self._show(live)
        except (OSError, ValueError):
            return  # the terminal is gone; the run goes on without it

    def _show(self, live: Live) -> None:
        with self._lock:
            lines = [lines_lost(self._lost)] if self._lost else []
            lines += [self._lines.popleft() for _ in range(len(self._lines))]
            self._lost = 0
            picture = screen(self._tally, self._clock())
        for line in lines:
            self._console.print(Text(visible(line)), soft_wrap=True)
        live.update(picture, refresh=True)


def screen(tally: Tally, now: datetime) -> RenderableType:
    """What the live display shows: the whole run, then a bar for each active mount group, newest last."""
    active = [(name, group) for name, group in tally.groups.items() if group.state in ("mounting", "copying")]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=28)
    grid.add_column(width=24)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for name, group in active[:BARS_SHOWN]:
        grid.add_row(*_bar(group, tally.group_bytes_done(name)))
    parts: list[RenderableType] = [grid] if active else []
    rest = active[BARS_SHOWN:]
    if rest:
        files = sum(group.totals.files for _, group in rest)
        done = sum(tally.group_bytes_done(name) for name, _ in rest)
        text = f"and {count(len(rest), 'more machine')}: {count(files, 'file')}, {size(done)}"
        parts.append(Text(text, style="dim"))
    return Group(*parts, *_summary(tally, now))


def _bar(group: GroupTally, done: int) -> tuple[RenderableType, ...]:
    name = Text(visible(group.vm))
    if group.state == "mounting":
        return name, Text("mounting", style="dim"), Text(""), Text(visible(group.backup_server), style="dim")
    # Until the walk is complete the whole is not known, and a bar that runs backwards is worse than none.
    bar: RenderableType = Text("listing files", style="dim")
    share = ""
    if group.scanned:
        files = (group.totals.files, group.files)
        part, whole = (done, group.bytes) if group.bytes else files
        bar = ProgressBar(total=max(whole, 1), completed=min(part, whole) if whole else 1, width=24)
        share = f"{100 * min(part, whole) // whole}%" if whole else "100%"
    text = f"{group.totals.files:,}/{group.files:,} files, {size(done)}/{size(group.bytes)}"
    return name, bar, Text(share), Text(text)


def _summary(tally: Tally, now: datetime) -> list[RenderableType]:
    files_rate, bytes_rate = tally.rate(now)
    left = tally.eta(now)
    totals = tally.totals
    bad = totals.refused + totals.failed
    ran = "paused, " if tally.paused else ""
    ran += duration((now - tally.started).total_seconds()) if tally.started else "-"
    first = (
        f"{tally.ended}/{tally.planned} restore points   {tally.files_done:,}/{tally.files_found:,} files   "
        f"{size(tally.bytes_done)}/{size(tally.bytes_found)}   {rate(bytes_rate)}, {files_rate:,.0f} files/s"
    )
    second = f"running {ran}   to go {duration(left) if left is not None else 'unknown'}   "
    second += f"mounts open {tally.mounts_open}"
    lines: list[RenderableType] = [Text(first, style="bold"), Text(second)]
    if tally.bandwidth:
        lines.append(Text(f"bandwidth limited to {tally.bandwidth}", style="dim"))
    if bad:
        lines.append(Text(f"{count(bad, 'file')} refused or failed", style="yellow"))
    if tally.mounts_left:
        text = f"{count(tally.mounts_left, 'mount')} could not be deleted; `orchestrator sweep` tries again"
        lines.append(Text(text, style="bold red"))
    return lines
