"""The control socket: by it the account of orchestrator changes limits, and pauses runs, of a process at work.

HTTP over a local socket in the state folder, mode 0600, so that the file says who may, and the system who it was.
"""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.web.ports import Controls, Say
from orchestrator.web.sockets import local_socket

if TYPE_CHECKING:
    from orchestrator.web.bounded import BoundedServer

CONTROL = "control"
"""Name of the socket in the state folder."""

CONNECTIONS = 16

ASKED_WITHIN = 5.0
"""Seconds in which a question must have come; nobody is waited for."""

LINGERS = 1.0
"""Seconds in which the rest of a question is taken in that is refused before its end; else who asked meets a broken
pipe instead of the answer."""


@dataclass(frozen=True, slots=True)
class ControlSocket:
    """What listens, or why nothing does."""

    listening: socket.socket | None
    trouble: str = ""


@contextmanager
def open_control(folder: Path) -> Iterator[ControlSocket]:
    """The control socket in a state folder whose lock we have. A socket that is there was left by a process that died:
    nobody else listens there. A run goes on without a socket, so nothing here is an error. Blocks."""
    if not hasattr(socket, "AF_UNIX"):
        yield ControlSocket(None, "this system has no local sockets")
        return
    path = folder / CONTROL
    with suppress(OSError):  # nothing is there; or making the socket says it better
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    with ExitStack() as stack:
        try:
            control = ControlSocket(stack.enter_context(local_socket(path)))
        except OSError as cause:
            control = ControlSocket(None, f"{path} cannot be made: {cause.strerror or cause}")
        yield control


@asynccontextmanager
async def controlled(control: ControlSocket, controls: Controls, tell: Say) -> AsyncIterator[None]:
    """Do what is asked on the socket while the block lasts."""
    if control.listening is None:
        tell(f"limits cannot be changed and runs not paused while this goes on: {control.trouble}")
        yield
        return
    door = _Door(controls, tell)
    server = await asyncio.get_running_loop().create_server(door, sock=control.listening)
    try:
        yield
    finally:
        server.close()
        await door.close()


class _Door:
    """What answers is loaded when the first comes to ask: on most days nobody does, and a server is 2 MB of code."""

    def __init__(self, controls: Controls, tell: Say) -> None:
        self._controls = controls
        self._tell = tell
        self._server: BoundedServer | None = None

    def __call__(self) -> asyncio.Protocol:
        """For one who has come."""
        if self._server is None:
            from orchestrator.web.bounded import bounded_server
            from orchestrator.web.desk import Desk

            settings = {"keepalive_timeout": 1, "lingering_time": LINGERS}
            desk = Desk(self._controls, self._tell)
            self._server = bounded_server(desk.handle, "control", CONNECTIONS, ASKED_WITHIN, **settings)
        return self._server()

    async def close(self) -> None:
        """Let those who are being answered go. Shielded and bounded."""
        if self._server is not None:
            await self._server.end()
