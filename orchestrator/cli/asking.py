"""`orchestrator pause`, `unpause` and `stop`: who is at work on the state folder is spoken with by files in it."""

import time
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.limiting import pause_run
from orchestrator.cli.recording import enter_command
from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.standing import mounts_left
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.core.ledger import RunState
from orchestrator.journal import is_locked
from orchestrator.opening import reading
from orchestrator.own_jobs import own_jobs

TAKEN_WITHIN = 5.0
"""Seconds in which the orchestrator that is running takes a word; it looks every second."""

LOOK_EVERY = 0.05


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
    config = options.config()
    with reading(config) as journal:
        state = journal.run(run).state
        dropped = any(one.run == run for one in own_jobs(config, journal).unfinished_drops())
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
    until, config = time.monotonic() + within, options.config()
    with reading(config) as journal:
        while (left := mounts_left(config, journal, journal.runs(), somebody=True)) and time.monotonic() < until:
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
    if not is_locked(folder):
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
