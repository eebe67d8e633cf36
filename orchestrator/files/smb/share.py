r"""One share of one server: its connections, made when they are needed and made anew when they break.

A logon that was refused is not tried again for a while, because servers lock accounts out; nor is a server that
cannot be reached asked at once by every thread.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, TypeVar

from orchestrator.files.smb.connection import Connection, ConnectionLost
from orchestrator.files.smb.conversation import Conversation
from orchestrator.files.smb.logon import Account, LogonDenied, log_on
from orchestrator.files.smb.packets import CREDIT_BYTES

REFUSED_FOR = 300.0
"""Seconds in which a logon that was refused is not tried again."""
AWAY_FOR = 5.0
"""Seconds in which a server that could not be reached is not tried again."""
SPARE = 64
"""Pieces of large files that may be under way beyond what each file has for itself, for all files of a share."""

Result = TypeVar("Result")


class Unc(NamedTuple):
    r"""`\\server\share\below\it`; `below` may be empty."""

    server: str
    share: str
    below: str


def parse_unc(path: str) -> Unc | None:
    r"""The parts of a UNC path; None for any other path. `\\?\` and `\\.\` name no server."""
    if not path.startswith("\\\\"):
        return None
    names = [name for name in path[2:].replace("/", "\\").split("\\") if name]
    if len(names) < 2 or names[0] in ("?", "."):
        return None
    return Unc(names[0], names[1], "\\".join(names[2:]))


def join(*names: str) -> str:
    r"""Names as a path below a share, `\` between them; empty ones do not count."""
    return "\\".join(name for name in names if name)


@dataclass(frozen=True, slots=True)
class Reaching:
    """How a share is reached."""

    account: Account
    port: int = 445
    encrypt: bool = False
    connections: int = 2


class Live(NamedTuple):
    """A connection with what logging on has settled for it. Sizes in bytes."""

    connection: Connection
    largest_read: int
    largest_query: int
    server: int
    largest_write: int = CREDIT_BYTES
    session: int = 0
    namespace: bool = False
    """Whether the share is one of a DFS namespace."""


class Share:
    """Every method may be called in many threads at once."""

    def __init__(self, server: str, name: str, reaching: Reaching) -> None:
        self._server, self._name, self.reaching = server, name, reaching
        self._slots: list[Live | None] = [None] * reaching.connections
        self._turn = count()
        self._own = threading.local()
        self._opening = threading.Lock()
        self._failure: tuple[float, OSError] | None = None
        self._namespace: bool | None = None
        self.spare = threading.Semaphore(SPARE)
        self.round_trip = 0.0
        """Seconds of the shortest round trip so far; 0 as long as none has been timed."""

    def took(self, seconds: float) -> None:
        """A round trip has been timed."""
        self.round_trip = min(self.round_trip or seconds, seconds)

    def live(self) -> Live:
        """The calling thread's connection, made if there is none or it is broken. OSError."""
        return self._at(self._slot())

    def others(self) -> list[Live]:
        """The connections that are not the calling thread's, made where there are none; fewer when the server lets no
        more in."""
        found: list[Live] = []
        own = self._slot()
        with suppress(OSError):
            found.extend(self._at(slot) for slot in range(len(self._slots)) if slot != own)
        return found

    def _at(self, slot: int) -> Live:
        live = self._slots[slot]
        if live is not None and live.connection.broken is None:
            return live
        with self._opening:
            live = self._slots[slot]
            if live is None or live.connection.broken is not None:
                live = self._slots[slot] = self._open(live.session if live is not None else 0)
        return live

    @property
    def plain(self) -> bool:
        """Whether it is known to be no share of a DFS namespace."""
        return self._namespace is False

    @property
    def namespace(self) -> bool:
        """Whether it is a share of a DFS namespace; asked once. OSError."""
        if self._namespace is None:
            self._namespace = self.live().namespace
        return self._namespace

    def again(self, work: Callable[[Live], Result]) -> Result:
        """What `work` returns; done a second time on a new connection when the first breaks."""
        try:
            return work(self.live())
        except ConnectionLost:
            return work(self.live())

    def close(self) -> None:
        """Break off every connection."""
        for live in self._slots:
            if live is not None:
                live.connection.close()

    def _slot(self) -> int:
        slot: int | None = getattr(self._own, "slot", None)
        if slot is None:
            slot = self._own.slot = next(self._turn) % len(self._slots)
        return slot

    def _open(self, instead_of: int) -> Live:
        if self._failure is not None:
            until, error = self._failure
            if time.monotonic() < until:
                raise OSError(error.errno, error.strerror)
        reaching = self.reaching
        try:
            sock, conversation = log_on(
                self._server,
                reaching.port,
                self._name,
                reaching.account,
                encrypt=reaching.encrypt,
                instead_of=instead_of,
            )
        except OSError as error:
            pause = REFUSED_FOR if isinstance(error, LogonDenied) else AWAY_FOR
            self._failure = time.monotonic() + pause, error
            raise
        self._failure = None
        return _live(Connection(sock, conversation), conversation)


def _live(connection: Connection, conversation: Conversation) -> Live:
    standing = conversation.standing
    return Live(
        connection,
        standing.largest_read,
        standing.largest_query,
        int.from_bytes(standing.server[:7], "big"),
        standing.largest_write,
        standing.session,
        standing.namespace,
    )
