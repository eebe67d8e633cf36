"""Bringing the tables of a fleet up to date while members of older versions work: they are let to end first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from orchestrator.core.fleet_errors import OlderServe
from orchestrator.journal_postgres.access import Access
from orchestrator.journal_postgres.migrate import KNOWN, OLDEST, announce
from orchestrator.journal_postgres.translate import not_connected, unusable
from orchestrator.journal_postgres.units import open_units


def upgrade(access: Access, wait: Callable[[OlderServe], bool]) -> int:
    """Make the tables, or bring them up to date. Members that could not work with them then are told to end, and `wait`
    is asked whether they are to be waited for: it pauses. The schema that is there now.

    OlderServe when nobody waits any more, and what was told is taken back; whatever opening the journal raises.
    """
    told = False
    try:
        while True:
            try:
                open_units(access).close()
            except OlderServe as error:
                if not told:
                    _tell(access, OLDEST)
                    told = True
                if not wait(error):
                    raise
            else:
                told = False
                return KNOWN
    finally:
        if told:
            _tell(access, 0)


def _tell(access: Access, oldest: int) -> None:
    with _connected(access) as connection:
        announce(connection, access, oldest)


@contextmanager
def _connected(access: Access) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect("", autocommit=True, **access.parameters)
    except psycopg.Error as error:
        raise not_connected(access.place, access.password_source, error) from error
    with connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise unusable(access.place, error) from error
