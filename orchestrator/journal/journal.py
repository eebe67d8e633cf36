"""The journal: what we asked of EM, what it holds for us, and what became of every file."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import RunUnknown, StateUnusable
from orchestrator.core.ledger import GroupRow, LeaseRow, RunRow, SessionRow, Totals
from orchestrator.journal import rows
from orchestrator.journal.lock import StateLock
from orchestrator.journal.opening import connect
from orchestrator.journal.statements import STATEMENTS

PAGE = 1000
"""Restored files read at once: a run may have millions."""


class Journal:
    """One connection, used by one thread at a time. Every write is durable when its method returns.

    Every method raises StateUnusable when the database cannot do its part (disk full, damaged, locked).
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: StateLock | None) -> None:
        self._folder = folder
        self._connection = connection
        self._lock = lock

    def close(self) -> None:
        """Close the database and let go of the state folder."""
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def _working(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.Error as cause:
            raise StateUnusable(folder=self._folder, cause=cause) from cause

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, all of it or nothing."""
        with self._working() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _rows(self, statement: str, values: Mapping[str, object] | None = None) -> list[sqlite3.Row]:
        with self._working() as connection:
            return connection.execute(STATEMENTS[statement], values or {}).fetchall()

    def _write(self, statement: str, values: Mapping[str, object]) -> None:
        with self._writing() as connection:
            connection.execute(STATEMENTS[statement], values)

    # Runs and groups

    def begin(self, run: RunRow) -> None:
        """Write a new run, or mark an old one as running again and forget the problems that are tried again."""
        with self._writing() as connection:
            connection.execute(STATEMENTS["begin_run"], rows.run_columns(run))
            connection.execute(STATEMENTS["forget_problems"], {"run": run.id})

    def end(self, run: RunRow) -> None:
        """Write how a run ended."""
        self._write("end_run", rows.run_columns(run))

    def run(self, run: str) -> RunRow:
        """One run; RunUnknown when there is none."""
        found = self._rows("run", {"id": run})
        if not found:
            raise RunUnknown(folder=self._folder, run=run)
        return rows.run_row(found[0])

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        return [rows.run_row(row) for row in self._rows("runs")]

    def write_group(self, row: GroupRow) -> None:
        """Insert or update a group."""
        self._write("write_group", rows.group_columns(row))

    def groups(self, run: str) -> list[GroupRow]:
        """The groups of a run, by id."""
        return [rows.group_row(row) for row in self._rows("groups", {"run": run})]

    # What EM holds

    def write_lease(self, row: LeaseRow) -> None:
        """Insert or update a lease."""
        self._write("write_lease", rows.lease_columns(row))

    def leases(self, run: str) -> list[LeaseRow]:
        """The leases of a run, oldest first."""
        return [rows.lease_row(row) for row in self._rows("leases", {"run": run})]

    def open_leases(self) -> list[LeaseRow]:
        """Every lease of any run that EM may still hold, oldest first."""
        return [rows.lease_row(row) for row in self._rows("open_leases")]

    def write_session(self, row: SessionRow) -> None:
        """Keep a sealed session."""
        self._write("write_session", rows.session_columns(row))

    def session(self, session: str) -> SessionRow | None:
        """The sealed session; None once it has been erased."""
        found = self._rows("session", {"id": session})
        return rows.session_row(found[0]) if found else None

    def erase_session(self, session: str) -> None:
        """Erase a sealed token: overwritten in the database, and its older copy cut off with the log."""
        self._write("erase_session", {"id": session})
        with self._working() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # Files

    def record(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Write a batch in one transaction. A file that this run restored stays restored."""
        with self._writing() as connection:
            columns = [rows.outcome_columns(run, outcome) for outcome in outcomes]
            connection.executemany(STATEMENTS["record"], columns)

    def totals(self, run: str) -> dict[str, Totals]:
        """Totals by group; groups without a file are not there."""
        totals: dict[str, Totals] = {}
        for group, verdict, count, size in self._rows("totals", {"run": run}):
            restored = verdict == Verdict.RESTORED.value
            more = Totals(**{verdict: count}, bytes=size if restored else 0)
            totals[group] = totals.get(group, Totals()) + more
        return totals

    def problems(self, run: str, limit: int | None = None) -> list[Outcome]:
        """Refused and failed files, by group and path; at most `limit`."""
        most = -1 if limit is None else limit
        return [rows.outcome_row(row) for row in self._rows("problems", {"run": run, "most": most})]

    def restored(self, run: str) -> Iterator[Outcome]:
        """Restored files with their checksums, by group and guest path, read page by page."""
        group, path = "", b""
        while True:
            values = {"run": run, "mount_group": group, "guest_path": path, "most": PAGE}
            page = self._rows("restored_page", values)
            for row in page:
                yield rows.outcome_row(row)
            if len(page) < PAGE:
                return
            group, path = page[-1]["mount_group"], page[-1]["guest_path"]

    def settled(self, run: str, group: str) -> Iterator[str]:
        """The guest paths of a group that are restored or skipped."""
        with self._working() as connection:
            for row in connection.execute(STATEMENTS["settled"], {"run": run, "mount_group": group}):
                yield rows.path_text(row["guest_path"])

    def vm_seconds(self) -> dict[str, float]:
        """How long each machine's group took when it last ended well."""
        return {row["vm"]: row["seconds"] for row in self._rows("vm_seconds")}


def open_journal(folder: Path, *, read_only: bool = False) -> Journal:
    """The journal in the state folder, which is made if need be. One process writes at a time; any may look.

    StateLocked, StateUnusable, SchemaUnknown.
    """
    if read_only:
        return Journal(folder, connect(folder, read_only=True), None)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as cause:
        raise StateUnusable(folder=folder, cause=cause.strerror or cause) from cause
    lock = StateLock(folder)
    try:
        return Journal(folder, connect(folder, read_only=False), lock)
    except BaseException:
        lock.close()
        raise
