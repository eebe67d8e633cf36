"""The command line: argv in, exit code out.

May touch: argv, environment, standard streams, the terminal, log set-up. Promises: one plain line for every error,
the documented exit codes, nothing but the asked-for output on stdout. Refuses: decisions; those are below.
"""

import sys

from orchestrator.cli.commands import cli
from orchestrator.core.errors import ExitCode

__all__ = ["main"]


def main() -> None:
    """The console script."""
    try:
        cli()
    except KeyboardInterrupt:
        sys.exit(ExitCode.STOPPED)
