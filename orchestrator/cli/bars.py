"""Live bars on a terminal. Loaded only where there is one."""

import threading
from collections import deque
from datetime import datetime
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.progress import Clock, Headlines, lines_lost
from orchestrator.core.events import Event
from orchestrator.core.tally import GroupTally, Tally
from orchestrator.views.log import site_lines
from orchestrator.views.units import count, duration, rate, size, visible

BARS_SHOWN = 12
"""More mount groups than this are summed up in one line; a terminal has 24 lines at least."""

REFRESH_SECONDS = 0.25
LINES_WAITING = 200

CLOSING_SECONDS = 2.0
"""How long the end of a run waits for a terminal that does not take its last lines."""


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
    lines += [Text(visible(line), style="dim") for line in site_lines(tally)]
    if tally.stuck:
        lines.append(Text(f"{count(tally.stuck, 'restore point')} that no worker can take", style="yellow"))
    if bad:
        lines.append(Text(f"{count(bad, 'file')} refused or failed", style="yellow"))
    if tally.mounts_left:
        text = f"{count(tally.mounts_left, 'mount')} could not be deleted; `orchestrator sweep` tries again"
        lines.append(Text(text, style="bold red"))
    return lines
