"""Enterprise Manager itself: what each route does, and who may call it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from anyio import to_thread

from orchestrator.simulator import documents, listing, query, restoring, strictness
from orchestrator.simulator.background import Background, stopped_within
from orchestrator.simulator.desk import Mount, MountDesk, Task
from orchestrator.simulator.estate import Estate, Machine, Point
from orchestrator.simulator.faults import TaskAction
from orchestrator.simulator.guest_index import GuestIndex
from orchestrator.simulator.kinds import kind_named
from orchestrator.simulator.pen import Node, Pen
from orchestrator.simulator.refusals import Refusal
from orchestrator.simulator.routes import Route
from orchestrator.simulator.sessions import Session, Sessions
from orchestrator.simulator.settings import Settings

WITHOUT_SESSION = ("entry", "logon")
_ACCESS_DENIED = "Access denied"
_BROWSING = ("browse", "browse_action")


@dataclass(frozen=True)
class Call:
    """A request that passed the gate; parameter names are lower-cased; `order` is what a fault wants of a task."""

    route: Route
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    session: Session | None = None
    order: TaskAction | None = None

    @property
    def caller(self) -> Session:
        """The session; only routes of WITHOUT_SESSION have none."""
        if self.session is None:
            raise Refusal(401, "Header X-RestSvcSessionId is expected.")
        return self.session


@dataclass(frozen=True)
class Answer:
    """Status, document (None: no body), headers."""

    status: int
    document: Node | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    """A file instead of a document."""


class Enterprise:
    """The state of one Enterprise Manager and its routes, by the names of `routes`."""

    def __init__(self, estate: Estate, settings: Settings) -> None:
        self.pen = Pen(settings)
        self.background = Background()
        self.desk = MountDesk(estate, settings, self.background)
        self.sessions = Sessions(settings, self.background, self.desk.session_ended)
        self._guests = GuestIndex(estate, self.pen)
        self._estate = estate
        self._settings = settings

    async def answer(self, call: Call) -> Answer:
        """Do what is asked for; raises Refusal."""
        handlers: dict[str, Callable[[Call], Awaitable[Answer]]] = {
            "entry": self._entry,
            "logon": self._logon,
            "sessions": self._list_sessions,
            "session": self._session,
            "logoff": self._logoff,
            "query": self._query,
            "tasks": self._tasks,
            "task": self._task,
            "task_delete": self._task_delete,
            "points": self._points,
            "point": self._point,
            "point_action": self._point_action,
            "mounts_list": self._mounts_list,
            "mount_post": self._mount_post,
            "mount_get": self._mount_get,
            "mount_delete": self._mount_delete,
            "browse": self._browse,
            "browse_action": self._browse_action,
            "backup_servers": self._backup_servers,
            "backup_server": self._backup_server,
            "backup_server_action": self._backup_server_action,
            "restore_sessions": self._restore_sessions,
            "restore_session": self._restore_session,
        }
        read_of_index = call.route.name.startswith("catalog_") and not call.route.name.endswith("_action")
        handler = self._index if read_of_index else handlers.get(call.route.name)
        if handler is None:
            raise Refusal(501, f"{call.route.name} is not simulated.")
        return await handler(call)

    async def _entry(self, call: Call) -> Answer:
        return Answer(200, documents.entry(self.pen))

    async def _logon(self, call: Call) -> Answer:
        version = call.parameters.get("v", "latest")
        if version.lower() not in ("latest", *documents.VERSIONS):
            raise Refusal(400, f"Version {version} is not supported.")
        session = self.sessions.log_on(call.headers.get("Authorization"))
        headers = {
            strictness.COOKIE: session.token,
            "Set-Cookie": f"{strictness.COOKIE}={session.token}; Path=/api",
            "Location": self.pen.href("logonSessions", session.id),
        }
        return Answer(201, documents.session(self.pen, session), headers)

    async def _list_sessions(self, call: Call) -> Answer:
        own = documents.session(self.pen, call.caller)
        return Answer(200, self.pen.node("LogonSessions", None, own))

    async def _session(self, call: Call) -> Answer:
        return Answer(200, documents.session(self.pen, self.sessions.of_id(call.route.parts[0])))

    async def _logoff(self, call: Call) -> Answer:
        await self.sessions.end(self.sessions.of_id(call.route.parts[0]))
        return Answer(204)

    async def _query(self, call: Call) -> Answer:
        asked = call.parameters.get("type", "")
        if asked.lower() == "agentrestorepoint" and not self._settings.may_see_servers:
            raise Refusal(403, _ACCESS_DENIED)
        kind = query.type_named(asked)
        if kind == "BackupServer":
            self._need(self._settings.may_see_servers)
            hits = query.server_hits(self._estate)
        elif kind == "RestorePoint":
            hits = query.whole_hits(self._estate)
        elif kind == "Task":
            hits = query.task_hits(self.desk, call.caller)
        elif kind == "RestoreSession":
            hits = query.restore_hits(self.desk, self._settings.restore_session_lag)
        else:
            means = query.machines_meant(self.pen, kind, call.parameters)
            hits = query.point_hits(self._estate, query.kind_of_points(kind), means)
        return Answer(200, query.result(self.pen, kind, hits, call.parameters))

    async def _tasks(self, call: Call) -> Answer:
        mine = [documents.task(self.pen, one) for one in self.desk.tasks if one.session is call.session]
        return Answer(200, self.pen.node("Tasks", None, *mine))

    async def _task(self, call: Call) -> Answer:
        document = documents.task(self.pen, self._find_task(call))
        if self._settings.task_wrapped:
            document = self.pen.node("Tasks", None, document)
        return Answer(200, document)

    async def _task_delete(self, call: Call) -> Answer:
        await self.desk.delete_task(self._find_task(call))
        return Answer(204)

    async def _points(self, call: Call) -> Answer:
        self._need(self._settings.may_see_servers or call.route.kind.name != "agent")
        hits = query.point_hits(self._estate, call.route.kind.name)
        entities = self._wants_entity(call)
        return Answer(200, query.entity_lists(self.pen, hits, call.route.kind.entity, entities=entities))

    async def _point(self, call: Call) -> Answer:
        machine, point = self._find_point(call)
        if self._wants_entity(call):
            return Answer(200, documents.point_entity(self.pen, machine, point))
        return Answer(200, documents.point_ref(self.pen, machine, point, "EntityRef"))

    async def _point_action(self, call: Call) -> Answer:
        """Only reached by a client that follows the dangerous link: recorded there, refused here."""
        raise Refusal(403, _ACCESS_DENIED)

    async def _mounts_list(self, call: Call) -> Answer:
        self._need(self._settings.may_mount)
        mounts = self.desk.listed(call.caller, self._find_point(call)[1])
        if not mounts and self._settings.collection_404_when_empty:
            raise Refusal(404, "The mount points were not found.")
        name = f"{call.route.kind.mount}s"
        return Answer(200, self.pen.node(name, None, *(documents.mount(self.pen, one) for one in mounts)))

    async def _mount_post(self, call: Call) -> Answer:
        self._need(self._settings.may_mount)
        machine, point = self._find_point(call)
        if machine.kind == "agent" and not self._settings.agent_create:
            raise Refusal(403, _ACCESS_DENIED)
        os_kind = strictness.os_kind_of(call.headers, call.body, kind_named(machine.kind)) or machine.os.capitalize()
        task = self.desk.start_mount(call.caller, machine, point, os_kind, call.order)
        return self._accepted(task)

    async def _mount_get(self, call: Call) -> Answer:
        self._need(self._settings.may_mount)
        return Answer(200, documents.mount(self.pen, self._find_mount(call)))

    async def _mount_delete(self, call: Call) -> Answer:
        self._need(self._settings.may_mount)
        mount = self._find_mount(call)
        if self._settings.delete_status == 202:
            return self._accepted(self.desk.start_unmount(mount))
        await self.desk.delete(mount)
        return Answer(self._settings.delete_status)

    async def _browse(self, call: Call) -> Answer:
        if call.parameters.get("action", "").lower() == "download":
            return await self._download(call, "GET")
        self._need(self._settings.may_browse)
        mount = self._find_mount(call)

        def read() -> Node:
            place = listing.locate(self.pen, self._estate, mount, call.route.below)
            return listing.answer(self.pen, place, call.parameters)

        return Answer(200, await to_thread.run_sync(read))

    async def _browse_action(self, call: Call) -> Answer:
        action = call.parameters.get("action", "").lower()
        if action == "download":
            return await self._download(call, "POST")
        if action != "restore":
            raise Refusal(400, "Unknown action.")
        self._need(self._settings.may_mount)
        spec = restoring.spec_of(call.headers, call.body)
        self._need(not (spec.download and self._settings.in_place_only))
        place = await self._place(call)
        if spec.download and await to_thread.run_sync(place.path.is_dir):
            raise Refusal(400, "A folder cannot be downloaded.")
        download = listing.action_href(self.pen, place, "download") if spec.download else ""

        async def restore() -> tuple[str, bool]:
            prevented, asked = restoring.obstacle(spec, self._settings)
            if prevented or spec.download:
                return prevented, asked
            below = place.path.relative_to(self._estate.content(place.mount.point, place.root))
            target = self._estate.guest(place.mount.machine, place.root) / below
            return await to_thread.run_sync(restoring.put_back, place.path, target, spec), False

        return self._accepted(self.desk.start_restore(place.mount, download, call.order, restore))

    async def _download(self, call: Call, verb: str) -> Answer:
        """The bytes of a file that a finished task of this session has made ready."""
        self._need(self._settings.may_mount)
        if verb != self._settings.download_verb:
            raise Refusal(405, f"{verb} is not supported here.", {"Allow": self._settings.download_verb})
        place = await self._place(call)
        href = listing.action_href(self.pen, place, "download")
        if not any(task.download == href for task in self.desk.tasks if task.session is call.session):
            raise Refusal(404, "The file was not restored for a download.")
        name = quote(place.path.name)
        return Answer(200, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}, file=place.path)

    async def _place(self, call: Call) -> listing.Place:
        return await to_thread.run_sync(
            listing.locate, self.pen, self._estate, self._find_mount(call), call.route.below
        )

    async def _index(self, call: Call) -> Answer:
        route, parameters = call.route, call.parameters
        document = await to_thread.run_sync(self._guests.answer, route.name, route.parts, route.below, parameters)
        return Answer(200, document)

    async def _backup_servers(self, call: Call) -> Answer:
        self._need(self._settings.may_see_servers)
        hits = query.server_hits(self._estate)
        return Answer(200, query.entity_lists(self.pen, hits, "BackupServer", entities=self._wants_entity(call)))

    async def _backup_server(self, call: Call) -> Answer:
        self._need(self._settings.may_see_servers)
        return Answer(200, documents.backup_server(self.pen, self._find_server(call)))

    async def _backup_server_action(self, call: Call) -> Answer:
        self._need(self._settings.may_see_servers)
        server = self._find_server(call)
        if call.parameters.get("action", "").lower() != "collect":
            raise Refusal(400, "Unknown action.")

        async def collect(task: Task) -> None:
            await stopped_within(task.stop, self._settings.task_seconds)
            task.finish(True, "Data collection was started.")
            mine = (one for one in self._estate.machines if one.backup_server == server)
            self._estate.uncollected -= {point.uid for machine in mine for point in machine.points}

        return self._accepted(self.desk.start_task(call.caller, "CollectingBackupServer", collect))

    async def _restore_sessions(self, call: Call) -> Answer:
        hits = query.restore_hits(self.desk, self._settings.restore_session_lag)
        return Answer(200, query.entity_lists(self.pen, hits, "RestoreSession", entities=self._wants_entity(call)))

    async def _restore_session(self, call: Call) -> Answer:
        for hit in query.restore_hits(self.desk, self._settings.restore_session_lag):
            if hit.row["uid"] == call.route.parts[0].lower():
                return Answer(200, hit.entity(self.pen))
        raise Refusal(404, "The restore session was not found.")

    def _accepted(self, task: Task) -> Answer:
        return Answer(202, documents.task(self.pen, task), {"Location": self.pen.href("tasks", task.id)})

    def _need(self, allowed: bool) -> None:
        if not allowed:
            raise Refusal(403, _ACCESS_DENIED)

    def _wants_entity(self, call: Call) -> bool:
        return call.parameters.get("format", "").lower() == "entity"

    def _find_point(self, call: Call) -> tuple[Machine, Point]:
        found = self._estate.find(call.route.parts[0])
        kinds = [call.route.kind.name]
        if self._settings.replica_related == "vm" and call.route.name in ("mount_get", "mount_delete", *_BROWSING):
            kinds.append("replica")
        if found is None or found[0].kind not in kinds:
            raise Refusal(404, "The restore point was not found.")
        return found

    def _find_mount(self, call: Call) -> Mount:
        mounts = self.desk.listed(call.caller, self._find_point(call)[1])
        found = next((one for one in mounts if str(one.number) == call.route.parts[1]), None)
        if found is None:
            raise Refusal(404, "The mount point was not found.")
        return found

    def mounts_of(self, call: Call) -> list[Mount]:
        """What a call is about: its own mount, or else all that the session has."""
        mine = [one for one in self.desk.mounts if one.session is call.session and not one.gone]
        parts = call.route.parts
        exact = [one for one in mine if [one.point.uid, str(one.number)] == list(parts)]
        return exact or mine

    def _find_task(self, call: Call) -> Task:
        for task in self.desk.tasks:
            if task.id == call.route.parts[0].lower() and task.session is call.session:
                return task
        raise Refusal(404, "The task was not found.")

    def _find_server(self, call: Call) -> str:
        for name in self._estate.shares:
            if documents.server_uid(name) == call.route.parts[0].lower():
                return name
        raise Refusal(404, "The backup server was not found.")
