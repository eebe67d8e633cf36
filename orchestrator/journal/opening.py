"""Opening the database: folder, file modes, settings, schema version, migrations."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from orchestrator.core.errors import SchemaUnknown, StateUnusable
from orchestrator.journal.statements import SCHEMA

SCHEMA_VERSION = 1

MIGRATIONS: Mapping[int, str] = {}
"""The script that takes schema N to N + 1, by N."""

FILE_NAME = "journal.db"
BUSY_SECONDS = 10.0


def connect(folder: Path, *, read_only: bool) -> sqlite3.Connection:
    """The journal below `folder`, at the schema this version knows. StateUnusable, SchemaUnknown.

    Any thread may use it, one at a time: the caller sees to that.
    """
    file = folder / FILE_NAME
    try:
        if read_only:
            if not file.exists():
                raise StateUnusable(folder=folder, cause="there is no journal; no run has been made with it yet")
            connection = _open(f"{file.absolute().as_uri()}?mode=ro")
        else:
            _create(file)
            connection = _open(f"{file.absolute().as_uri()}?mode=rw")
    except (OSError, sqlite3.Error) as cause:
        raise StateUnusable(folder=folder, cause=_plain(cause)) from cause
    try:
        _prepare(connection, folder, read_only)
    except sqlite3.Error as cause:
        connection.close()
        raise StateUnusable(folder=folder, cause=_plain(cause)) from cause
    except BaseException:
        connection.close()
        raise
    return connection


def _create(file: Path) -> None:
    """The file is the operator's alone: it holds sealed tokens and every path that was restored."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))


def _open(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection, folder: Path, read_only: bool) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise SchemaUnknown(folder=folder, found=found, known=SCHEMA_VERSION)
    if read_only:
        if found < SCHEMA_VERSION:
            raise SchemaUnknown(folder=folder, found=found, known=SCHEMA_VERSION)
        return
    # FULL: what EM holds is written ahead, so a power cut must not take it. Outcomes come in batches and can pay too.
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {setting}")
    migrate(connection, found)


def migrate(connection: sqlite3.Connection, found: int, migrations: Mapping[int, str] = MIGRATIONS) -> None:
    """Bring schema `found` (0: an empty file) to SCHEMA_VERSION, all of it or nothing."""
    if found == SCHEMA_VERSION:
        return
    steps = [SCHEMA] if found == 0 else [migrations[number] for number in range(found, SCHEMA_VERSION)]
    script = "\n".join(steps)
    connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;")


def _plain(cause: Exception) -> str:
    if isinstance(cause, OSError):
        return cause.strerror or str(cause)
    if "not a database" in str(cause) or "malformed" in str(cause):
        return f"{FILE_NAME} is damaged ({cause}); move it away to start a new one, but sweep its mounts by hand"
    return str(cause)
