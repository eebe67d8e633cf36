"""What the commands share: global options, and plain words for every error."""

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TextIO, TypeVar

import typer

from orchestrator.core.errors import ExitCode, OrchestratorError, WordsError
from orchestrator.core.levels import Level

if TYPE_CHECKING:
    from orchestrator.config import Config

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the command."""

    config_file: Path
    json: bool
    quiet: bool
    json_log: bool
    log_file: Path | None = None
    log_level: Level | None = None

    def config(self) -> "Config":
        from orchestrator.config import load_config  # and pydantic with it, which no page of help needs

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
    from orchestrator.views import visible  # and all views with it, which no page of help needs

    tell("error: " + "\n".join(visible(line.rstrip()) for line in str(error).split("\n")))
