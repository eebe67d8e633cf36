"""A server that refuses something within a chain, and lets all that follows fail with it (MS-SMB2 3.3.5.2.7.2): nothing
stays open there, and nothing is left lying."""

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import cast

import pytest

from orchestrator.core.fidelity import NO_PROPERTIES
from orchestrator.files.smb.connection import ConnectionLost
from orchestrator.files.smb.conversation import Answer, Exchange
from orchestrator.files.smb.facts import set_times
from orchestrator.files.smb.holding import HeldFolder, look
from orchestrator.files.smb.packets import SAME_FILE, Command, Request
from orchestrator.files.smb.partial import Partial, facts_at, make_writable
from orchestrator.files.smb.properties import abilities_of, link_at
from orchestrator.files.smb.putting import set_attributes
from orchestrator.files.smb.share import Live, Share
from orchestrator.files.smb.staging import SmbStaging
from orchestrator.files.smb.status import ACCESS_DENIED, NO_SUCH_NAME, OK, SHARING_VIOLATION
from orchestrator.files.smb.volume import asked_at, flush_all, room_at
from tests.rooms.test_smb_queries import output_body
from tests.rooms.test_smb_wire import created_body

READ_ONLY, HIDDEN, ARCHIVE = 0x1, 0x2, 0x20
RENAME, DISPOSITION, BASIC, REMOVE_ON_CLOSE = 10, 13, 4, 0x1000


class Strict:
    """A connection to a server with `files`, attributes by path. `refuses` gives a request a status."""

    def __init__(self, files: dict[str, int], refuses: Callable[[Request], int] = lambda _: OK) -> None:
        self.files, self.refuses = files, refuses
        self.open: dict[bytes, tuple[str, int, bool]] = {}
        """By handle: path, share access, and whether it is removed when it is closed."""
        self.broken: OSError | None = None
        self._numbers = count(1)

    def ask(self, requests: Sequence[Request]) -> Exchange:
        exchange, handle, status = Exchange(requests), b"", OK
        for place, request in enumerate(requests):
            body = b""
            if status == OK:
                handle = _handle(request) if _handle(request) not in (b"", SAME_FILE) else handle
                status = self.refuses(request)
                if status == OK:
                    handle, status, body = self._done(request, handle)
            exchange.answers[place] = Answer(status, memoryview(bytes(64) + (body or bytes(9))))
        exchange.settle()
        return exchange

    def wait(self, exchange: Exchange) -> None:
        assert exchange.done

    def _done(self, request: Request, handle: bytes) -> tuple[bytes, int, bytes]:
        if request.command is Command.CREATE:
            return self._opened(request)
        path, sharing, _ = self.open[handle]
        if request.command is Command.CLOSE:
            if self.open.pop(handle)[2]:
                self.files.pop(path, None)
        elif request.command is Command.SET_INFO and request.body[3] == RENAME:
            to = request.body[52:].decode("utf-16-le")
            if self.files.get(to, 0) & READ_ONLY:
                return handle, ACCESS_DENIED, b""
            self.files[to] = self.files.pop(path)
            self.open[handle] = to, sharing, False
        elif request.command is Command.SET_INFO and request.body[3] == DISPOSITION:
            self.open[handle] = path, sharing, True
        elif request.command is Command.SET_INFO and request.body[3] == BASIC:
            self.files[path] = struct.unpack_from("<I", request.body, 64)[0] or self.files[path]
        return handle, OK, output_body(bytes(200)) if request.command is Command.QUERY_INFO else b""

    def _opened(self, request: Request) -> tuple[bytes, int, bytes]:
        sharing, _, options = struct.unpack_from("<III", request.body, 32)
        path = request.body[56:].decode("utf-16-le")
        if path not in self.files:
            return b"", NO_SUCH_NAME, b""
        if any(path == other and 0 in (sharing, theirs) for other, theirs, _ in self.open.values()):
            return b"", SHARING_VIOLATION, b""
        handle = next(self._numbers).to_bytes(16, "little")
        self.open[handle] = path, sharing, bool(options & REMOVE_ON_CLOSE)
        body = created_body(0, handle)
        return handle, OK, body[:56] + struct.pack("<I", self.files[path]) + body[60:]


def _handle(request: Request) -> bytes:
    at = {Command.CLOSE: 8, Command.FLUSH: 8, Command.SET_INFO: 16, Command.QUERY_INFO: 24}.get(request.command)
    return b"" if at is None else request.body[at : at + 16]


def live_at(server: Strict) -> Live:
    return Live(server, 1 << 20, 1 << 20, 0)  # type: ignore[arg-type]


class Only:
    """A share with one connection."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def live(self) -> Live:
        return self._live


CHAINS: dict[str, Callable[[Live], object]] = {
    "look": lambda live: look(live, "file"),
    "facts": lambda live: facts_at(live, "file"),
    "room": lambda live: room_at(live, "file"),
    "times": lambda live: asked_at(live, "file", 0, 0, set_times(0)),
    "flush": lambda live: flush_all([(cast(Share, Only(live)), "file")]),
    "attributes": lambda live: set_attributes(live, "file", HIDDEN),
    "writable": lambda live: make_writable(live, "file", writable=True),
    "link": lambda live: link_at(live, "file", NO_PROPERTIES),
    "abilities": lambda live: abilities_of(live, "file"),
}


@pytest.mark.parametrize("what", CHAINS)
def test_a_file_of_which_something_is_refused_is_closed_all_the_same(what: str) -> None:
    """It would stay open as long as the connection, and keep others from renaming and removing it."""
    server = Strict({"file": READ_ONLY | ARCHIVE})
    server.refuses = lambda request: OK if request.command in (Command.CREATE, Command.CLOSE) else ACCESS_DENIED
    with suppress(OSError):
        CHAINS[what](live_at(server))
    assert server.open == {}


def test_a_partial_file_that_cannot_be_removed_is_closed_all_the_same() -> None:
    server = Strict({"partial": ARCHIVE})
    partial = partial_at(server)
    server.refuses = lambda request: OK if request.command is Command.CLOSE else ACCESS_DENIED
    partial.drop()
    assert server.open == {}


def partial_at(server: Strict) -> Partial:
    """The partial file of `final`, open for us alone."""
    live = live_at(server)
    folder = HeldFolder(cast(Share, Only(live)), live, "", b"F" * 16, made=False)
    return Partial.take_up(folder, "partial", live)


def test_a_read_only_file_is_replaced_where_the_closing_fails_with_the_rename() -> None:
    server = Strict({"partial": ARCHIVE, "final": READ_ONLY})
    partial_at(server).rename("final", replace=True, flushed=False)
    assert (server.files, server.open) == ({"final": ARCHIVE}, {})


@pytest.mark.parametrize("flushed", [False, True])
def test_a_read_only_file_that_cannot_be_replaced_is_as_it_was_and_nothing_is_left(flushed: bool) -> None:
    server = Strict({"partial": ARCHIVE, "final": READ_ONLY | ARCHIVE})
    tried = []

    def refuses(request: Request) -> int:
        if request.command is Command.SET_INFO and request.body[3] == RENAME:
            tried.append(request)
        if len(tried) == 1 and request.command is Command.CREATE and request.body[56:].startswith(b"p\0"):
            server.refuses = lambda _: OK
            return SHARING_VIOLATION  # an antivirus program looks at what was just closed
        return OK

    partial = partial_at(server)
    server.refuses = refuses
    with pytest.raises(OSError, match="another program holds the file"):
        partial.rename("final", replace=True, flushed=flushed)
    assert (server.files, server.open) == ({"final": READ_ONLY | ARCHIVE}, {})


@pytest.mark.parametrize("arrived", [False, True])
def test_a_rename_that_was_lost_is_told_from_one_that_arrived_where_files_have_no_identity(arrived: bool) -> None:
    """The file that is to be replaced has the size and the time of the new one, as after a repair of its bytes."""
    server = Strict({"partial": ARCHIVE | HIDDEN, "final": ARCHIVE})

    def refuses(request: Request) -> int:
        if request.command is not Command.SET_INFO:
            return OK
        if arrived:
            server.files["final"] = server.files.pop("partial")
        server.open.clear()
        server.refuses = lambda _: OK
        raise ConnectionLost("the network is gone")

    partial = partial_at(server)
    server.refuses = refuses
    SmbStaging()._rename(partial, lambda _: partial.folder, "final", True, flushed=False)
    assert (server.files, server.open) == ({"final": ARCHIVE | HIDDEN}, {})
