"""Every request this room sends, as values.

Sources: pages "Logging On", "Query Service" and its filter pages, "POST /vmRestorePoints/{ID}/mounts",
"GET .../mounts/{ID}/{filepath}".
"""

from datetime import datetime, timedelta
from urllib.parse import quote
from xml.sax.saxutils import escape

from orchestrator.core.catalog import GuestOs, PointKind, Question, RestorePoint
from orchestrator.core.originals import InPlace, Standing
from orchestrator.enterprise_manager.wire.batches import Batch
from orchestrator.enterprise_manager.wire.exchange import Request
from orchestrator.enterprise_manager.wire.instants import written
from orchestrator.enterprise_manager.wire.links import with_parameters
from orchestrator.enterprise_manager.wire.points import SHAPES, kind_of, urn

_SPEC = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<StartMountSpec xmlns="http://www.veeam.com/ent/v1.0" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{}</StartMountSpec>'
)
_POINTS = "the query for restore points"
_OS_KIND = {GuestOs.WINDOWS: "<OsKind>Windows</OsKind>", GuestOs.LINUX: "<OsKind>Linux</OsKind>"}


def logon() -> Request:
    """POST without body; the slash before the question mark is part of the documented address."""
    return Request("POST", "/api/sessionMngr/?v=latest", "the logon")


def greeting() -> Request:
    """GET of the entry document, which needs no logon; asked once, since it is asked to know whether EM answers."""
    return Request("GET", "/api/", "the entry document")


def own_session(href: str) -> Request:
    """GET of the own logon session: the cheapest request that keeps it alive."""
    return Request("GET", href, "the heartbeat", repeatable=True)


def logoff(href: str) -> Request:
    return Request("DELETE", href, "the logoff", repeatable=True)


def question(query_path: str, asked: Question, page_size: int) -> Request:
    """The restore points that answer `asked`, newest first, first page."""
    kind = kind_of(asked)
    shape = SHAPES[kind]
    comparisons = [
        comparison(shape.name_field, "==", asked.vm) if asked.vm is not None else "",
        comparison("UID", "==", urn(asked.uid, kind)) if asked.uid is not None else "",
        *_between(asked.since, asked.until),
        comparison("BackupServerName", "==", asked.backup_server) if asked.backup_server is not None else "",
    ]
    target = _query(query_path, shape.type, page_size, [each for each in comparisons if each])
    return Request("GET", target, _POINTS, repeatable=True)


def points_of(query_path: str, batch: Batch, page_size: int) -> Request:
    """The restore points of a batch, newest first, first page. Names of which any one will do stand in brackets."""
    shape = SHAPES[batch.kind]
    field, values = shape.name_field, batch.vms
    if batch.uids:
        field, values = "UID", tuple(urn(uid, batch.kind) for uid in batch.uids)
    either = ",".join(comparison(field, "==", each) for each in values)
    comparisons = [
        f"({either})" if len(values) > 1 else either,
        *_between(batch.since, batch.until),
        comparison("BackupServerName", "==", batch.backup_server) if batch.backup_server is not None else "",
        # Only points of agents can be asked for by their backup; those of machines are told by `backups_of`.
        comparison("BackupName", "==", batch.backup_job) if batch.backup_job and batch.kind is PointKind.AGENT else "",
    ]
    target = _query(query_path, shape.type, page_size, [each for each in comparisons if each])
    return Request("GET", target, _POINTS, repeatable=True)


def backups_of(query_path: str, backup_job: str, backup_server: str | None, page_size: int) -> Request:
    """The restore points of whole backups (`RestorePoint`) of a job, newest first, first page."""
    comparisons = [comparison("BackupName", "==", backup_job)]
    if backup_server is not None:
        comparisons.append(comparison("BackupServerName", "==", backup_server))
    target = _query(query_path, "RestorePoint", page_size, comparisons)
    return Request("GET", target, f"the query for the backup of {backup_job}", repeatable=True)


def backup_servers(query_path: str, page_size: int) -> Request:
    """Every backup server, first page."""
    target = f"{query_path}?type=BackupServer&format=Entities&pageSize={page_size}&page=1"
    return Request("GET", target, "the query for backup servers", repeatable=True)


def collect(target: str, backup_server: str) -> Request:
    """The POST by which EM asks a backup server for what is new. To ask twice does what asking once does."""
    return Request("POST", target, f"the data collection of {backup_server}", repeatable=True)


def _between(since: datetime | None, until: datetime | None) -> list[str]:
    """In whole seconds, the widest: EM's instants have more digits than ours, and how its database rounds them is not
    documented. Who asks looks at the instants of what comes."""
    first = None if since is None else since.replace(microsecond=0)
    last = None if until is None else until.replace(microsecond=0) + timedelta(seconds=1)
    return [
        comparison("CreationTime", ">=", written(first)) if first is not None else "",
        comparison("CreationTime", "<=", written(last)) if last is not None else "",
    ]


def one_point(uid: str, kind: PointKind) -> Request:
    """The entity of one restore point (page "GET /agents/agentRestorePoints/{ID}" and its twins)."""
    guid = quote(uid.rpartition(":")[2], safe="")
    return Request("GET", f"/api/{SHAPES[kind].path}/{guid}?format=Entity", f"the restore point {uid}", repeatable=True)


def restore_sessions(query_path: str, point: RestorePoint, since: datetime, page_size: int) -> Request:
    """The file-level restores of that machine begun at or after `since`, on any backup server.

    Not narrowed to one backup server: to prove a mount gone, seeing too much is the safe side.
    """
    comparisons = [
        comparison("VmDisplayName", "==", point.vm),
        comparison("Type", "==", "FileLevelRestore"),
        comparison("CreationTime", ">=", written(since)),
    ]
    target = _query(query_path, "RestoreSession", page_size, comparisons)
    return Request("GET", target, f"the query for restore sessions of {point.vm}", repeatable=True)


def comparison(field: str, operator: str, text: str) -> str:
    """One comparison of a filter: the value always quoted, quotes inside doubled."""
    return f'{field}{operator}"' + text.replace('"', '""') + '"'


def _query(path: str, kind: str, page_size: int, comparisons: list[str]) -> str:
    # The whole filter is encoded, with %20 for a space: the server's reading of + is not documented.
    target = f"{path}?type={kind}&format=Entities&sortDesc=CreationTime&pageSize={page_size}&page=1"
    return f"{target}&filter={quote(';'.join(comparisons), safe='')}" if comparisons else target


def page(first: Request, target: str) -> Request:
    """A further page of the answer to `first`."""
    return Request("GET", target, first.what, repeatable=True)


def mounts_of(point: RestorePoint) -> Request:
    target = point.mounts_href or point.create_href
    return Request("GET", target, f"the mounts of {point.vm}", repeatable=True)


def make_mount(point: RestorePoint, os: GuestOs | None) -> Request:
    """The POST that makes a mount. Body only when `os` is given; the page for replicas demands one in any case,
    the page for agents knows none."""
    body = ""
    if point.kind is not PointKind.AGENT and (os is not None or point.kind is PointKind.REPLICA):
        body = _SPEC.format(_OS_KIND[os] if os is not None else "")
    return Request("POST", point.create_href, f"the mount of {point.vm}", body.encode(), makes_mount=True)


def task(href: str) -> Request:
    return Request("GET", href, f"the task {href}", repeatable=True)


def tasks() -> Request:
    """The tasks of the own session (page "GET /tasks")."""
    return Request("GET", "/api/tasks", "the list of tasks", repeatable=True)


def mount(href: str) -> Request:
    return Request("GET", href, f"the mount {href}", repeatable=True)


def folder(href: str, name: str) -> Request:
    return Request("GET", href, f"the listing of {name}", repeatable=True)


def list_all(href: str, page_size: int = 100) -> str:
    """The documented listing address of a folder, for answers that do not carry it."""
    return with_parameters(href, action="listAll", pageSize=page_size, page=1)


_RESTORE = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<FileRestoreSpec xmlns="http://www.veeam.com/ent/v1.0" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{}</FileRestoreSpec>'
)


def stage(href: str, name: str) -> Request:
    """The POST that makes a file of a mount ready for a download.

    Source: page "POST .../mounts/{ID}/{filepath}?action=restore". Not repeated by itself; a file that is made ready
    twice is harmless.
    """
    target = with_parameters(href.partition("?")[0], action="restore")
    body = _RESTORE.format("<ForDirectDownload/>").encode()
    return Request("POST", target, f"the download of {name}", body, action="restore")


def restore_in_place(href: str, name: str, how: InPlace) -> Request:
    """The POST that has EM restore a file or folder of a mount to where it was. `Overwrite` and `PermissionsOnly` are
    attributes; user name and password come in this order.

    Source: page "POST .../mounts/{ID}/{filepath}?action=restore".
    """
    flags = {
        Standing.KEEP: 'Overwrite="false"',
        Standing.OVERWRITE: 'Overwrite="true"',
        Standing.PERMISSIONS_ONLY: 'Overwrite="false" PermissionsOnly="true"',
    }
    inner = ""
    if how.user:
        user, password = escape(how.user), escape(how.password)
        inner = f"<GuestCredentials><UserName>{user}</UserName><Password>{password}</Password></GuestCredentials>"
    body = _RESTORE.format(f"<ToOriginalLocation {flags[how.standing]}>{inner}</ToOriginalLocation>")
    target = with_parameters(href.partition("?")[0], action="restore")
    what = f"the restore of {name} to its original location"
    return Request("POST", target, what, body.encode(), restores=True, action="restore")


def download(href: str, name: str, method: str = "GET") -> Request:
    """The bytes of a file that is ready: GET by its page, POST by the table of verbs."""
    return Request(method, href, f"the download of {name}", action="download")


def delete(href: str) -> Request:
    """DELETE of a mount (or a task). Ids are not used again, so a repetition is harmless."""
    return Request("DELETE", href, f"the deletion of {href}", repeatable=True)
