"""Enterprise Manager in a box: the gate every request passes, the faults, and the books a test reads."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiohttp import web
from anyio import to_thread

from orchestrator.simulator import documents, strictness
from orchestrator.simulator.enterprise import WITHOUT_SESSION, Answer, Call, Enterprise
from orchestrator.simulator.estate import Estate
from orchestrator.simulator.faults import (
    Action,
    CutFile,
    Delay,
    Drop,
    EndSession,
    Fault,
    FaultScript,
    Garbage,
    Hang,
    ShortFile,
    Status,
    TaskAction,
    VanishFolder,
)
from orchestrator.simulator.refusals import HttpSysRefusal, Refusal
from orchestrator.simulator.routes import UNKNOWN, parameters_of, route_of, segments_of
from orchestrator.simulator.settings import Settings

_GARBAGE = {
    "html": b"<html><head><title>Service Unavailable</title></head><body><p>HTTP Error</p></body></html>",
    "half_xml": b'<?xml version="1.0" encoding="utf-8"?><Task xmlns="http://www.veeam.com/ent/v1.0"><TaskId>tas',
    "empty": b"",
    "doctype": b'<?xml version="1.0"?><!DOCTYPE Task [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    b'<Task xmlns="http://www.veeam.com/ent/v1.0"><TaskId>&x;</TaskId></Task>',
    "wrong_namespace": b'<?xml version="1.0" encoding="utf-8"?><Task xmlns="http://example.com/other">'
    b"<TaskId>task-1</TaskId><State>Finished</State></Task>",
}


@dataclass(frozen=True)
class LogEntry:
    """One request, logged when answered: time (UTC), verb, route name, path, query, status (0: no answer went
    out), label of the session, note ("DANGER": an action on a whole machine was asked for). Holds no secret:
    ids of sessions are replaced by their labels.
    """

    at: datetime
    method: str
    route: str
    path: str
    query: str
    status: int
    session: str
    note: str = ""


@dataclass(frozen=True)
class OpenMount:
    """A mount whose disks are on; `session` is a label; `folder` its name in the share, "" while there is none."""

    machine: str
    point: str
    backup_server: str
    mount_id: int
    session: str
    session_alive: bool
    folder: str


@dataclass(frozen=True)
class OpenSession:
    """A live logon session; `id` is a secret in real life."""

    id: str
    label: str
    user: str


class _NoAnswer(Exception):
    """The connection is closed without an answer, now or when the server stops."""

    def __init__(self, note: str, *, for_ever: bool = False) -> None:
        super().__init__(note)
        self.note = note
        self.for_ever = for_ever


class Simulator:
    """One Enterprise Manager over an estate. Not started: see `serving`. `log` has every request, in order."""

    def __init__(
        self,
        estate: Estate,
        settings: Settings | None = None,
        faults: Sequence[Fault] = (),
        *,
        tell: Callable[[LogEntry], None] | None = None,
    ) -> None:
        self.estate = estate
        self.settings = settings or Settings()
        self.log: list[LogEntry] = []
        self.bugs: list[Exception] = []
        self.enterprise = Enterprise(estate, self.settings)
        self.stopping = asyncio.Event()
        self._script = FaultScript(tuple(faults))
        self._tell = tell

    def inject(self, *faults: Fault) -> None:
        """Add faults; their counts begin now."""
        self._script.add(faults)

    def unfired(self) -> list[Fault]:
        """Faults that did not happen so far."""
        return self._script.unfired()

    def open_mounts(self) -> list[OpenMount]:
        """Mounts whose disks are on, of live sessions and of dead ones."""
        return [
            OpenMount(
                mount.machine.name,
                mount.point.uid,
                mount.machine.backup_server,
                mount.number,
                mount.session.label,
                mount.session.alive,
                mount.folder.name if mount.folder else "",
            )
            for mount in self.enterprise.desk.mounts
            if not mount.gone
        ]

    def open_sessions(self) -> list[OpenSession]:
        """The live sessions."""
        alive = [one for one in self.enterprise.sessions.all if one.alive]
        return [OpenSession(one.id, one.label, one.user) for one in alive]

    def peak_mounts(self, backup_server: str | None = None) -> int:
        """The most mounts at one time, counted from POST to unmount: of one backup server, or of all together."""
        return self.enterprise.desk.peaks[backup_server]

    @property
    def mounts_made(self) -> int:
        """How many mounts there ever were."""
        return len(self.enterprise.desk.mounts)

    async def end_session(self, session_id: str | None = None) -> None:
        """End a session (by id or label) or all of them, as an administrator killing it."""
        sessions = self.enterprise.sessions
        for session in list(sessions.all):
            if session_id is None or session_id in (session.id, session.label):
                await sessions.end(session)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of the server."""
        path, _, query = request.raw_path.partition("?")
        entry = LogEntry(datetime.now(UTC), request.method, UNKNOWN, path, query, 0, "")
        token = strictness.token_of(request.headers)
        try:
            body = await request.read()
            response, entry = await self._respond(request, path, query, body, entry)
        except _NoAnswer as reason:
            self._record(replace(entry, route=_name_of(request.method, path), note=reason.note), token)
            if reason.for_ever:
                await self.stopping.wait()
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        self._record(entry, token)
        return response

    async def _respond(
        self, request: web.BaseRequest, path: str, query: str, body: bytes, entry: LogEntry
    ) -> tuple[web.Response, LogEntry]:
        """The response and its log entry; raises _NoAnswer."""
        actions: list[Action] = []
        call: Call | None = None
        note = ""
        try:
            route = route_of(request.method, segments_of(path))
            entry = replace(entry, route=route.name)
            call = Call(route, parameters_of(query), request.headers, body)
            note = _danger(call)
            actions = self._script.due(route.name, request.raw_path)
            planned = await self._before(call, actions)
            if planned is not None:
                return planned, replace(entry, status=planned.status, note=note or "fault")
            call = self._gate(request, call, actions)
            response = await self._print(await self.enterprise.answer(call), actions)
            if call.session is not None:
                self.enterprise.sessions.touch(call.session)
        except _NoAnswer:
            raise
        except Refusal as refusal:
            response = self._refused(refusal)
        except Exception as bug:  # a bug of the simulator must fail the test that met it, not look like EM
            self.bugs.append(bug)
            response = self._refused(Refusal(500, f"Bug of the simulator: {bug!r}"))
        response = await self._after(response, actions)
        return response, replace(entry, status=response.status, note=note)

    def _gate(self, request: web.BaseRequest, call: Call, actions: Sequence[Action]) -> Call:
        """Headers and session are checked; the answer is a call that may be handled."""
        strictness.check_headers(request.method, request.headers, call.body)
        accept = request.headers.get("Accept", "").lower()
        if accept.startswith("application/json"):
            raise Refusal(501, "The simulator answers XML only.")
        order = next((action for action in actions if isinstance(action, TaskAction)), None)
        if call.route.name in WITHOUT_SESSION:
            return call
        session = self.enterprise.sessions.of_token(strictness.token_of(request.headers))
        return replace(call, session=session, order=order)

    async def _before(self, call: Call, actions: Sequence[Action]) -> web.Response | None:
        """Latency, and the faults that strike before the work; a response if there will be no work."""
        latency = self.settings.request_latency
        if call.route.name == "browse":
            latency += self.settings.browse_extra_latency
        for seconds in (latency, *(one.seconds for one in actions if isinstance(one, Delay))):
            if seconds:
                await asyncio.sleep(seconds)
        for action in actions:
            if isinstance(action, Hang):
                raise _NoAnswer("hang", for_ever=True)
            if isinstance(action, EndSession | VanishFolder):
                await self._strike(call, action)
            if isinstance(action, Drop) and not action.after:
                raise _NoAnswer("drop")
            if isinstance(action, Status) and not action.after:
                return _scripted(action)
            if isinstance(action, Garbage) and not action.after:
                return _response(200, _GARBAGE[action.kind], {})
        return None

    async def _strike(self, call: Call, action: EndSession | VanishFolder) -> None:
        token = strictness.token_of(call.headers)
        sessions = self.enterprise.sessions
        session = next((one for one in sessions.all if one.alive and one.token == token), None)
        if session is None:
            return
        if isinstance(action, EndSession):
            await sessions.end(session)
            return
        for mount in self.enterprise.mounts_of(replace(call, session=session)):
            await self.enterprise.desk.vanish(mount)

    async def _after(self, response: web.Response, actions: Sequence[Action]) -> web.Response:
        """The faults that strike once the work is done."""
        for action in actions:
            if isinstance(action, Drop) and action.after:
                raise _NoAnswer("drop after the work")
            if isinstance(action, Status) and action.after:
                return _scripted(action)
            if isinstance(action, Garbage) and action.after:
                return _response(response.status, _GARBAGE[action.kind], {})
        return response

    async def _print(self, answer: Answer, actions: Sequence[Action]) -> web.Response:
        if answer.file is not None:
            return await _file(answer, actions)
        body = b"" if answer.document is None else self.enterprise.pen.paper(answer.document)
        return _response(answer.status, body, dict(answer.headers))

    def _refused(self, refusal: Refusal) -> web.Response:
        if isinstance(refusal, HttpSysRefusal):
            body = f"<html><body><h2>{refusal.message}</h2></body></html>".encode()
            return _response(refusal.status, body, refusal.headers)
        error = documents.error(self.enterprise.pen, refusal.status, refusal.message)
        return _response(refusal.status, self.enterprise.pen.paper(error), refusal.headers)

    def _record(self, entry: LogEntry, token: str | None) -> None:
        path, label = entry.path, ""
        for session in self.enterprise.sessions.all:
            path = path.replace(session.id, session.label)
            if token == session.token:
                label = session.label
        entry = replace(entry, path=path, session=label)
        self.log.append(entry)
        if self._tell is not None:
            self._tell(entry)


def _name_of(method: str, path: str) -> str:
    try:
        return route_of(method, segments_of(path)).name
    except Refusal:
        return UNKNOWN


def _danger(call: Call) -> str:
    """An action on the whole machine was asked for, by whichever verb."""
    action = call.parameters.get("action", "").lower()
    whole_machine = call.route.name in ("point", "point_action")
    return "DANGER" if whole_machine and action in ("restore", "failover") else ""


def _scripted(action: Status) -> web.Response:
    return _response(action.code, action.body, dict(action.headers))


class _Cut(web.Response):
    """Announces the whole body, and ends the connection in the middle of it."""

    def __init__(self, whole: bytes, after: int, headers: Mapping[str, str]) -> None:
        super().__init__(body=whole, headers=headers)
        self._whole, self._after = whole, after

    async def write_eof(self, data: bytes = b"") -> None:
        request = self._req
        if self._payload_writer is not None and request is not None and request.transport is not None:
            await self._payload_writer.write(self._whole[: self._after])
            request.transport.abort()
        raise ConnectionResetError


async def _file(answer: Answer, actions: Sequence[Action]) -> web.Response:
    if answer.file is None:
        raise ValueError("the answer holds no file")
    body = await to_thread.run_sync(answer.file.read_bytes)
    headers = {**answer.headers, "Content-Type": "application/octet-stream"}
    for action in actions:
        if isinstance(action, CutFile):
            return _Cut(body, action.after, headers)
        if isinstance(action, ShortFile):
            body = body[: action.size]
    return web.Response(status=answer.status, body=body, headers=headers)


def _response(status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    if body and not any(name.lower() == "content-type" for name in headers):
        html = body.lstrip()[:5].lower() == b"<html"
        headers = {**headers, "Content-Type": "text/html" if html else "application/xml; charset=utf-8"}
    return web.Response(status=status, body=body or None, headers=headers)
