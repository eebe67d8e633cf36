"""The command line: argv in, exit code out.

May touch: argv, environment, standard streams, the terminal, log set-up. Promises: one plain line for every error,
the documented exit codes, nothing but the asked-for output on stdout. Refuses: decisions; those are below.
"""

import io
import sys

from orchestrator.cli.commands import cli
from orchestrator.cli.speaking import silence
from orchestrator.core.errors import ExitCode

__all__ = ["main"]


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not fit the terminal's encoding
    try:
        cli()
    except KeyboardInterrupt:
        sys.exit(ExitCode.STOPPED)
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            silence(sys.stderr)
