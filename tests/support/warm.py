"""`orchestrator` without the half second that the interpreter takes to import it: commands are forked from a process
that has done so. Each is a process of its own all the same, with its own streams, environment, signals and exit code.
It ends as the interpreter ends, but does not take apart what it has imported, which takes longer than most commands.

A server is started once for all tests of a worker: `python -m tests.support.warm SOCKET`. It lives as long as its
standard input is open.
"""

import asyncio
import atexit
import functools
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NoReturn

import orchestrator

WARM = hasattr(os, "pidfd_open")
"""Whether this system has what it takes."""
LONGEST = 1 << 20
"""Bytes of an order; environments are smaller."""
UNREAD = 1 << 30
"""Bytes of output that are kept until somebody wants them."""

CLIENT = """#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    order = {{"words": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
    socket.send_fds(server, [json.dumps(order).encode()], [0, 1, 2])
    told = server.makefile().read().split()
code = int(told[1]) if len(told) == 2 else 1
os._exit(code if code >= 0 else 128 - code)
"""
"""A script that stands for `orchestrator`: it orders a command and ends as that ends."""


# --- whoever wants a command ---


@functools.cache
def server() -> str:
    """The socket of the server of this worker, which is started when it is first wanted."""
    folder = tempfile.TemporaryDirectory()  # a short path: those of sockets have 107 bytes at most
    path = f"{folder.name}/warm"
    code = Path(orchestrator.__file__).parents[1]  # what the test has imported; the working folder comes first
    tests = str(Path(__file__).parents[2])
    clean = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": tests}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm", path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=code, env=clean,
    )  # fmt: skip

    def end() -> None:
        process.kill()
        process.communicate()
        folder.cleanup()

    atexit.register(end)
    assert process.stdout is not None
    assert process.stdout.readline(), "the server did not start"
    return path


class Warm:
    """A command that the server has forked; what `asyncio.subprocess.Process` says of one of its own."""

    def __init__(self, pid: int, told: asyncio.StreamReader, writer: asyncio.StreamWriter, out: "_Outputs") -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._out = out
        self._ending = asyncio.create_task(self._end(told, writer))

    @classmethod
    async def start(
        cls, *words: str, cwd: str | Path, env: Mapping[str, str], stdout: Any = None, stderr: Any = None
    ) -> "Warm":
        """Start `orchestrator <words>` with nothing on its standard input. What it writes is kept for `communicate`,
        where no open file is given for it."""
        out = await _Outputs.opened(stdout, stderr)
        order = {"words": words, "folder": str(cwd), "environment": dict(env)}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(server())
        with open(os.devnull, "rb") as nothing:
            socket.send_fds(connection, [json.dumps(order).encode()], [nothing.fileno(), *out.theirs])
        out.sent()
        told, writer = await asyncio.open_unix_connection(sock=connection)
        return cls(int(await told.readline()), told, writer, out)

    async def _end(self, told: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.returncode = int(await told.readline())
        writer.close()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        await asyncio.shield(self._ending)
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """What it has written to standard output and error, when it has ended."""
        out, err = [await reader.read() for reader in self._out.readers]
        await self.wait()
        return out, err


class _Outputs:
    """Where a command writes to: files of the caller, or pipes that are read here."""

    def __init__(self) -> None:
        self.theirs: list[int] = []
        self.readers: list[asyncio.StreamReader] = []
        self._ours: list[int] = []

    @classmethod
    async def opened(cls, *files: Any) -> "_Outputs":
        made = cls()
        for file in files:
            reader = asyncio.StreamReader(UNREAD)
            if file is None:
                here, there = os.pipe()
                made._ours.append(there)
                made.theirs.append(there)
                protocol = functools.partial(asyncio.StreamReaderProtocol, reader)
                await asyncio.get_running_loop().connect_read_pipe(protocol, os.fdopen(here, "rb", 0))
            else:
                made.theirs.append(file.fileno())
                reader.feed_eof()
            made.readers.append(reader)
        return made

    def sent(self) -> None:
        """The command has them now."""
        for one in self._ours:
            os.close(one)


# --- the server ---


class _Server:
    """Forks a command for each order, and tells its process id at once and its exit code at its end."""

    def __init__(self, path: str) -> None:
        self._ready = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)
        self._ready.register(self._listener, selectors.EVENT_READ)
        self._ready.register(sys.stdin, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, socket.socket]] = {}

    def orders(self) -> "_Order | None":
        """Returns in every command with its order, and in the server when its standard input was closed."""
        while True:
            for key, _ in self._ready.select():
                if key.fileobj is sys.stdin:
                    return None
                if key.fileobj is not self._listener:
                    self._ended(key.fd)
                elif (order := self._forked()) is not None:
                    return order

    def _forked(self) -> "_Order | None":
        connection, _ = self._listener.accept()
        message, streams, _, _ = socket.recv_fds(connection, LONGEST, 3)
        pid = os.fork()
        if pid == 0:
            connection.close()
            self._leave()
            return _Order(json.loads(message), streams)
        for stream in streams:
            os.close(stream)
        connection.sendall(f"{pid}\n".encode())
        watch = os.pidfd_open(pid)
        self._running[watch] = (pid, connection)
        self._ready.register(watch, selectors.EVENT_READ)
        return None

    def _ended(self, watch: int) -> None:
        self._ready.unregister(watch)
        pid, connection = self._running.pop(watch)
        os.close(watch)
        _, status = os.waitpid(pid, 0)
        with connection, suppress(OSError):  # whoever ordered it may be gone
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())

    def _leave(self) -> None:
        self._ready.close()
        self._listener.close()
        for watch, (_, connection) in self._running.items():
            os.close(watch)
            connection.close()


@dataclass(frozen=True)
class _Order:
    """A command as somebody wants it. PATCH in its environment names a file with code that comes first."""

    said: dict[str, Any]
    streams: list[int]

    def become(self) -> None:
        """This process is the command from now on."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115 - to the end
        sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - so too
        os.chdir(self.said["folder"])
        os.environ.clear()
        os.environ.update(self.said["environment"])
        time.tzset()
        sys.argv = ["orchestrator", *self.said["words"]]
        if patch := os.environ.get("PATCH"):
            exec(Path(patch).read_text("utf-8"), {})  # noqa: S102 - the code of a world of the runbook
        try:
            main()
        except SystemExit as ended:
            _end(ended.code)


def _end(code: object) -> NoReturn:
    """What the interpreter does at its end, but for taking apart what there is: that touches every page of memory that
    is shared with the server, and takes longer than most commands."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _import_all() -> None:
    """Every module of the package, and what it imports when it is at work."""
    for one in walk_packages(orchestrator.__path__, "orchestrator."):
        if one.name != "orchestrator.__main__":  # that is a command
            import_module(one.name)
    for name in ("anyio._backends._asyncio", "nacl.secret", "structlog"):
        import_module(name)
    html._page()  # the template of reports, compiled


if __name__ == "__main__":
    os.environ.setdefault("FROZENLIST_NO_EXTENSIONS", "1")  # as the console script has it
    gc.disable()
    from orchestrator.cli import main
    from orchestrator.views import html

    _import_all()  # what takes the time

    gc.freeze()
    forks = _Server(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if (order := forks.orders()) is not None:
        order.become()
