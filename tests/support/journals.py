"""Both journals, each of which can be opened again, and an aged one of each."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from orchestrator import journal_postgres
from orchestrator.journal import Journal, open_journal
from orchestrator.journal_postgres import Access


@dataclass(frozen=True)
class SqliteShelf:
    """A state folder."""

    folder: Path

    def open(self, *, read_only: bool = False) -> Journal:
        return open_journal(self.folder, read_only=read_only)

    def outgrow(self) -> None:
        """Give the journal the schema of a program that is not written yet."""
        with closing(sqlite3.connect(self.folder / "journal.db")) as connection:
            connection.execute("PRAGMA user_version = 1000")

    @property
    def opening(self) -> str:
        """The words of a program that opens it."""
        return (
            f"from pathlib import Path; from orchestrator.journal import open_journal;"
            f"opened = open_journal(Path({str(self.folder)!r}))"
        )


@dataclass(frozen=True)
class PostgresShelf:
    """A schema of a database."""

    access: Access

    def open(self, *, read_only: bool = False) -> Journal:
        return journal_postgres.open_journal(self.access, read_only=read_only)

    def outgrow(self) -> None:
        """Give the journal the schema of a program that is not written yet."""
        with self.beside() as connection:
            connection.execute("UPDATE journal_version SET version = 1000, oldest = 1000")

    @property
    def opening(self) -> str:
        """The words of a program that opens it."""
        return (
            f"from orchestrator.journal_postgres import Access, open_journal;"
            f"opened = open_journal(Access({self.access.dsn!r}, {self.access.schema!r}))"
        )

    @contextmanager
    def beside(self) -> Iterator[psycopg.Connection]:
        """Another connection to the same schema."""
        with psycopg.connect(self.access.dsn, autocommit=True) as connection:
            connection.execute(f'SET search_path TO "{self.access.schema}"')
            yield connection


Shelf = SqliteShelf | PostgresShelf
