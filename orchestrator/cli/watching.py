"""`orchestrator watch`, and what it says on a terminal."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.aside import Aside
from orchestrator.cli.listening import listening
from orchestrator.cli.measuring import WRITE_EVERY, measuring
from orchestrator.cli.progress import Headlines, lines_lost
from orchestrator.cli.recording import Recording
from orchestrator.cli.service import longest_silence, service_notifier
from orchestrator.cli.speaking import Globals
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import (
    DeadlineInDanger,
    DrillEnded,
    Event,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    QueuePaused,
    RunEnded,
    RunStarted,
    ScheduleMissed,
    WatcherReady,
)
from orchestrator.engine.serving import Companion
from orchestrator.resting import keep_memory_together
from orchestrator.views import visible
from orchestrator.views.units import count, duration, size
from orchestrator.watching import Remembered, Watch


def watch(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="End when nothing is left to do, instead of watching for ever.")
    ] = False,
    events: Annotated[
        Path | None, typer.Option("--events", metavar="FILE", help="Append every event as a JSON line.")
    ] = None,
) -> None:
    """Watch the drop folder: run every job file that is dropped into it, until it is told to stop.

    \b
    orchestrator watch
    orchestrator --log-format json watch
    orchestrator watch --once

    Drop a job into `incoming` below watch.folder. It moves to `active`, and at its end to `done` or `failed`, beside
    its report and one line that says how it went. A file that is no job is answered by FILE.rejected.txt.

    Ctrl-C (SIGTERM) once finishes the files in flight, twice gives them up. Either way every mount is deleted, and the
    jobs go on at the next start.
    """
    keep_memory_together()
    options: Globals = context.obj
    config = options.config()
    service = service_notifier(longest_silence(config.limits))
    record = Recording(options, config, "watch")
    with ExitStack() as stack:
        stack.enter_context(record)
        measures = stack.enter_context(measuring(config, every=WRITE_EVERY, scraped=config.web.wanted))
        taker = None if options.quiet or options.json_log else stack.enter_context(WatchLines(sys.stderr)).add
        listen = stack.enter_context(
            listening(
                quiet=options.quiet,
                json_log=options.json_log,
                events_file=events,
                service=service,
                instead=taker,
                log_level=options.log_level or config.log.level,
                more=[record.take, *measures.takers],
            )
        )
        record.speak_through(listen)
        watcher = Watch(config, listen)
        app = stack.enter_context(roof.opened(config, watcher.hear, [], watching=True))
        app.must_stop = record.must_stop
        measures.recall(Remembered(app))
        beside: list[Companion] = [service.pet_watchdog] if service else []
        if config.web.wanted:
            from orchestrator.showing import opened_page  # a web server and its templates, which not everybody wants

            exposition = measures.metrics.exposition if measures.metrics is not None else None
            shown = opened_page(config.web, app.journal, watcher, exposition, app.leases)
            beside.append(stack.enter_context(shown).serve)
        code = anyio.run(lambda: watcher.serve(app, once=once, beside=beside))
    code = record.settle(code)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


class WatchLines:
    """One plain line for each thing that happens to a job, and for each trouble. Quiet when all is well."""

    def __init__(self, stream: TextIO, clock: Callable[[], datetime] = roof.now) -> None:
        self._stream = stream
        self._clock = clock
        self._runs: dict[str, Headlines] = {}
        self._jobs: dict[str, str] = {}
        self._rest = Headlines()
        self._lines = Aside(self._write, "progress", gap=lambda number: self._stamped(lines_lost(number)))

    def __enter__(self) -> "WatchLines":
        self._lines.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.__exit__(None, None, None)

    def add(self, event: Event) -> None:
        """Take one event."""
        run = getattr(event, "run", "")
        if isinstance(event, RunStarted):
            self._runs[run] = Headlines()
            self._jobs[run] = event.job
        line = job_line(event) or self._runs.get(run, self._rest).line(event, verbose=False)
        if line is not None:
            job = self._jobs.get(run, "")
            self._lines.add(self._stamped(f"{job}: {line}" if job and not line.startswith(job) else line))
        if isinstance(event, RunEnded):
            self._runs.pop(run, None)
            self._jobs.pop(run, None)

    def _stamped(self, line: str) -> str:
        return f"{self._clock().astimezone(UTC):%Y-%m-%d %H:%M:%SZ} {visible(line)}\n"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def job_line(event: Event) -> str | None:
    """What is told of the watcher and its jobs, in one line; None for everything else."""
    match event:
        case WatcherReady(folder=folder):
            return f"watching {folder}{os.sep}incoming"
        case JobTaken(file=file, job=job, owner=owner):
            return f"{job}: taken from {file}" + (f" of {owner}" if owner else "")
        case JobRejected(file=file, message=message):
            what = message.removeprefix(f"{file}:").strip()
            return f"{file}: rejected, correct it and drop it again: {'; '.join(map(str.strip, what.splitlines()))}"
        case JobHeld(job=job, until=until, cause=cause):
            return f"{job}: waits: {cause}" + (f"; begins at {until:%Y-%m-%d %H:%M:%S} UTC" if until else "")
        case JobNotStarted(job=job, message=message):
            return f"{job}: not started: {message}"
        case JobEnded(job=job, folder=folder, line=line):
            return f"{job}: {folder or 'broken off'}: {line}"
        case ScheduleMissed(job=job, due=due, cause=cause):
            return f"{job}: the run that was due at {due:%Y-%m-%d %H:%M} UTC is left out: {cause}"
        case QueuePaused(paused=paused):
            return "paused: nothing new begins" if paused else "goes on"
        case DeadlineInDanger(job=job, deadline=deadline, forecast=forecast):
            ends = f"will end at about {forecast:%Y-%m-%d %H:%M} UTC"
            return f"{job}: {ends}, after its deadline {deadline:%Y-%m-%d %H:%M} UTC"
        case DrillEnded(job=job, groups=groups, files=files, bytes=total, seconds=seconds, differences=differences):
            return (
                f"{job}: drill: {count(groups, 'restore point')}, {count(files, 'file')}, {size(total)} restored in "
                f"{duration(seconds)}, {differences:,} differ"
            )
        case RunStarted(run=run, job=job, groups=groups, resumed=resumed):
            return f"{job}: run {run} {'goes on' if resumed else 'begins'}, {count(groups, 'restore point')}"
        case _:
            return None
