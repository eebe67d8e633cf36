"""The control socket: by it the account of orchestrator changes limits, and pauses runs, of a process at work.

HTTP over a local socket in the state folder, mode 0600, so that the file says who may, and the system who it was.
"""

import json
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.limiting import LimitWish
from orchestrator.core.words import explain, listed
from orchestrator.views import limits_values, visible
from orchestrator.web.bounded import bounded
from orchestrator.web.guards import Refused, peer_of
from orchestrator.web.ports import Controls, Say
from orchestrator.web.sockets import local_socket

CONTROL = "control"
"""Name of the socket in the state folder."""

CONNECTIONS = 16
LARGEST = 64 << 10
"""Bytes of one question."""

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
    desk = _Desk(controls, tell)
    settings = {"keepalive_timeout": 1, "lingering_time": LINGERS}
    async with bounded(desk.handle, "control", CONNECTIONS, ASKED_WITHIN, **settings) as runner:
        await web.SockSite(runner, control.listening).start()
        yield


class _Desk:
    """Answers every question. A mistake of ours is told once and answered with 500; it ends nothing."""

    def __init__(self, controls: Controls, tell: Say) -> None:
        self._controls = controls
        self._tell = tell
        self._told = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Raises nothing but what a cancel raises."""
        try:
            return _json(await self._answer(request))
        except Refused as refused:
            return _json({"error": refused.what}, refused.status)
        except OrchestratorError as error:
            return _json({"error": str(error)}, 409)
        except Exception as bug:
            if not self._told:
                self._told = True
                self._tell(f"the control socket failed: {bug!r}; the runs are not touched by it")
            return _json({"error": "this failed through an error in orchestrator itself"}, 500)

    async def _answer(self, request: web.BaseRequest) -> dict[str, Any]:
        who = peer_of(request).name
        match request.method, *request.path.strip("/").split("/"):
            case "GET", "limits":
                return limits_values(self._controls.in_force())
            case "POST", "limits":
                return limits_values(self._controls.change(await _wish(request), who))
            case "POST", "runs", run, ("pause" | "unpause") as what:
                return {"changed": self._controls.pause(run, what == "pause", who)}
            case _:
                raise Refused(404, "ask GET /limits, POST /limits, POST /runs/RUN/pause or POST /runs/RUN/unpause")


async def _wish(request: web.BaseRequest) -> LimitWish:
    if request.content_length is None or request.content_length > LARGEST:
        raise Refused(413, f"a question has a length, of at most {LARGEST} bytes")
    try:
        table = json.loads(await request.read())
    except ValueError as cause:
        raise Refused(400, f"this is no JSON: {visible(str(cause))}") from cause
    if not isinstance(table, dict):
        raise Refused(400, "this is no JSON object")
    try:
        return LimitWish.model_validate(table)
    except ValidationError as cause:
        raise Refused(400, listed(explain(cause, LimitWish))) from cause


def _json(answer: dict[str, Any], status: int = 200) -> web.Response:
    response = web.Response(text=json.dumps(answer) + "\n", status=status, content_type="application/json")
    response.force_close()
    return response
