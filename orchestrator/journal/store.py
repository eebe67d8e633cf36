"""The database itself: one connection, its transactions, and how durable each is."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.core.errors import RunUnknown, StateUnusable
from orchestrator.journal.migrate import EMPTY, check, migrate
from orchestrator.journal.notation import all_stored, stored
from orchestrator.journal.queries import QUERIES
from orchestrator.journal.translate import Translating
from orchestrator.ledgers import Parameters

Result = TypeVar("Result")

FILE = "journal.db"
PAGE = 500
"""Rows fetched at once when a result is streamed."""

UNSHARED = "its file system cannot share memory between processes; it must be a folder on a local disk"

ROWS_AT_ONCE = 64
"""Rows inserted by one statement. A statement for each row gives up the interpreter's lock for each row, and waits for
the copying threads to give it back."""

BUSY_SECONDS = 5.0
"""How long a write waits for another program that holds the file, such as a backup of it."""


class Store:
    """One connection. Any thread may call, but never two at once: the engine sees to that.

    Every error of SQLite leaves as StateUnusable, and the transaction it happened in is rolled back.
    """

    def __init__(self, folder: Path, *, read_only: bool) -> None:
        self.folder = folder
        with Translating(folder):
            self._connection = _connect(folder, read_only)
        self._run_keys: dict[str, int] = {}
        self._log_to_empty = False

    @property
    def place(self) -> str:
        """The folder, for messages."""
        return str(self.folder)

    def close(self) -> None:
        """Close the file. Harmless when it is closed."""
        with Translating(self.folder):
            try:
                if self._log_to_empty:
                    self._empty_log()
                self._log_to_empty = False
            finally:
                self._connection.close()

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Every row of a query."""
        with Translating(self.folder):
            return self._connection.execute(QUERIES[query], all_stored(parameters)).fetchall()

    def stream(self, query: str, **parameters: Any) -> Iterator[Any]:
        """The rows of a query in pages, by a cursor of their own; closing the iterator frees it."""
        with Translating(self.folder):
            cursor = self._connection.execute(QUERIES[query], all_stored(parameters))
        try:
            while True:
                with Translating(self.folder):
                    page = cursor.fetchmany(PAGE)
                if not page:
                    return
                yield from page
        finally:
            cursor.close()

    def write(self, query: str, parameters: Parameters) -> int:
        """One statement, on the disk when it returns; the number of rows it changed."""
        with self._transaction(durable=True):
            return self._connection.execute(QUERIES[query], all_stored(parameters)).rowcount

    def write_all(self, statements: Iterable[tuple[str, Parameters]]) -> None:
        """Several statements in one transaction, on the disk when it returns."""
        with self._transaction(durable=True):
            for query, parameters in statements:
                self._connection.execute(QUERIES[query], all_stored(parameters))

    def batch(self, work: Callable[["Batch"], Result]) -> Result:
        """One transaction for many rows, which a power cut may take away as a whole.

        That is enough for outcomes: the files they tell of are proved from the disk when the run is resumed, and a
        flush for each batch would cost more than the batch. A killed process loses nothing.
        """
        with self._transaction(durable=False):
            return work(Batch(self._connection))

    def run_key(self, run: str) -> int:
        """The short key of a run; RunUnknown when there is none."""
        key = self._run_keys.get(run)
        if key is None:
            found = self.rows("run_key", run=run)
            if not found:
                raise RunUnknown(folder=self.folder, run=run)
            key = self._run_keys[run] = int(found[0][0])
        return key

    def forget_run_key(self, run: str) -> None:
        """A run is gone, and SQLite may give its key to another."""
        self._run_keys.pop(run, None)

    def compact(self) -> None:
        """Write the file anew without the room of what was deleted."""
        with Translating(self.folder):
            self._connection.execute("VACUUM")
            self._empty_log()

    def shrink(self) -> None:
        """Let go of the pages that are cached."""
        with Translating(self.folder):
            self._connection.execute("PRAGMA shrink_memory")

    def erase(self, query: str, parameters: Parameters) -> None:
        """A deletion after which no byte of what was deleted is left, neither in the database nor in its log."""
        self.write(query, parameters)
        with Translating(self.folder):
            self._empty_log()

    def _empty_log(self) -> None:
        # A reader that is looking at the log just now keeps it; then it is emptied at the next chance.
        try:
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_LOCKED:
                raise
            busy = 1  # The reader is a stream of this very connection.
        self._log_to_empty = bool(busy)

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[None]:
        """FULL flushes the log at each commit, NORMAL leaves that to the system. The level can only be changed
        outside a transaction, and a FULL commit also flushes all NORMAL ones before it."""
        with Translating(self.folder):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                raise


class Batch:
    """What is read and written within one transaction, ROWS_AT_ONCE rows by one statement."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def known(self, query: str, asked: Sequence[Parameters]) -> Iterator[Any]:
        """The rows of a query that is asked for many things at once."""
        for start in range(0, len(asked), ROWS_AT_ONCE):
            yield from self._together(query, asked[start : start + ROWS_AT_ONCE])

    def write(self, query: str, rows: Sequence[Parameters]) -> None:
        """One statement for many rows."""
        together = len(rows) // ROWS_AT_ONCE * ROWS_AT_ONCE
        for start in range(0, together, ROWS_AT_ONCE):
            self._together(query, rows[start : start + ROWS_AT_ONCE])
        self._connection.executemany(QUERIES[query], map(all_stored, rows[together:]))

    def each(self, query: str, rows: Sequence[Parameters]) -> None:
        """One statement for each row."""
        self._connection.executemany(QUERIES[query], map(all_stored, rows))

    def _together(self, query: str, rows: Sequence[Parameters]) -> sqlite3.Cursor:
        statement, names = _for_many(query, len(rows))
        return self._connection.execute(statement, [stored(row[name]) for row in rows for name in names])


@cache
def _for_many(query: str, count: int) -> tuple[str, tuple[str, ...]]:
    """(a statement of one row of values made one of `count` rows, the names of a row's values in order)."""
    head, values, tail = re.split(r"VALUES \(([^)]*)\)", QUERIES[query])
    names = tuple(re.findall(r":(\w+)", values))
    row = f"({', '.join('?' * len(names))})"
    return f"{head}VALUES {', '.join([row] * count)}{tail}", names


def _connect(folder: Path, read_only: bool) -> sqlite3.Connection:
    path = folder / FILE
    if read_only:
        if not path.exists():
            raise StateUnusable(folder=folder, cause=EMPTY)
    else:
        # Made here and not by SQLite, because the log files take over the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        os.chmod(path, 0o600)
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    try:
        if read_only:
            check(connection, folder)
        else:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise StateUnusable(folder=folder, cause=UNSHARED)
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, folder)
    except BaseException:
        connection.close()
        raise
    return connection
