"""Bringing a journal in PostgreSQL to the schema this version knows.

To change the schema: change schema.sql, count KNOWN up, add what leads there from the version before, and raise OLDEST
only when a program that knows an earlier one can no longer work with it. While it can, workers of two versions may
serve one journal, and are replaced one by one. When it cannot, the step waits until no such program is a member of the
fleet any more: it is announced, whoever knows too little ends what it has in hand, and nobody like it comes in. A step
is never changed once it has been released.
"""

from collections.abc import Mapping

import psycopg
from psycopg import sql

from orchestrator.core.errors import JournalUnusable, SchemaOutdated, SchemaUnknown
from orchestrator.core.fleet_errors import OlderServe
from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.queries import SCHEMA

KNOWN = 1

OLDEST = 1
"""The oldest schema that a program may know to work with that of KNOWN."""

STEPS: Mapping[int, str] = {}
"""By the version it leads to: the statements that lead there from the one before."""

SERVER_AT_LEAST = 14

_LOCK = 0x6F7263686573  # "orches": nobody else's advisory lock

_VERSIONS = """
CREATE TABLE journal_version (
    one     BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    version INTEGER NOT NULL,
    oldest  INTEGER NOT NULL,               -- who knows less than this cannot work with it
    coming  INTEGER NOT NULL DEFAULT 0      -- nor, soon, who knows less than this: a step is announced
);
"""

EMPTY = "it holds no journal; no run has been started with it"
FOREIGN = "the schema belongs to another program; name another one in fleet.schema"
NOT_OWNER = (
    "its account may not bring the tables up to date; let `orchestrator fleet upgrade` do that with the account that "
    "owns them"
)

_OLDER = """
SELECT name, host, version FROM members
WHERE state IN ('serving', 'draining') AND seen > clock_timestamp() - make_interval(secs => lease) AND knows < %s
ORDER BY kind DESC, name
"""


def check_server(connection: psycopg.Connection, place: str) -> None:
    """JournalUnusable for a server that is too old, or a database that cannot keep every name."""
    version = connection.info.server_version // 10_000
    if version < SERVER_AT_LEAST:
        cause = f"the server is PostgreSQL {version}; {SERVER_AT_LEAST} or newer is needed"
        raise JournalUnusable(folder=place, cause=cause)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        cause = f"the database is encoded in {encoding}; make one with ENCODING 'UTF8'"
        raise JournalUnusable(folder=place, cause=cause)


def migrate(
    connection: psycopg.Connection,
    access: Access,
    *,
    known: int = KNOWN,
    oldest: int = OLDEST,
    steps: Mapping[int, str] = STEPS,
    newcomer: bool = True,
) -> None:
    """Make the schema, or bring it up to date, in one transaction and by one process at a time.

    SchemaUnknown for one that is too new, or for a newcomer that is announced to become so; OlderServe while there are
    members that could not work with it any more; JournalUnusable when it is another program's, or this account may not.
    """
    if _version(connection, access, known, coming=newcomer) >= known:
        return
    # Before the transaction: one that is waiting already would not see what another process has made meanwhile.
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        with connection.transaction():
            _bring_up(connection, access, known, oldest, steps)
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _bring_up(
    connection: psycopg.Connection, access: Access, known: int, oldest: int, steps: Mapping[int, str]
) -> None:
    found = _version(connection, access, known, coming=True)
    if found >= known:
        return
    if found == 0:
        _make(connection, access)
    else:
        _refuse_too_early(connection, access, known, oldest)
        for version in range(found + 1, known + 1):
            connection.execute(steps[version].encode())
    write = """INSERT INTO journal_version (version, oldest) VALUES (%s, %s)
               ON CONFLICT (one) DO UPDATE SET version = excluded.version, oldest = excluded.oldest, coming = 0"""
    connection.execute(write, [known, oldest])


def _refuse_too_early(connection: psycopg.Connection, access: Access, known: int, oldest: int) -> None:
    """Nobody is told to end for the sake of a step that this account could not take anyway."""
    allowed = connection.execute("SELECT has_schema_privilege(%s, 'CREATE')", [access.schema]).fetchone()
    if allowed != (True,):
        raise JournalUnusable(folder=access.place, cause=NOT_OWNER)
    older = connection.execute(_OLDER, [oldest]).fetchall()
    if older:
        who = ", ".join(f"{name} on {host} ({version})" for name, host, version in older)
        raise OlderServe(folder=access.place, known=known, who=who)


def announce(connection: psycopg.Connection, access: Access, oldest: int = OLDEST) -> None:
    """Tell every member that knows less than `oldest` to end, and let no such program in any more; 0 takes it back."""
    table = sql.Identifier(access.schema, "journal_version")
    connection.execute(sql.SQL("UPDATE {} SET coming = %s").format(table), [oldest])


def check(connection: psycopg.Connection, access: Access) -> None:
    """For a journal that is only read: SchemaUnknown for one that is too new, SchemaOutdated for an older one,
    JournalUnusable when there is none."""
    found = _version(connection, access, KNOWN)
    if found == 0:
        _refuse_foreign(connection, access)
        raise JournalUnusable(folder=access.place, cause=EMPTY)
    if found < KNOWN:
        raise SchemaOutdated(folder=access.place, found=found, known=KNOWN)


def _version(connection: psycopg.Connection, access: Access, known: int, *, coming: bool = False) -> int:
    """The schema's version; 0 when there is none. With `coming`, what is announced counts as if it were there."""
    table = sql.Identifier(access.schema, "journal_version")
    place = connection.execute("SELECT to_regclass(%s)", [table.as_string(connection)]).fetchone()
    if place is None or place[0] is None:
        return 0
    row = connection.execute(sql.SQL("SELECT version, oldest, coming FROM {}").format(table)).fetchone()
    version, oldest, announced = row or (0, 0, 0)
    if max(oldest, announced if coming else 0) > known:
        raise SchemaUnknown(folder=access.place, found=max(version, announced), known=known)
    return int(version)


def _refuse_foreign(connection: psycopg.Connection, access: Access) -> None:
    """A schema with tables, and no version among them, is not ours. One that is being made just now is."""
    query = """SELECT count(*), count(*) FILTER (WHERE relname = 'journal_version')
               FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = %s"""
    tables, ours = connection.execute(query, [access.schema]).fetchone() or (0, 0)
    if tables and not ours:
        raise JournalUnusable(folder=access.place, cause=FOREIGN)


def _make(connection: psycopg.Connection, access: Access) -> None:
    """The schema is not made when it is there: an account that owns it need not be allowed to make others."""
    _refuse_foreign(connection, access)
    there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [access.schema]).fetchone()
    if there is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(access.schema)))
    connection.execute(SCHEMA.encode())
    connection.execute(_VERSIONS.encode())
