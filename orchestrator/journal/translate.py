"""SQLite's errors in the words of the package: the only place that knows its error names.

Source of the names: "Result and Error Codes" of the SQLite documentation.
"""

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.core.causes import plain_cause
from orchestrator.core.errors import StateUnusable

_CAUSES = {
    "SQLITE_FULL": "the disk is full; make room",
    "SQLITE_CORRUPT": "journal.db is damaged; move it away (leases in it can no longer be swept) and start anew",
    "SQLITE_NOTADB": "journal.db is no journal; move it away",
    "SQLITE_READONLY": "journal.db cannot be written",
    "SQLITE_BUSY": "journal.db is locked by another program; close it",
    "SQLITE_LOCKED": "journal.db is locked by another program; close it",
    "SQLITE_IOERR": "the disk failed while journal.db was read or written",
    "SQLITE_CANTOPEN": "journal.db cannot be opened; check the rights on it and on its folder",
    "SQLITE_PERM": "journal.db may not be opened; check the rights on it",
    "SQLITE_AUTH": "journal.db may not be opened; check the rights on it",
    "SQLITE_ERROR": "journal.db has not the tables of a journal; move it away",
}


class Translating:
    """A block in which every error of SQLite and of the system leaves as StateUnusable."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            raise StateUnusable(folder=self._folder, cause=cause_of(error)) from error
        if isinstance(error, OSError):
            what = f"{os.path.basename(error.filename)}: " if isinstance(error.filename, str) else ""
            cause = f"{what}{plain_cause(error)}; it must be a writable folder on a local disk"
            raise StateUnusable(folder=self._folder, cause=cause) from error


def cause_of(error: sqlite3.Error) -> str:
    """A plain cause, with what SQLite says."""
    name = getattr(error, "sqlite_errorname", None) or ""
    plain = next((cause for known, cause in _CAUSES.items() if name.startswith(known)), "the journal failed")
    return f"{plain} ({error})"
