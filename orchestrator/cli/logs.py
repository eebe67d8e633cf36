"""Log lines as JSON, and the file they are appended to."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.app import Listen
from orchestrator.cli.appending import AppendedFile
from orchestrator.cli.aside import LOSSLESS, Aside
from orchestrator.cli.masking import mask
from orchestrator.cli.missing import events_lost
from orchestrator.cli.speaking import Globals
from orchestrator.core.audit import utc
from orchestrator.core.errors import WordsError
from orchestrator.core.events import Event
from orchestrator.core.levels import Level
from orchestrator.records import LogSettings
from orchestrator.views import LogLines

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger


def json_lines(write: Callable[[str], None], level: Level) -> Listen:
    """What takes events and writes each that is of `level` or above as one line of JSON, with the time of the event."""
    import structlog  # and rich with it; nothing for who has lines on a terminal only

    log: FilteringBoundLogger = structlog.wrap_logger(
        _Writer(write),
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        processors=[
            structlog.processors.add_log_level,
            _masked,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )
    lines = LogLines()

    def take(event: Event) -> None:
        its_level, message, values = lines.line(event)
        log.log(_number(its_level), message, timestamp=utc(event.at), **values)

    return take


def _number(level: Level) -> int:
    return int(getattr(logging, level.upper()))


class _Writer:
    """What structlog writes to: one line, whatever its level."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = write


def _masked(_: object, __: str, event: "EventDict") -> "EventDict":
    return {key: _mask(value) for key, value in event.items()}


def _mask(value: Any) -> Any:
    if isinstance(value, list):
        return [_mask(one) for one in value]
    return mask(value) if isinstance(value, str) else value


class LogFile:
    """A file that log lines are appended to. Each line is tried: `told` hears once when the file cannot be written, and
    once (None) when it can be again."""

    def __init__(self, path: Path, told: Callable[[str | None], None]) -> None:
        """OSError when it cannot be opened."""
        self._file = AppendedFile(path)
        self._told = told
        self._failing = False

    def write(self, line: str) -> None:
        """Append one line. Raises nothing."""
        try:
            self._file.write(f"{line}\n")
        except OSError as error:
            if not self._failing:
                self._told(error.strerror or str(error))
            self._failing = True
            return
        if self._failing:
            self._told(None)
        self._failing = False

    def close(self) -> None:
        """Harmless when it is closed."""
        self._file.close()


def file_log(options: Globals, settings: LogSettings, told: Callable[[str], None]) -> Aside[Event] | None:
    """The log file that the command line or the config names, if one does. `told` hears when it cannot be written.
    WordsError when it cannot be opened."""
    path = options.log_file or settings.file
    if path is None:
        return None

    def words(cause: str | None) -> None:
        told(f"{path} is written again" if cause is None else f"{path}: cannot be written: {cause}; tried again")

    try:
        file = LogFile(path, words)
    except OSError as cause:
        named = "--log-file" if options.log_file is not None else "log.file"
        raise WordsError(what=f"{named} {path}: cannot be written: {cause.strerror}") from cause
    take = json_lines(file.write, options.log_level or settings.level)
    return Aside(take, f"log {path}", gap=events_lost, patience=LOSSLESS, close=file.close)
