"""Bringing a journal to the schema this version knows. The number is SQLite's `user_version`.

To change the schema: change schema.sql, count KNOWN up, and add what leads there from the version before.
A step is never changed once it has been released: it leads to the schema of its own version, not to that of today.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from orchestrator.core.errors import SchemaOutdated, SchemaUnknown, StateUnusable
from orchestrator.journal.queries import PACKAGE, SCHEMA
from orchestrator.ledgers import resource

KNOWN = 5

STEPS: Mapping[int, str] = {version: resource(PACKAGE, f"step_{version}.sql") for version in range(2, KNOWN + 1)}
"""By the version it leads to: the statements that lead there from the one before."""

EMPTY = "it holds no journal; no run has been started with it, or its disk is not mounted"


def version_of(connection: sqlite3.Connection) -> int:
    """The schema a database has; 0 for a new one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, folder: Path, *, known: int = KNOWN, steps: Mapping[int, str] = STEPS
) -> None:
    """Make the schema, or bring it up to date, each version in a transaction of its own.

    SchemaUnknown for a newer one; StateUnusable when the file is the database of another program.
    """
    found = version_of(connection)
    if found > known:
        raise SchemaUnknown(folder=folder, found=found, known=known)
    if found == 0:
        _refuse_foreign(connection, folder)
        _apply(connection, SCHEMA, known)
        return
    for version in range(found + 1, known + 1):
        _apply(connection, steps[version], version)


def check(connection: sqlite3.Connection, folder: Path) -> None:
    """For a journal that is only read: SchemaUnknown for a newer schema, SchemaOutdated for an older one;
    StateUnusable when it is none."""
    found = version_of(connection)
    if found > KNOWN:
        raise SchemaUnknown(folder=folder, found=found, known=KNOWN)
    if found == 0:
        _refuse_foreign(connection, folder)
        raise StateUnusable(folder=folder, cause=EMPTY)
    if found < KNOWN:
        raise SchemaOutdated(folder=folder, found=found, known=KNOWN)


def _refuse_foreign(connection: sqlite3.Connection, folder: Path) -> None:
    """A database without a version is a new one, or not ours."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StateUnusable(folder=folder, cause="journal.db is the database of another program; move it away")


def _apply(connection: sqlite3.Connection, statements: str, version: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {version};\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
