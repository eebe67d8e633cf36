"""Files of a share, open for reading: small ones whole in one round trip, large ones by reads that overlap. What a file
is beside its bytes comes along where it is wanted."""

from collections import deque
from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Properties
from orchestrator.files.copying import changed
from orchestrator.files.smb.asking import asked, granted
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.conversation import Exchange
from orchestrator.files.smb.packets import Created, close, created, data, open_file, read
from orchestrator.files.smb.properties import Abilities, told
from orchestrator.files.smb.share import Live, Share
from orchestrator.files.smb.status import END_OF_FILE, OK, REFUSED

WHOLE = 1 << 20
"""Files up to this size are read in one go, if the server reads as much at once."""
PIECE = 1 << 20
"""Bytes of one read of a large file."""
PIECES = 8
"""Reads of one large file under way at once."""


CLOSE = close()


Tell = Callable[[], Properties]
"""What a file is beside its bytes, asked for by itself. OSError."""


class Asked:
    """A small file that is asked for: opened, read and closed in one frame, which `exchange` is to be sent as. With
    `abilities`, what it is beside its bytes is asked for in the same frame."""

    __slots__ = ("_abilities", "_live", "_opened", "entry", "exchange", "name")

    def __init__(self, live: Live, name: str, entry: Entry, abilities: Abilities | None = None) -> None:
        self.name, self.entry = name, entry
        self._live, self._abilities = live, abilities
        self._opened: Created | None = None
        reading = (read(entry.size),) if entry.size else ()
        if abilities is None:
            self.exchange = Exchange((open_file(name), *reading, CLOSE))
        else:
            opening = open_file(name, abilities.access)
            self.exchange = Exchange((opening, *reading, *abilities.requests(), CLOSE))

    def content(self) -> memoryview:
        """Its content, waited for. FileError with CHANGED when the server now tells of another size."""
        self._live.connection.wait(self.exchange)
        first = self.exchange.answer(0)
        if self._abilities is not None and first.status in REFUSED:
            return self._plainly()
        self._opened = opened = created(granted(first, self.name).message)
        if self.exchange.answer(-1).status != OK:  # it failed with what stands before it
            self._live.connection.ask([close(opened.handle)])
        if opened.size != self.entry.size:
            raise changed(self.entry.relative, self.entry.size, opened.size)
        answer = self.exchange.answer(1)
        if not self.entry.size or answer.status == END_OF_FILE:
            return memoryview(b"")
        return data(granted(answer, self.name).message, self.entry.size)

    def properties(self) -> Properties | None:
        """What came along, after the content; None when that is to be asked for by itself."""
        if self._abilities is None or self._opened is None:
            return None
        begin = 2 if self.entry.size else 1
        return told(self._opened, self._abilities, [self.exchange.answer(place) for place in self._places(begin)])

    def _places(self, begin: int) -> range:
        return range(begin, len(self.exchange.requests) - 1)

    def _plainly(self) -> memoryview:
        """The content alone: perhaps only the rest is refused."""
        plain = Asked(self._live, self.name, self.entry)
        self._live.connection.ask_all((plain.exchange,))
        return plain.content()


class WholeReader:
    """A small file that is here already."""

    __slots__ = ("_asked", "_at", "_content", "_tell")

    def __init__(self, asked: Asked, tell: Tell) -> None:
        self._content = asked.content()
        self._asked, self._tell = asked, tell
        self._at = 0

    def read(self, buffer: bytearray) -> memoryview:
        piece = self._content[self._at :]
        self._at = len(self._content)
        return piece

    def seek(self, offset: int) -> None:
        self._at = offset

    def properties(self) -> Properties:
        return self._asked.properties() or self._tell()

    def close(self) -> None:
        self._content = memoryview(b"")


class PiecesReader:
    """A large file, read in pieces that overlap on their way. A connection that breaks is made anew once for each
    piece, and the file is gone on with if it is still the same."""

    def __init__(self, share: Share, name: str, entry: Entry, tell: Tell, abilities: Abilities | None = None) -> None:
        self._share, self._name, self._entry, self._tell = share, name, entry, tell
        self._abilities = abilities
        self._told: Properties | None = None
        self._under_way: deque[tuple[int, int, Exchange]] = deque()
        self._at = self._ahead = 0
        self._last: memoryview | None = None
        self._live, self._opened = share.again(self._open)
        if self._opened.size != entry.size:
            self.close()
            raise changed(entry.relative, entry.size, self._opened.size)

    def read(self, buffer: bytearray) -> memoryview:
        try:
            return self._next()
        except ConnectionLost:
            self._open_again()
            return self._next()

    def seek(self, offset: int) -> None:
        self._under_way.clear()
        self._at = self._ahead = offset

    def properties(self) -> Properties:
        return self._told or self._tell()

    def close(self) -> None:
        try:
            self._live.connection.ask([close(self._opened.handle)])
        except OSError:
            return  # the server closes what a broken connection held open

    def _open(self, live: Live) -> tuple[Live, Created]:
        if self._abilities is not None:
            exchange = live.connection.ask((open_file(self._name, self._abilities.access), *self._abilities.requests()))
            live.connection.wait(exchange)
            answer = exchange.answer(0)
            if answer.status not in REFUSED:
                opened = created(granted(answer, self._name).message)
                beside = [exchange.answer(place) for place in range(1, len(exchange.requests))]
                self._told = told(opened, self._abilities, beside)
                return live, opened
        answer = asked(live, open_file(self._name))
        return live, created(granted(answer, self._name).message)

    def _open_again(self) -> None:
        """Open the file on another connection and read on from where the reader stands."""
        before = self._opened
        self._live, self._opened = self._share.again(self._open)
        self.seek(self._at)
        if (before.size, before.written) != (self._opened.size, self._opened.written):
            raise changed(self._entry.relative, before.size, self._opened.size)

    def _next(self) -> memoryview:
        if self._last is not None:
            self._live.connection.take_back(self._last)
            self._last = None
        self._fill()
        if not self._under_way:
            return memoryview(b"")
        offset, length, exchange = self._under_way.popleft()
        self._live.connection.wait(exchange)
        answer = exchange.answer(0)
        if answer.status == END_OF_FILE:
            return memoryview(b"")
        piece = data(granted(answer, self._name).message, length)
        self._last = answer.message
        self._at = offset + len(piece)
        if piece and len(piece) < length:
            rest = length - len(piece)
            self._under_way.appendleft((self._at, rest, self._ask(self._at, rest)))
        return piece

    def _fill(self) -> None:
        size = self._entry.size
        while self._ahead < size and len(self._under_way) < PIECES:
            length = min(PIECE, size - self._ahead, self._live.largest_read)
            self._under_way.append((self._ahead, length, self._ask(self._ahead, length)))
            self._ahead += length

    def _ask(self, offset: int, length: int) -> Exchange:
        return self._live.connection.ask([read(length, offset, self._opened.handle)])
