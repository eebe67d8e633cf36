"""The database itself: one connection, its transactions, and what becomes of them when the connection is lost."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from orchestrator.core.errors import JournalUnreachable, JournalUnusable, RunUnknown
from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.migrate import check, check_server, migrate
from orchestrator.journal_postgres.notation import all_stored, read, stored
from orchestrator.journal_postgres.queries import QUERIES
from orchestrator.journal_postgres.translate import (
    is_lost,
    is_taken_back,
    may_pass,
    not_connected,
    unusable,
)
from orchestrator.ledgers import Batch, Parameters, Stored

Cursor = psycopg.Cursor[tuple[Any, ...]]
First = Callable[[Cursor], None]
Result = TypeVar("Result")

PAGE = 500
"""Rows fetched at once when a result is streamed."""

PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds before a lost server is tried again: doubled each time, up to the second."""

KEYS: Mapping[str, tuple[str, ...]] = {"record": ("group", "guest_path")}
"""What must not be there twice in one statement."""

IDLE_SECONDS, LOCK_SECONDS = 3, 30
"""How long the server waits for a process within a transaction, and a process for a row: one that was frozen or cut off
must not hold up the others."""

_END_OF = b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_xid = (%s::text::xid8)::xid"

READING_BROKE_OFF = "the connection was lost while a long list was read; start the command again"


class Store:
    """One connection. Any thread may call, but never two at once.

    Every error leaves as a StateError, and the transaction it happened in is rolled back. A lost connection is made
    anew for `access.patience` seconds, and what was under way is done again, once: whether a transaction whose end was
    lost had come to it is asked of the server. `besides` brings up to date what else lies in the schema.
    """

    def __init__(
        self,
        access: Access,
        *,
        read_only: bool,
        besides: Callable[[psycopg.Connection], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._read_only = read_only
        self._besides = besides
        self._sleep = sleep
        self._monotonic = monotonic
        self._first: First | None = None
        self._run_keys: dict[str, int] = {}
        self._cursors = itertools.count()
        self._closed = False
        self._newcomer = True
        self._connection = self._connect()
        self._newcomer = False

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self._access.place

    def close(self) -> None:
        """Close the connection. Harmless when it is closed."""
        self._closed = True
        self._connection.close()

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """Every row of a query."""
        return self.ask(QUERIES[query], parameters)

    def ask(self, statement: bytes, parameters: Parameters) -> list[Any]:
        """Every row that a statement gives; it is asked anew when the connection is lost."""
        values = all_stored(parameters)
        return self._persist(lambda: [*map(read, self._connection.execute(statement, values).fetchall())])

    def stream(self, query: str, **parameters: Any) -> Iterator[Any]:
        """The rows of a query in pages, as they were when it was asked; closing the iterator frees them."""
        values = all_stored(parameters)
        cursor = self._persist(lambda: self._opened(query, values))
        try:
            while True:
                page = self._fetched(cursor)
                if not page:
                    return
                yield from map(read, page)
        finally:
            with suppress(psycopg.Error):
                cursor.close()

    def write(self, query: str, parameters: Parameters) -> int:
        """One statement, on the server's disk when it returns; the number of rows it changed."""
        values = all_stored(parameters)
        return self.once(lambda cursor: cursor.execute(QUERIES[query], values).rowcount)

    def write_all(self, statements: Iterable[tuple[str, Parameters]]) -> None:
        """Several statements in one transaction, on the server's disk when it returns."""
        listed = [(QUERIES[query], all_stored(parameters)) for query, parameters in statements]

        def work(cursor: Cursor) -> None:
            for statement, values in listed:
                cursor.execute(statement, values)

        self.once(work)

    def batch(self, work: Callable[[Batch], Result]) -> Result:
        """One transaction for many rows, which a power cut of the server may take away as a whole.

        That is enough for outcomes: the files they tell of are proved from the disk when the run is resumed, and a
        flush for each batch would cost more than the batch.
        """

        def lazily(cursor: Cursor) -> Result:
            cursor.execute("SET LOCAL synchronous_commit = off", prepare=False)
            return work(ManyRows(cursor))

        return self.once(lazily)

    def once(self, work: Callable[[Cursor], Result]) -> Result:
        """`work` in one transaction, committed exactly once when this returns. It may be called again, after its first
        transaction was rolled back, and must do nothing but what it does by its cursor."""
        return self._persist(lambda: self._transact(work))

    @contextmanager
    def before_each(self, first: First) -> Iterator[None]:
        """While this is open, every transaction begins with `first`, which may raise to have it rolled back."""
        self._first = first
        try:
            yield
        finally:
            self._first = None

    def run_key(self, run: str) -> int:
        """The short key of a run; RunUnknown when there is none."""
        key = self._run_keys.get(run)
        if key is None:
            found = self.rows("run_key", run=run)
            if not found:
                raise RunUnknown(folder=self.place, run=run)
            key = self._run_keys[run] = int(found[0][0])
        return key

    def forget_run_key(self, run: str) -> None:
        """A run is gone."""
        self._run_keys.pop(run, None)

    def erase(self, query: str, parameters: Parameters) -> None:
        """A deletion. The server's files and backups keep what was deleted for a while, sealed as it is."""
        self.write(query, parameters)

    def compact(self) -> None:
        """Nothing: the server gives room back by itself."""

    def shrink(self) -> None:
        """Nothing: the memory is the server's."""

    def _persist(self, attempt: Callable[[], Result]) -> Result:
        """What `attempt` gives, which is tried anew when the connection is lost, or the server takes it back. Patience
        begins with the first failure: before that a statement may have taken long, or this process have stood still."""
        until: float | None = None
        while True:
            if self._closed:
                raise JournalUnusable(folder=self.place, cause="it is closed")
            if self._connection.closed:
                self._reconnect(until or self._in_patience())
            connection = self._connection
            try:
                return attempt()
            except psycopg.Error as error:
                until = until or self._in_patience()
                again = is_taken_back(error) or is_lost(error, connection)
                if not again or self._monotonic() >= until:
                    raise unusable(self.place, error) from error

    def _in_patience(self) -> float:
        """Until when something that failed just now is tried anew."""
        return self._monotonic() + self._access.patience

    def _transact(self, work: Callable[[Cursor], Result]) -> Result:
        connection = self._connection
        cursor = connection.cursor()
        number = _begin(cursor)
        try:
            if self._first is not None:
                self._first(cursor)
            result = work(cursor)
        except BaseException:
            if not connection.closed:
                with suppress(psycopg.Error):
                    connection.execute("ROLLBACK", prepare=False)
            raise
        try:
            connection.execute("COMMIT", prepare=False)
        except psycopg.Error as error:
            if not is_lost(error, connection) or not self._was_committed(number):
                raise
        return result

    def _was_committed(self, number: str) -> bool:
        """Whether a transaction whose COMMIT got no answer was committed; what may still go on of it is ended first. It
        is asked until it is known, also when the next connection is lost as well.
        Source: "System Information Functions" of PostgreSQL's documentation, pg_xact_status."""
        until = self._in_patience()
        self._reconnect(until)
        for pause in _pauses():
            try:
                self._connection.execute(_END_OF, [number])
                row = self._connection.execute("SELECT pg_xact_status(%s::text::xid8)", [number]).fetchone()
            except psycopg.Error as error:
                if not is_lost(error, self._connection):
                    raise
                self._reconnect(until)
            else:
                status = row[0] if row else None
                if status != "in progress":
                    return status == "committed"
            if self._monotonic() >= until:
                raise JournalUnusable(folder=self.place, cause="whether the last write was kept cannot be told")
            self._sleep(pause)
        raise AssertionError("pauses never end")

    def _reconnect(self, until: float) -> None:
        for pause in _pauses():
            try:
                self._connection = self._connect()
            except JournalUnreachable as error:
                if not isinstance(error.__cause__, psycopg.Error) or not may_pass(error.__cause__):
                    raise
                if self._monotonic() >= until:
                    raise
            else:
                return
            self._sleep(pause)

    def _connect(self) -> psycopg.Connection:
        parameters = self._access.parameters
        try:
            connection = psycopg.connect("", autocommit=True, **parameters)
        except psycopg.Error as error:
            raise not_connected(self.place, self._access.password_source, error) from error
        try:
            self._set_up(connection)
        except psycopg.Error as error:
            lost = is_lost(error, connection)
            connection.close()
            if lost:
                raise not_connected(self.place, self._access.password_source, error) from error
            raise unusable(self.place, error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: psycopg.Connection) -> None:
        check_server(connection, self.place)
        _set(connection, {"search_path": sql.Identifier(self._access.schema).as_string(connection), "timezone": "UTC"})
        if self._read_only:
            check(connection, self._access)
        else:
            migrate(connection, self._access, newcomer=self._newcomer)
            if self._besides is not None:
                self._besides(connection)
        limits = {  # not while the schema is made, which takes as long as it takes
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
            "lock_timeout": f"{LOCK_SECONDS}s",
            # A plan that was made while a table was small reads all of it when it is large.
            "plan_cache_mode": "force_custom_plan",
        }
        if self._read_only:  # else as the server says: somebody may have made the database one that is only read
            limits["default_transaction_read_only"] = "on"
        _set(connection, limits)

    def _opened(self, query: str, values: Parameters) -> psycopg.ServerCursor[tuple[Any, ...]]:
        """A cursor that outlives transactions: others may write while its rows are read."""
        cursor = self._connection.cursor(f"rows_{next(self._cursors)}", withhold=True)
        return cursor.execute(QUERIES[query], values)

    def _fetched(self, cursor: psycopg.ServerCursor[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        try:
            return cursor.fetchmany(PAGE)
        except psycopg.Error as error:
            raise JournalUnusable(folder=self.place, cause=READING_BROKE_OFF) from error


class ManyRows:
    """What is read and written within one transaction, many rows by one statement."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def known(self, query: str, asked: Sequence[Parameters]) -> Iterator[Any]:
        """The rows of a query that is asked for many things at once."""
        if asked:
            yield from map(read, self._cursor.execute(QUERIES[query], _columns(asked)).fetchall())

    def write(self, query: str, rows: Sequence[Parameters]) -> None:
        """One statement for many rows; of rows with one key the last counts as if they came one by one."""
        for once_each in _rounds(rows, KEYS.get(query, ())):
            self._cursor.execute(QUERIES[query], _columns(once_each))

    def each(self, query: str, rows: Sequence[Parameters]) -> None:
        """One statement for each row."""
        self._cursor.executemany(QUERIES[query], [*map(all_stored, rows)])


def _set(connection: psycopg.Connection, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])


def _begin(cursor: Cursor) -> str:
    """Begin a transaction; its number."""
    cursor.execute("BEGIN; SELECT pg_current_xact_id()::text", prepare=False)
    cursor.nextset()
    row = cursor.fetchone()
    return str(row[0]) if row else ""


def _pauses() -> Iterator[float]:
    pause = PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)


def _columns(rows: Sequence[Parameters]) -> dict[str, list[Stored]]:
    """Rows as a list of values for each name."""
    return {name: [stored(row[name]) for row in rows] for name in rows[0]}


def _rounds(rows: Sequence[Parameters], key: Sequence[str]) -> Iterator[Sequence[Parameters]]:
    """The rows in their order, in as few rounds as have no key twice; one round when there is no key."""
    if not key:
        if rows:
            yield rows
        return
    batch: dict[tuple[Stored, ...], Parameters] = {}
    for row in rows:
        place = tuple(row[name] for name in key)
        if place in batch:
            yield [*batch.values()]
            batch = {}
        batch[place] = row
    if batch:
        yield [*batch.values()]
