"""The command line: argv in, exit code out.

May touch: argv, environment, standard streams, the terminal, log set-up. Promises: one plain line for every error,
the documented exit codes, nothing but the asked-for output on stdout. Refuses: decisions; those are below.
"""

import gc
import os

__all__ = ["main"]


def main() -> None:
    """The console script."""
    # Without its own lists in C++ aiohttp uses the same ones in Python: short lists, and a library of 1 MB less.
    os.environ.setdefault("FROZENLIST_NO_EXTENSIONS", "1")
    # What is imported stays until the end. To search it for garbage would take a third of the start, and more later.
    gc.disable()  # until the command is imported
    from orchestrator.cli.program import run

    run()
