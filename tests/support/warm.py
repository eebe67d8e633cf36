"""`orchestrator` without the half second that the interpreter takes to import it: commands are forked from a process
that has done so. Each is a process of its own all the same, with its own streams, environment and exit code.

The server is started once for all tests of a worker: `python -m tests.support.warm SOCKET`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

LONGEST = 1 << 20
"""Bytes of an order; environments are smaller."""

CLIENT = """#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    order = {{"words": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
    socket.send_fds(server, [json.dumps(order).encode()], [0, 1, 2])
    code = int(server.recv(16) or 1)
os._exit(code if code >= 0 else 128 - code)
"""
"""The script that stands for `orchestrator`: it orders a command and ends as that ends."""


@contextmanager
def warmed() -> Iterator[Path]:
    """The socket of a server, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:  # a short path: those of sockets have 107 bytes at most
        path = Path(folder) / "warm"
        words = [sys.executable, "-m", "tests.support.warm", str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as server:
            try:
                assert server.stdout is not None
                assert server.stdout.readline(), "the server did not start"
                yield path
            finally:
                server.kill()


def serve(path: str) -> NoReturn:
    """Import everything, then fork for each order."""
    from orchestrator.cli import main

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _keep(connection, main)
            connection.close()


def _keep(connection: socket.socket, main: Any) -> NoReturn:
    """Begin the command in a process of its own, and tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(connection, LONGEST, 3)
    command = os.fork()
    if command == 0:
        connection.close()
        _become(json.loads(message), streams, main)
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(command, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(order: dict[str, Any], streams: list[int], main: Any) -> NoReturn:
    """This process is the command from now on. PATCH names a file with code that comes first."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, "utf-8", closefd=False) for number in (1, 2))
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["orchestrator", *order["words"]]
    if patch := os.environ.get("PATCH"):
        exec(Path(patch).read_text("utf-8"), {})  # noqa: S102 - the code of a world of the runbook
    try:
        main()
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
