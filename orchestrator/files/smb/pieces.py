"""Large files of a share: read in pieces, many of them on their way at once, over all connections that there are.

Pieces are handed over in the order in which they stand in the file, so that the checksum sees them so and a copy can be
gone on with. One that comes early over another connection waits in that connection's buffer of the system, or in
memory when somebody else reads from it; there are never more of them than the window says.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Properties
from orchestrator.files.copying import changed
from orchestrator.files.smb.asking import granted
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.conversation import Answer, Exchange
from orchestrator.files.smb.packets import Created, Request, close, created, data, open_file, read
from orchestrator.files.smb.properties import Abilities, told
from orchestrator.files.smb.reading import Tell
from orchestrator.files.smb.share import Live, Share
from orchestrator.files.smb.status import END_OF_FILE, REFUSED

PIECE = 1 << 20
"""Bytes of one read of a large file."""
PIECES = 8
"""Reads of one large file under way at once, over all connections, where a server is near."""
PIECES_MOST = 64
"""The same where it is far away."""
SPREAD_FROM = 64 << 20
"""Bytes. To open a smaller file on other connections too would take longer than it saves."""


class Window:
    """How many pieces of a file are to be under way: as many as the line to the server holds, which is what it brings
    in the time of one round trip. Twice that, because a line that has been given too few brings less than it could.

    What is above PIECES is taken from `spare`, which all files of a share have together, until `close`.
    """

    __slots__ = ("_begun", "_spare", "_taken", "pieces")

    def __init__(self, spare: threading.Semaphore) -> None:
        self._spare = spare
        self._begun = math.inf
        self._taken = 0
        self.pieces = PIECES

    def took(self, now: float, round_trip: float) -> None:
        """A piece has been taken, at a time in seconds; a round trip takes `round_trip` seconds at the least."""
        self._taken += 1
        if self._begun == math.inf:
            self._begun, self._taken = now, 0
        elif self._taken >= self.pieces:
            line = self._taken * round_trip / max(now - self._begun, 1e-6)
            self._widen(min(math.ceil(2 * line), PIECES_MOST))
            self._begun, self._taken = now, 0

    def _widen(self, pieces: int) -> None:
        while self.pieces < pieces and self._spare.acquire(blocking=False):
            self.pieces += 1

    def close(self) -> None:
        """Let other files have what this one had."""
        if self.pieces > PIECES:
            self._spare.release(self.pieces - PIECES)
            self.pieces = PIECES


class _Leg(NamedTuple):
    """The file as it is open on one connection."""

    live: Live
    handle: bytes

    @property
    def broken(self) -> bool:
        return self.live.connection.broken is not None


@dataclass(slots=True, eq=False)
class _Piece:
    """A part of the file, in bytes, that `leg` has been asked for with `exchange`."""

    offset: int
    length: int
    leg: _Leg | None = None
    exchange: Exchange | None = None

    @property
    def asked(self) -> bool:
        """Whether it is on its way, as far as is known."""
        return self.leg is not None and not self.leg.broken

    def answer(self) -> tuple[_Leg, Answer]:
        """Who has brought it, and the answer, waited for. ConnectionLost."""
        if self.leg is None or self.exchange is None:
            raise ConnectionLost("it was not asked for")
        self.leg.live.connection.wait(self.exchange)
        return self.leg, self.exchange.answer(0)


class PiecesReader:
    """One large file; with `spread` over all connections of the share. What was under way on a connection that breaks
    is asked for on the others; when none is left one is made anew, once for each piece, and the file is gone on with if
    it is still the same."""

    def __init__(
        self,
        share: Share,
        name: str,
        entry: Entry,
        tell: Tell,
        abilities: Abilities | None = None,
        *,
        spread: bool = False,
    ) -> None:
        self._share, self._name, self._entry, self._tell = share, name, entry, tell
        self._abilities = abilities
        self._told: Properties | None = None
        self._spreads = self._to_spread = spread and entry.size >= SPREAD_FROM
        self._under_way: deque[_Piece] = deque()
        self._at = self._ahead = 0
        self._last: tuple[_Leg, memoryview] | None = None
        self._window = Window(share.spare)
        self._legs: list[_Leg] = []
        self._opened = self._open_first()
        if self._opened.size != entry.size:
            self.close()
            raise changed(entry.relative, entry.size, self._opened.size)

    def read(self, buffer: bytearray) -> memoryview:
        for _ in range(len(self._legs)):
            with suppress(ConnectionLost):
                self._give_over()
                return self._next()
        self._open_again()
        return self._next()

    def seek(self, offset: int) -> None:
        self._under_way.clear()
        self._at = self._ahead = offset

    def properties(self) -> Properties:
        return self._told or self._tell()

    def close(self) -> None:
        self._window.close()
        for leg in self._legs:
            with suppress(OSError):  # the server closes what a broken connection held open
                leg.live.connection.ask([close(leg.handle)])

    def _open_first(self) -> Created:
        """Open the file on this thread's connection."""
        live, opened = self._share.again(self._open)
        self._legs = [_Leg(live, opened.handle)]
        return opened

    def _open(self, live: Live) -> tuple[Live, Created]:
        if self._abilities is not None:
            answers = self._asked(live, (open_file(self._name, self._abilities.access), *self._abilities.requests()))
            if answers[0].status not in REFUSED:
                opened = created(granted(answers[0], self._name).message)
                self._told = told(opened, self._abilities, answers[1:])
                return live, opened
        return live, self._opened_plainly(live)

    def _opened_plainly(self, live: Live) -> Created:
        return created(granted(self._asked(live, (open_file(self._name),))[0], self._name).message)

    def _asked(self, live: Live, requests: Sequence[Request]) -> list[Answer]:
        """The answers to a chain of requests, waited for and timed."""
        begun = time.monotonic()
        exchange = live.connection.ask(requests)
        live.connection.wait(exchange)
        answers = [exchange.answer(place) for place in range(len(requests))]
        self._share.took(time.monotonic() - begun)
        return answers

    def _open_again(self) -> None:
        """Open the file on another connection and read on from where the reader stands."""
        before = self._opened
        self._opened = self._open_first()
        self.seek(self._at)
        self._to_spread = self._spreads
        if not _same(before, self._opened):
            raise changed(self._entry.relative, before.size, self._opened.size)

    def _open_everywhere(self) -> None:
        """Open the file on the other connections too, while the first of it is on its way. One on which that cannot be
        done, or on which another file has the name meanwhile, is left out."""
        for live in self._share.others():
            with suppress(OSError):
                opened = self._opened_plainly(live)
                if _same(self._opened, opened):
                    self._legs.append(_Leg(live, opened.handle))
                else:
                    live.connection.ask([close(opened.handle)])

    def _give_over(self) -> None:
        """Have the connections that are left bring what was under way on one that broke. ConnectionLost if none is."""
        legs = [leg for leg in self._legs if not leg.broken]
        if len(legs) == len(self._legs):
            return
        if not legs:
            raise ConnectionLost("none is left")
        self._legs = legs
        self._ask([piece for piece in self._under_way if not piece.asked])

    def _next(self) -> memoryview:
        if self._last is not None:
            leg, message = self._last
            leg.live.connection.take_back(message)
            self._last = None
        self._fill()
        if not self._under_way:
            return memoryview(b"")
        piece = self._under_way[0]
        leg, answer = piece.answer()
        self._under_way.popleft()
        if answer.status == END_OF_FILE:
            return memoryview(b"")
        content = data(granted(answer, self._name).message, piece.length)
        self._last = leg, answer.message
        self._at = piece.offset + len(content)
        if content and len(content) < piece.length:
            piece.offset, piece.length = self._at, piece.length - len(content)
            self._under_way.appendleft(piece)
            with suppress(ConnectionLost):  # met again by the next call: what has come is not to be lost
                self._ask([piece])
        self._window.took(time.monotonic(), self._share.round_trip)
        return content

    def _fill(self) -> None:
        """Once half of what may be under way has come, ask for as much again in one go: asking for each piece by itself
        costs a call, and a turn of the server's."""
        if len(self._under_way) > self._window.pieces // 2:
            return
        size, largest = self._entry.size, self._legs[0].live.largest_read
        new: list[_Piece] = []
        while self._ahead < size and len(self._under_way) < self._window.pieces:
            new.append(_Piece(self._ahead, min(PIECE, size - self._ahead, largest)))
            self._under_way.append(new[-1])
            self._ahead += new[-1].length
        self._ask(new)
        if self._to_spread:
            self._to_spread = False
            self._open_everywhere()

    def _ask(self, pieces: Sequence[_Piece]) -> None:
        """Ask for pieces, each on the connection that has the least to bring. ConnectionLost when one broke, after the
        others have been asked; what it was to bring is known by its leg."""
        for piece in pieces:
            piece.leg = None
        busy = [sum(one.leg is leg for one in self._under_way) for leg in self._legs]
        asked: list[list[Exchange]] = [[] for _ in self._legs]
        for piece in pieces:
            place = busy.index(min(busy))
            busy[place] += 1
            piece.leg = self._legs[place]
            piece.exchange = Exchange([read(piece.length, piece.offset, piece.leg.handle)])
            asked[place].append(piece.exchange)
        lost: ConnectionLost | None = None
        for leg, exchanges in zip(self._legs, asked, strict=True):
            try:
                if exchanges:
                    leg.live.connection.ask_all(exchanges)
            except ConnectionLost as error:
                lost = error
        if lost is not None:
            raise lost


def _same(one: Created, other: Created) -> bool:
    """Whether a file has not been written to, or replaced, between two openings."""
    return (one.size, one.written) == (other.size, other.written)
