"""What the commands share: global options, reading files, and plain words for every error."""

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TextIO, TypeVar

import typer

from orchestrator.config import Config, load_config
from orchestrator.core.errors import ExitCode, JobInvalid, OrchestratorError, WordsError
from orchestrator.core.job import read_job
from orchestrator.core.plan_document import is_document
from orchestrator.freezing import FrozenPlan, read_frozen
from orchestrator.listing import NamedJob
from orchestrator.views import visible
from orchestrator.views.log import Level

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

JOB_SIZE_LIMIT = 64 << 20
"""A job file larger than this is something else."""


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the command."""

    config_file: Path
    json: bool
    quiet: bool
    json_log: bool
    log_file: Path | None = None
    log_level: Level | None = None

    def config(self) -> Config:
        return load_config(self.config_file)


def say(text: str) -> None:
    """The result of a command, on stdout. WordsError when it cannot be written; a reader that has had enough
    (`| head`) is no error."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as cause:
        silence(sys.stdout)
        if cause.errno != errno.EPIPE:
            raise WordsError(what=f"standard output cannot be written: {cause.strerror}") from cause


def tell(text: str) -> None:
    """Anything else, on stderr, if anybody takes it."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")


def silence(stream: TextIO) -> None:
    """Let a stream that nobody takes end in nothing: what it still holds would spoil the exit code."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def plainly(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A command whose errors are one plain line and an exit code."""

    @functools.wraps(function)
    def command(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except OrchestratorError as error:
            complain(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            tell("stopped on request")
            raise typer.Exit(ExitCode.STOPPED) from None
        except BaseExceptionGroup as group:
            known, bugs = group.split(OrchestratorError)
            if bugs is not None or known is None:
                _confess()
                raise typer.Exit(ExitCode.BUG) from group
            first = next(iter(_leaves(known)))
            complain(first)
            raise typer.Exit(getattr(first, "exit_code", 1)) from group
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            _confess()
            raise typer.Exit(ExitCode.BUG) from error

    return command


def _confess() -> None:
    """A bug: everything that helps to find it, and then what it means for the operator."""
    traceback.print_exc(file=sys.stderr)
    tell("error: this is a bug in orchestrator; please report what stands above. A run that was going on can be")
    tell("continued with `orchestrator resume`; `orchestrator sweep` clears what it may have left mounted.")


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def complain(error: BaseException) -> None:
    """An error in plain words: one line, or one for each problem."""
    tell("error: " + "\n".join(visible(line.rstrip()) for line in str(error).split("\n")))


def read_jobs(files: Sequence[Path]) -> list[NamedJob]:
    """Every job file; WordsError with the problems of all of them."""
    return _each(files, _job)


def read_tasks(files: Sequence[Path]) -> list[NamedJob | FrozenPlan]:
    """Every job file, or plan that was frozen; WordsError with the problems of all of them."""
    return _each(files, _task)


def _job(content: bytes, file: Path) -> NamedJob:
    if is_document(content):
        raise JobInvalid(place=str(file), problems="is no job but JSON, such as a plan; only `run` takes a plan")
    return NamedJob(read_job(content, str(file)), str(file), content, file.parent)


def _task(content: bytes, file: Path) -> NamedJob | FrozenPlan:
    return read_frozen(content, str(file)) if is_document(content) else _job(content, file)


def _each(files: Sequence[Path], read: Callable[[bytes, Path], Result]) -> list[Result]:
    jobs: list[Result] = []
    problems: list[WordsError] = []
    for file in files:
        try:
            jobs.append(read(_content(file), file))
        except WordsError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise WordsError(what="\n".join(map(str, problems)))
    return jobs


def _content(file: Path) -> bytes:
    try:
        if file.is_dir():
            raise JobInvalid(place=str(file), problems="is a folder; name a job file")
        if file.stat().st_size > JOB_SIZE_LIMIT:
            raise JobInvalid(place=str(file), problems=f"is larger than {JOB_SIZE_LIMIT >> 20} MiB; is it a job file?")
        return file.read_bytes()
    except OSError as cause:
        raise JobInvalid(place=str(file), problems=f"cannot be read: {cause.strerror}") from cause
