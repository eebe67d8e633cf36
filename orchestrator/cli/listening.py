"""Where events go: progress on the terminal, JSON log lines, an events file. What may block does so aside."""

import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

import structlog

from orchestrator.app import Listen, now
from orchestrator.cli.appending import AppendedFile
from orchestrator.cli.aside import LOSSLESS, Aside
from orchestrator.cli.progress import make_progress
from orchestrator.cli.service import Service, service_notifier
from orchestrator.core.errors import WordsError
from orchestrator.core.events import Event, Notice
from orchestrator.views import event_json, log_line
from orchestrator.views.units import count

_SECRETS = (
    (re.compile(r"(logonsessions/)[^/?#\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(x-restsvcsessionid[\"']?\s*[:=]\s*)[^\s;,\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(\bbasic\s+)[A-Za-z0-9+/=]{8,}", re.IGNORECASE), r"\1***"),
)


def mask(text: str) -> str:
    """`text` without what would open a logon session. Events hold no secret; this is the last line of defence."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _mask_event(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: mask(value) if isinstance(value, str) else value for key, value in event.items()}


@contextmanager
def listening(
    *,
    quiet: bool,
    json_log: bool,
    events_file: Path | None,
    service: Service | None = None,
    instead: Listen | None = None,
    more: Sequence[Listen] = (),
) -> Iterator[Listen]:
    """What takes the events of a command, until it ends. `service`: one that the command pets itself; `instead`: what
    shows progress in the place of the usual; `more`: takers that the command opens and closes itself."""
    with ExitStack() as stack:
        takers: list[Listen] = []
        if events_file is not None:
            takers.append(stack.enter_context(_to_file(events_file)).add)
        if json_log:
            takers.append(stack.enter_context(Aside(_to_log(sys.stderr), "log on stderr", gap=_events_lost)).add)
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


def _events_lost(number: int) -> Event:
    return Notice(now(), f"{count(number, 'event')} missing here: they came faster than they could be written")


def _to_file(file: Path) -> Aside[Event]:
    """A file that cannot be written any more is told of once; it is no reason to end a run."""
    try:
        appended = AppendedFile(file)
    except OSError as cause:
        raise WordsError(what=f"--events {file}: cannot be written: {cause.strerror}") from cause
    return Aside(
        lambda event: appended.write(event_json(event) + "\n"),
        f"--events {file}",
        gap=_events_lost,
        patience=LOSSLESS,
        close=appended.close,
    )


def _to_log(stream: TextIO) -> Listen:
    log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask_event,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )

    def take(event: Event) -> None:
        level, message, values = log_line(event)
        with suppress(OSError, ValueError):  # a log that nobody takes ends the logging, never the run
            log.log(getattr(logging, level.upper()), message, **values)

    return take
