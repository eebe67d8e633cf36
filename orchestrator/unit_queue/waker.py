"""Waits for the sign that there is something to do.

A sign only saves a look. Whoever waits looks by himself too: seldom while signs are known to arrive, often while they
are not. That the server took the LISTEN does not prove it: behind a pooler that gives every transaction another
connection it did, and nothing ever comes.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from typing import Any

import psycopg
from psycopg import sql

ANYTHING = ""
"""What a sign is about that may be about anything."""

PROVE_WITHIN = 2.0
"""Seconds in which a sign of our own must have come."""

PROVE_EVERY = 60.0
"""Seconds without any sign after which one of our own is given."""

_OWN = "are signs heard?"


class Waker:
    """Listens on a channel, by a connection that `connect` makes (with autocommit). One thread waits; any may close."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        channel: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._clock = clock
        self._connection: psycopg.Connection[Any] | None = None
        self._arrives = False
        self._heard = 0.0
        self._closed = False
        self._waits = threading.Lock()
        self._interrupt: tuple[socket.socket, socket.socket] | None = None

    @property
    def arrives(self) -> bool:
        """Whether signs are known to arrive."""
        return self._arrives

    def wait(self, seconds: float) -> frozenset[str]:
        """What signs were about that have come since the last wait, or else come within so many seconds: nothing when
        there was none, and `ANYTHING` when some may have been missed because the connection is new. Without its server
        this is a pause. Once it is closed it returns at once."""
        with self._waits:
            if self._interrupt is None:
                self._interrupt = socket.socketpair()
                self._interrupt[0].setblocking(False)
            found = frozenset[str]() if self._closed else self._listen(self._clock() + seconds)
        if self._closed:
            self.close()
        return found

    def close(self) -> None:
        """Listen no more. Who waits is woken. Harmless when it is closed."""
        self._closed = True
        interrupt = self._interrupt
        if interrupt is not None:
            with suppress(OSError):
                interrupt[0].send(b"x")
        if self._waits.acquire(blocking=False):  # else who waits does the rest
            try:
                self._drop()
                for one in interrupt or ():
                    one.close()
            finally:
                self._waits.release()

    def _listen(self, until: float) -> frozenset[str]:
        try:
            if self._connection is None:
                self._open()
                return frozenset({ANYTHING})
            if self._clock() - self._heard >= PROVE_EVERY:
                return self._prove(self._connection)
            while told := self._told(self._connection, until):
                self._arrives, self._heard = True, self._clock()
                if found := _abouts(told):
                    return found
        except psycopg.Error:
            self._drop()
            self._until_readable([], until)
        return frozenset()

    def _open(self) -> None:
        self._connection = self._connect()
        self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        self._prove(self._connection)

    def _prove(self, connection: psycopg.Connection[Any]) -> frozenset[str]:
        """Give a sign by another connection, and see whether one comes by this one, by which nothing is asked
        meanwhile; what other signs were about."""
        before = self._told(connection, self._clock())  # what came along with an answer proves nothing
        with closing(self._connect()) as other:
            other.execute("SELECT pg_notify(%s, %s)", [self._channel, _OWN])
        told = self._told(connection, self._clock() + PROVE_WITHIN)
        self._arrives, self._heard = bool(told), self._clock()
        return _abouts([*before, *told])

    def _told(self, connection: psycopg.Connection[Any], until: float) -> list[str]:
        """What the next signs are about; nothing when none comes in time."""
        while True:
            told = [one.payload for one in connection.notifies(timeout=0)]
            if told or self._closed or not self._until_readable([connection.fileno()], until):
                return told

    def _until_readable(self, descriptors: Iterable[int], until: float) -> bool:
        """Wait for one of these, or for the end; False when the time was over first."""
        left = until - self._clock()
        if left <= 0:
            return False
        interrupted = [] if self._interrupt is None else [self._interrupt[1].fileno()]
        with selectors.DefaultSelector() as selector:
            for one in [*descriptors, *interrupted]:
                selector.register(one, selectors.EVENT_READ)
            return bool(selector.select(left))

    def _drop(self) -> None:
        self._arrives = False
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()


def _abouts(told: Iterable[str]) -> frozenset[str]:
    return frozenset(about for about in told if about != _OWN)
