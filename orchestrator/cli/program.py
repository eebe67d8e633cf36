"""The command line as a program: streams that take any text, the exit code, and an end that no thread can hold up."""

import io
import os
import re
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import TextIO

from orchestrator.cli.aside import bounded
from orchestrator.cli.commands import cli
from orchestrator.cli.speaking import complain, silence
from orchestrator.core.errors import ExitCode, WordsError

_WITH_PASSWORD = re.compile(
    r"postgres(ql)?://[^/?#@\s]*:[^/?#\s]*@|postgres(ql)?://\S*[?&]password=|\b(host|dbname)\s*=.*\bpassword\s*=|"
    r"\bpassword\s*=.*\b(host|dbname)\s*=",
    re.IGNORECASE,
)

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
        refuse_secrets(sys.argv[1:])
        cli()
        code = int(ExitCode.OK)
    except WordsError as error:
        complain(error)
        code = int(error.exit_code)
    except KeyboardInterrupt:
        code = int(ExitCode.STOPPED)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    for stream in (sys.stdout, sys.stderr):
        bounded(partial(_flush, stream), WAIT_FOR_THREADS)
    if _somebody_hangs():
        os._exit(code)  # the interpreter would wait for ever
    sys.exit(code)


def refuse_secrets(words: Sequence[str]) -> None:
    """WordsError for the address of a database with a password in it, before anybody repeats it."""
    if any(_WITH_PASSWORD.search(word) for word in words):
        raise WordsError(
            what="a password on the command line is seen by everybody on this machine, and stays in the history of the "
            "shell: change it. Write the address without it under dsn in [fleet], and give it there by password_env, "
            "password_file or password_credential"
        )


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
