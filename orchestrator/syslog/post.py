"""One receiver, and the messages for it."""

import socket
import ssl
from collections.abc import Callable

from orchestrator.core.receiver import Receiver
from orchestrator.syslog.reaching import Send, has_ended, reach

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries; twice as long each time."""


class Post:
    """Sends messages, one after the other. Any thread may call, but never two at once.

    `told` hears once that the receiver cannot be reached, with the cause, and once (None) when it can be again. `sleep`
    pauses for some seconds; what it raises ends the trying.
    """

    def __init__(
        self,
        receiver: Receiver,
        context: ssl.SSLContext | None,
        told: Callable[[str | None], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._receiver = receiver
        self._context = context
        self._told = told
        self._sleep = sleep
        self._socket: socket.socket | None = None
        self._send: Send | None = None
        self._away = False

    def send(self, message: bytes) -> None:
        """Send one message (framed, where it has to be). Returns when the system has taken it: a receiver that is away
        is tried again and again, with growing pauses."""
        pause = FIRST_PAUSE
        again = self._socket is not None  # an old connection may have died of age: then a new one, at once
        while not self._sent(message, quietly=again):
            if not again:
                self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            again = False

    def _sent(self, message: bytes, *, quietly: bool) -> bool:
        try:
            if self._socket is not None and self._receiver.transport.framed and has_ended(self._socket):
                self.close()
            if self._socket is None or self._send is None:
                self._socket, self._send = reach(self._receiver, self._context)
            self._send(message)
        except OSError as error:
            self.close()
            if not quietly and not self._away:
                self._away = True
                self._told(error.strerror or str(error))
            return False
        if self._away:
            self._away = False
            self._told(None)
        return True

    def close(self) -> None:
        """Let the connection go. Harmless when there is none."""
        stream, self._socket, self._send = self._socket, None, None
        if stream is not None:
            stream.close()
