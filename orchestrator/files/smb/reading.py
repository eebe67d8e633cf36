"""Small files of a share, open for reading: whole in one round trip. What a file is beside its bytes comes along where
it is wanted."""

from collections.abc import Callable

from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Properties
from orchestrator.files.copying import changed
from orchestrator.files.smb.asking import granted
from orchestrator.files.smb.conversation import Exchange
from orchestrator.files.smb.packets import Created, close, created, data, open_file, read
from orchestrator.files.smb.properties import Abilities, told
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import END_OF_FILE, OK, REFUSED

WHOLE = 1 << 20
"""Files up to this size are read in one go, if the server reads as much at once."""
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
