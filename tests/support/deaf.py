"""A way to a database on which no notification arrives, as behind a pooler that gives every transaction another
connection."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NOTIFICATION = b"A"
"""Source: "Message Formats" of PostgreSQL's documentation, NotificationResponse."""


@contextmanager
def deaf_way(port: int) -> Iterator[int]:
    """The port by which the server at `port` is reached, without TLS."""

    class Between(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
                up = threading.Thread(target=_pass_all, args=(self.request, server), daemon=True)
                up.start()
                _pass_what_answers(server, self.request)
                self.request.shutdown(socket.SHUT_RDWR)
                up.join(10)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Between) as way:
        serving = threading.Thread(target=way.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        yield int(way.server_address[1])
        way.shutdown()
        serving.join(10)


def _pass_all(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def _pass_what_answers(server: socket.socket, client: socket.socket) -> None:
    with server.makefile("rb") as messages:
        while head := messages.read(5):
            body = messages.read(int.from_bytes(head[1:], "big") - 4)
            if head[:1] != NOTIFICATION:
                client.sendall(head + body)
