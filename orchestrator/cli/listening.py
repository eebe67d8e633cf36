"""Where events go: progress on the terminal, JSON log lines, an events file. What may block does so aside."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from orchestrator.app import Listen, now
from orchestrator.cli.appending import AppendedFile
from orchestrator.cli.aside import LOSSLESS, Aside
from orchestrator.cli.logs import json_lines
from orchestrator.cli.missing import events_lost
from orchestrator.cli.progress import make_progress
from orchestrator.cli.service import Service, service_notifier
from orchestrator.core.errors import WordsError
from orchestrator.core.events import Event
from orchestrator.core.levels import Level
from orchestrator.views import event_json


@contextmanager
def listening(
    *,
    quiet: bool,
    json_log: bool,
    events_file: Path | None,
    service: Service | None = None,
    instead: Listen | None = None,
    log_level: Level = "info",
    more: Sequence[Listen] = (),
) -> Iterator[Listen]:
    """What takes the events of a command, until it ends. `service`: one that the command pets itself; `instead`: what
    shows progress in the place of the usual; `more`: takers that the command opens and closes itself."""
    with ExitStack() as stack:
        takers: list[Listen] = []
        if events_file is not None:
            takers.append(stack.enter_context(_to_file(events_file)).add)
        if json_log:
            takers.append(
                stack.enter_context(Aside(_to_log(sys.stderr, log_level), "log on stderr", gap=events_lost)).add
            )
        elif instead is not None:
            takers.append(instead)
        else:
            takers.append(stack.enter_context(make_progress(sys.stderr.isatty(), quiet, now, sys.stderr)).add)
        if service := service or service_notifier():
            takers.append(service.take)
        takers.extend(more)

        def listen(event: Event) -> None:
            for take in takers:
                take(event)

        yield listen


def _to_file(file: Path) -> Aside[Event]:
    """A file that cannot be written any more is told of once; it is no reason to end a run."""
    try:
        appended = AppendedFile(file)
    except OSError as cause:
        raise WordsError(what=f"--events {file}: cannot be written: {cause.strerror}") from cause
    return Aside(
        lambda event: appended.write(event_json(event) + "\n"),
        f"--events {file}",
        gap=events_lost,
        patience=LOSSLESS,
        close=appended.close,
    )


def _to_log(stream: TextIO, level: Level) -> Listen:
    def write(line: str) -> None:
        with suppress(OSError, ValueError):  # a log that nobody takes ends the logging, never the run
            stream.write(line + "\n")
            stream.flush()

    return json_lines(write, level)
