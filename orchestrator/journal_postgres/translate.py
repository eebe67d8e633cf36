"""PostgreSQL's errors in the words of the package: the only place that knows its codes.

Source of the codes: Appendix A, "PostgreSQL Error Codes", of its documentation.
"""

import psycopg

from orchestrator.core.errors import JournalUnreachable, JournalUnusable, StateError

_CAUSES = {
    "23503": "what is written belongs to a run that has been pruned",
    "25006": "this connection may only read; name the primary server in fleet.dsn, not a standby, and look at "
    "default_transaction_read_only of the database and of the account",
    "42501": "its account lacks a right; see docs/deploy/postgresql.md for those it needs",
    "42P01": "its schema lacks a table; restore it from a backup",
    "53100": "the disk of the server is full; make room",
    "53200": "the server is out of memory",
    "53300": "the server takes no more connections; raise max_connections",
    "57014": "the server cancelled the statement; look at its statement_timeout",
}

_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)
"""The server took the transaction back to let another go on."""

_ENDED = (
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
"""The server ended the session."""

_CONNECTING = {
    "password authentication failed": "the password behind {password} is wrong",
    "no password supplied": "it asks for a password; say password_env, password_file or password_credential in [fleet]",
    "no pg_hba.conf entry": "it takes no connection from here; see pg_hba.conf on the server",
    "does not exist": "make what is missing there, or put fleet.dsn right",
    "does not support SSL": "switch TLS on there (ssl = on in postgresql.conf); without it nothing is sent",
    "certificate": "put sslrootcert in fleet.dsn right, or the server's certificate",
    "too many clients": "raise max_connections on the server",
    "remaining connection slots": "raise max_connections on the server",
    "is not permitted to log in": "give the account the right to log in",
}
_UNREACHABLE = "Check fleet.dsn, the firewall, and that PostgreSQL runs and listens there"


def is_lost(error: psycopg.Error, connection: psycopg.Connection) -> bool:
    """Whether the connection is gone, and not just the statement refused."""
    return connection.closed or isinstance(error, _ENDED)


def is_taken_back(error: psycopg.Error) -> bool:
    """Whether the same transaction may well succeed when it is tried again."""
    return isinstance(error, _AGAIN)


def may_pass(error: psycopg.Error) -> bool:
    """Whether a connection that failed with this may succeed soon: the server is away or starting, or full; not when it
    refuses us."""
    said = str(error)
    refused = ("password", "pg_hba.conf", "does not exist", "does not support SSL", "certificate", "not permitted")
    return isinstance(error, psycopg.OperationalError) and not any(word in said for word in refused)


def not_connected(place: str, password_source: str, error: psycopg.Error) -> StateError:
    """Why there is no connection."""
    said = _plain(error)
    hints = [hint for words, hint in _CONNECTING.items() if words in said]
    hint = hints[0].format(password=password_source or "fleet.dsn") if hints else _UNREACHABLE
    return JournalUnreachable(folder=place, cause=f"{said}. {hint}")


def unusable(place: str, error: psycopg.Error) -> StateError:
    """What a failed statement means."""
    cause = _CAUSES.get(error.sqlstate or "", "it refused a statement")
    return JournalUnusable(folder=place, cause=f"{cause} ({_plain(error)})")


def _plain(error: psycopg.Error) -> str:
    """What the server says, without the values of a row: its first line, or the last of several tries to connect."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("DETAIL", "CONTEXT", "LINE", "HINT", "Multiple"))]
    return (said or ["it gives no reason"])[0].removeprefix("connection failed: ").rstrip(".")
