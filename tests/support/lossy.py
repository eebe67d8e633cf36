"""Ways to a database: one that loses what is said at the worst moment, when a transaction is being committed, and one
that is cut for a while."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class LossyWay:
    """Passes everything on between clients and a server. While `loses` is "request", the next COMMIT does not reach the
    server; while it is "answer", it does, but nobody hears of it. Either cuts the connection, once. `then` are words in
    whose requests connections are lost after that, one by one."""

    def __init__(self, port: int) -> None:
        self.loses = ""
        self.then: list[bytes] = []
        self._words = b"COMMIT"
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            for target, ends in ((self._up, (client, server)), (_pass_on, (server, client))):
                self._threads.append(threading.Thread(target=target, args=ends, daemon=True))
                self._threads[-1].start()

    def close(self) -> None:
        """Nobody gets through any more; to be followed by `end` once `serve` has returned."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def end(self) -> None:
        """Cut what is left."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in self._sockets:
            one.close()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if self.loses and self._words in data:
                    loses, self.loses = self.loses, ""
                    if self.then:
                        self._words, self.loses = self.then.pop(0), "request"
                    client.shutdown(socket.SHUT_RDWR)
                    if loses == "answer":
                        server.sendall(data)
                    return  # the server is left with a connection on which nothing comes any more
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)


@contextmanager
def lossy_way(port: int) -> Iterator[LossyWay]:
    way = LossyWay(port)
    thread = threading.Thread(target=way.serve, daemon=True)
    thread.start()
    try:
        yield way
    finally:
        way.close()
        thread.join(10)
        way.end()


class CutWay:
    """Passes everything on between clients and a server. While it is cut nothing arrives in either direction, and
    nobody is told: connections stay, and new ones come to nothing. What was sent meanwhile arrives when it is healed,
    as TCP has it."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._whole = threading.Event()
        self._whole.set()
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def cut(self) -> None:
        self._whole.clear()

    def heal(self) -> None:
        self._whole.set()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Nobody gets through any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self.heal()

    def _connect(self, client: socket.socket) -> None:
        self._whole.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:  # it is not running just now
            client.close()
            return
        with self._lock:
            self._sockets |= {client, server}
        back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
        back.start()
        self._pass_on(client, server)
        back.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _pass_on(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._whole.wait()
                to.sendall(data)
        self._whole.wait()
        for one, how in ((to, socket.SHUT_WR), (source, socket.SHUT_RD)):
            with suppress(OSError):
                one.shutdown(how)


@contextmanager
def cut_way(port: int) -> Iterator[CutWay]:
    way = CutWay(port)
    thread = threading.Thread(target=way.serve, daemon=True)
    thread.start()
    try:
        yield way
    finally:
        way.close()
        thread.join(10)
