"""The content of folders: a small one in one round trip, a large one in as few as its names fill buffers."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from orchestrator.files.smb.asking import asked, granted
from orchestrator.files.smb.conversation import Exchange
from orchestrator.files.smb.listing import Child, children
from orchestrator.files.smb.packets import BadAnswer, close, created, open_folder, output, query_directory
from orchestrator.files.smb.share import Live
from orchestrator.files.smb.status import NO_MORE_FILES, NO_SUCH_FILE

FIRST = 128 << 10
"""Bytes of the first query, which holds the names of about a thousand files."""
MORE = 1 << 20
"""Bytes of each further query."""


class Listed:
    """A folder that has been asked for. To be read once, on the connection on which it was asked."""

    def __init__(self, live: Live, name: str, pattern: str = "*") -> None:
        self._live, self._name, self._pattern = live, name, pattern
        length = min(FIRST, live.largest_query)
        self._exchange: Exchange = live.connection.ask(
            [open_folder(name), query_directory(length, pattern=pattern), query_directory(length, pattern=pattern)]
        )

    def buffers(self) -> Iterator[list[Child]]:
        """Its children, `.` and `..` among them, as many at once as the server gives. OSError."""
        connection = self._live.connection
        connection.wait(self._exchange)
        handle = created(granted(self._exchange.answer(0), self._name).message).handle
        try:
            for place in (1, 2):
                answer = self._exchange.answer(place)
                if answer.status in (NO_MORE_FILES, NO_SUCH_FILE):
                    return
                yield children(output(granted(answer, self._name).message))
            yield from self._further(handle)
        finally:
            with suppress(OSError):
                connection.ask([close(handle)])

    def forget(self) -> None:
        """It is not going to be read: close it at the server, if it is open there already."""
        with suppress(OSError):
            if self._exchange.done and self._live.connection.broken is None:
                handle = created(granted(self._exchange.answer(0), self._name).message).handle
                self._live.connection.ask([close(handle)])

    def _further(self, handle: bytes) -> Iterator[list[Child]]:
        length = min(MORE, self._live.largest_query)
        begun: set[str] = set()
        while True:
            answer = asked(self._live, query_directory(length, handle, self._pattern))
            if answer.status in (NO_MORE_FILES, NO_SUCH_FILE):
                return
            found = children(output(granted(answer, self._name).message))
            if not found:
                raise BadAnswer("a listing goes on with nothing in it")
            if found[0].name in begun:
                raise BadAnswer("a listing leads in a circle")
            begun.add(found[0].name)
            yield found


def listed(live: Live, name: str, beat: Callable[[], None], pattern: str = "*") -> list[Child]:
    """Everything in a folder but `.` and `..`; all of it in memory."""
    return [child for found in Listed(live, name, pattern).buffers() for child in heard(found, beat)]


def heard(found: list[Child], beat: Callable[[], None]) -> Iterator[Child]:
    """The children of a buffer without `.` and `..`, with a beat for each."""
    for child in found:
        beat()
        if child.name not in (".", ".."):
            yield child
