"""Waits for the sign that there is something to do."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from orchestrator.unit_queue.blocking import CHANNEL


class Waker:
    """Listens by a connection of its own, which `connect` makes (with autocommit). One thread at a time.

    A sign only saves a look: without a connection this is a pause, so whoever looks after each wait misses nothing.
    """

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._sleep = sleep
        self._clock = clock
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float) -> bool:
        """Return after so many seconds at the latest; True at once when there was a sign since the last wait, or when
        one may have been missed because the connection is new."""
        until = self._clock() + seconds
        try:
            if self._connection is None:
                self._connection = self._connect()
                self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                return True
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error:
            self.close()
            self._sleep(max(0.0, until - self._clock()))
            return False

    def close(self) -> None:
        """Listen no more. Harmless when it does not."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
