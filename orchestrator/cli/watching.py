"""`orchestrator watch`, and how others speak with it: by files in the state folder."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.aside import Aside
from orchestrator.cli.limiting import pause_run
from orchestrator.cli.listening import listening
from orchestrator.cli.measuring import WRITE_EVERY, measuring
from orchestrator.cli.progress import Headlines, lines_lost
from orchestrator.cli.recording import Recording, enter_command
from orchestrator.cli.service import longest_silence, service_notifier
from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.standing import mounts_left
from orchestrator.core.errors import ExitCode, WordsError
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
from orchestrator.core.ledger import RunState
from orchestrator.engine.serving import Companion
from orchestrator.resting import keep_memory_together
from orchestrator.views import queue_json, queue_text, visible
from orchestrator.views.units import count, duration, size
from orchestrator.watching import Watch, queue_of

TAKEN_WITHIN = 5.0
"""Seconds in which the orchestrator that is running takes a word; it looks every second."""

LOOK_EVERY = 0.05


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
        measures.recall(app.journal)
        beside: list[Companion] = [service.pet_watchdog] if service else []
        if config.web.wanted:
            from orchestrator.showing import opened_page  # a web server and its templates, which not everybody wants

            exposition = measures.metrics.exposition if measures.metrics is not None else None
            shown = opened_page(config.web, app.journal, watcher, exposition)
            beside.append(stack.enter_context(shown).serve)
        code = anyio.run(lambda: watcher.serve(app, once=once, beside=beside))
    code = record.settle(code)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def queue(context: typer.Context) -> None:
    """Show the jobs that were dropped and have not ended: running, waiting, held and why, recurring and when.

    \b
    orchestrator queue
    orchestrator --json queue
    """
    options: Globals = context.obj
    config = options.config()
    with roof.reading(config) as journal:
        lines, paused = queue_of(config, journal)
    say(queue_json(lines, paused) if options.json else queue_text(lines, paused))


def pause(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run; without it, the watcher.")] = None,
) -> None:
    """Let the watcher begin nothing new: no job, no mount. What is mounted goes on to its end. Kept over restarts.

    \b
    orchestrator pause
    orchestrator pause incident-4711-20261123T031500Z

    With RUN only that run is paused, of a watcher or by hand: it begins no file and no mount, holds large files where
    they are, and keeps its mounts open. That ends with its process: a run that is resumed is not paused.
    """
    if run is not None:
        pause_run(context.obj, run, paused=True)
        return
    ask(context.obj, "pause", "paused: nothing new begins; `orchestrator unpause` goes on")


def unpause(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run; without it, the watcher.")] = None,
) -> None:
    """Let the watcher go on, or one run.

    \b
    orchestrator unpause
    orchestrator unpause incident-4711-20261123T031500Z
    """
    if run is not None:
        pause_run(context.obj, run, paused=False)
        return
    ask(context.obj, "unpause", "goes on")


def stop(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run of the watcher; without it, all.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Give up the files in flight too.")] = False,
) -> None:
    """Ask the orchestrator that uses this state folder to stop, or only one of its runs. The mounts are deleted.

    \b
    orchestrator stop
    orchestrator stop incident-4711-20261123T031500Z
    orchestrator stop --now incident-4711-20261123T031500Z
    """
    options: Globals = context.obj
    if run is None:
        ask(options, "stop", "stops as soon as every mount is deleted")
        return
    with roof.reading(options.config()) as journal:
        state = journal.run(run).state
        dropped = any(one.run == run for one in journal.unfinished_drops())
    if state is not RunState.RUNNING:
        raise WordsError(what=f"run {run} is not going on, it is {state.value}; `orchestrator status` lists the runs")
    if dropped:
        word = f"{'cancel' if now else 'drain'}.{run}"
        ask(options, word, f"{run} stops; its job ends in failed, and continues when it is dropped with again = true")
    elif now:
        raise WordsError(what=f"{run} is no run of a watcher; `orchestrator stop`, twice, gives up its files in flight")
    else:
        ask(options, "stop", f"{run} stops; `orchestrator resume {run}` continues it")


def ask_to_sweep(options: Globals, within: float) -> None:
    """Let the watcher sweep, and wait for that up to `within` seconds. Exit code 7 when a mount is left then."""
    ask(options, "sweep", "the watcher sweeps as soon as no job runs")
    until = time.monotonic() + within
    with roof.reading(options.config()) as journal:
        while (left := mounts_left(journal, journal.runs(), somebody=True)) and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
    say(f"mounts left {len(left)}")
    if left:
        raise typer.Exit(ExitCode.MOUNTS_LEFT)


class NobodyListens(WordsError):
    """{what}"""


def ask(options: Globals, word: str, answer: str) -> None:
    """Leave a word for the orchestrator that has the state folder, and answer when it has taken it. WordsError when
    there is none, NobodyListens when it takes none."""
    config = options.config()
    folder = config.state.folder
    if not roof.is_locked(folder):
        raise WordsError(what=f"no orchestrator is running on {folder}; nothing to tell it")
    file = folder / word
    try:
        file.touch()
        if not _taken(file):
            file.unlink(missing_ok=True)
            raise NobodyListens(
                what=f"the orchestrator that is running on {folder} does not listen to `{word}`: it is no watcher, or "
                f"it hangs; `orchestrator status` shows what goes on{_of_one_run(word)}"
            )
    except OSError as cause:
        raise WordsError(what=f"{file}: cannot be written: {cause.strerror}") from cause
    enter_command(config, word)
    say(answer)


def _of_one_run(word: str) -> str:
    return f", and `orchestrator {word} RUN` is for one run" if word in ("pause", "unpause", "stop") else ""


def _taken(file: Path) -> bool:
    """Whether somebody removes `file` in time."""
    until = time.monotonic() + TAKEN_WITHIN
    while file.exists():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY)
    return True


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
