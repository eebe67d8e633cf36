"""The command line as a program: streams that take any text, the exit code, and an end that no thread can hold up."""

import io
import os
import sys
import threading
import time
from functools import partial
from typing import TextIO

from orchestrator.cli.aside import bounded
from orchestrator.cli.commands import cli
from orchestrator.cli.speaking import silence
from orchestrator.core.errors import ExitCode

WAIT_FOR_THREADS = 2.0
"""Seconds that threads get to end by themselves; one that reads from a dead share, or writes to a pipe that nobody
reads, never will."""


def run() -> None:
    """One command, from argv to the exit code of the process. Does not return."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not fit the terminal's encoding
    try:
        cli()
        code = int(ExitCode.OK)
    except KeyboardInterrupt:
        code = int(ExitCode.STOPPED)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    for stream in (sys.stdout, sys.stderr):
        bounded(partial(_flush, stream), WAIT_FOR_THREADS)
    if _somebody_hangs():
        os._exit(code)  # the interpreter would wait for ever
    sys.exit(code)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        silence(stream)


def _somebody_hangs() -> bool:
    until = time.monotonic() + WAIT_FOR_THREADS
    others = [one for one in threading.enumerate() if one is not threading.current_thread()]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    return any(thread.is_alive() for thread in others)
