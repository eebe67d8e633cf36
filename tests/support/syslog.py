"""An RFC 5424 parser and receivers of our own: nothing of the package is used to read what the package writes."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

BOM = b"\xef\xbb\xbf"
HEADER = re.compile(
    rb"<(?P<pri>0|[1-9][0-9]{0,2})>1 "
    rb"(?P<timestamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) "
    rb"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<procid>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
)
"""The ABNF of section 6, as far as the structured data."""


@dataclass(frozen=True)
class Message:
    facility: int
    severity: int
    timestamp: str
    host: str
    app: str
    procid: str
    msgid: str
    elements: dict[str, dict[str, str]]
    text: str


def parse(content: bytes) -> Message:
    """One message by the letter of RFC 5424; AssertionError for anything else."""
    head = HEADER.match(content)
    assert head, content
    priority = int(head["pri"])
    assert priority <= 191
    elements, place = _structured(content, head.end())
    rest = content[place:]
    assert rest.startswith(b" " + BOM), rest
    named = {name: head[name].decode("ascii") for name in ("timestamp", "host", "app", "procid", "msgid")}
    return Message(priority // 8, priority % 8, **named, elements=elements, text=rest[4:].decode("utf-8"))


def _structured(content: bytes, place: int) -> tuple[dict[str, dict[str, str]], int]:
    """The structured data at `place`, character by character, and where it ends."""
    if content[place : place + 1] == b"-":
        return {}, place + 1
    elements: dict[str, dict[str, str]] = {}
    while content[place : place + 1] == b"[":
        match = re.compile(rb"\[([!#-<>-\\^-~]{1,32})").match(content, place)
        assert match, content[place:]
        params: dict[str, str] = {}
        elements[match[1].decode("ascii")] = params
        place = match.end()
        while content[place : place + 1] == b" ":
            name = re.compile(rb' ([!#-<>-\\^-~]{1,32})="').match(content, place)
            assert name, content[place:]
            value, place = _value(content, name.end())
            params[name[1].decode("ascii")] = value
        assert content[place : place + 1] == b"]", content[place:]
        place += 1
    assert elements, content
    return elements, place


def _value(content: bytes, place: int) -> tuple[str, int]:
    value = bytearray()
    while content[place] != ord('"'):
        assert content[place] != ord("]"), "a bracket that is not escaped"
        if content[place] == ord("\\"):
            place += 1
            assert content[place] in b'"\\]'
        value.append(content[place])
        place += 1
    return value.decode("utf-8"), place + 1


def unframed(stream: bytes) -> list[bytes]:
    """The messages of a stream with octet counting, RFC 6587 section 3.4.1; a half one at the end is left out."""
    messages = []
    while match := re.match(rb"([1-9][0-9]{0,6}) ", stream):
        length = int(match[1])
        if len(stream) < match.end() + length:
            break
        messages.append(stream[match.end() : match.end() + length])
        stream = stream[match.end() + length :]
    assert not stream or re.match(rb"[1-9][0-9]*( |$)", stream), stream[:80]
    return messages


@dataclass
class StreamReceiver:
    """Takes connections one after the other; `messages` gets each as soon as it is whole."""

    address: str
    messages: "Queue[bytes]" = field(default_factory=Queue)
    connections: list[socket.socket] = field(default_factory=list)

    def hang_up(self) -> None:
        """End every connection, as a receiver does that is restarted."""
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.connections.clear()


@contextmanager
def receiving(context: ssl.SSLContext | None = None, port: int = 0) -> Iterator[StreamReceiver]:
    """A TCP receiver on loopback, with TLS when there is a `context`."""
    with socket.create_server(("127.0.0.1", port)) as server:
        kind = "tls" if context else "tcp"
        receiver = StreamReceiver(f"{kind}://localhost:{server.getsockname()[1]}")
        thread = threading.Thread(target=_accept, args=(server, context, receiver), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown(socket.SHUT_RDWR)
            receiver.hang_up()
            thread.join(5)


def _accept(server: socket.socket, context: ssl.SSLContext | None, receiver: StreamReceiver) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with suppress(OSError):
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            receiver.connections.append(connection)
            _read(connection, receiver)


def _read(connection: socket.socket, receiver: StreamReceiver) -> None:
    stream, taken = b"", 0
    while piece := connection.recv(65536):
        stream += piece
        whole = unframed(stream)
        for message in whole[taken:]:
            receiver.messages.put(message)
        taken = len(whole)


@contextmanager
def datagrams(path: Path | None = None) -> Iterator[tuple[str, socket.socket]]:
    """A datagram receiver, on loopback or at a path: its address and its socket."""
    if path is not None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
            local.bind(str(path))
            local.settimeout(10)
            yield str(path), local
        path.unlink()
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        yield f"udp://127.0.0.1:{server.getsockname()[1]}", server
