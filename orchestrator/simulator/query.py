"""The query service: `GET /query?type=...` (`query_service.md`, `get_query_*.md`)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from weakref import WeakKeyDictionary

from orchestrator.simulator import documents
from orchestrator.simulator.desk import Mount, MountDesk
from orchestrator.simulator.estate import Estate, Machine, Point, guid
from orchestrator.simulator.filters import (
    Field,
    Fields,
    FieldValue,
    Predicate,
    Row,
    compile_filter,
    sort_key,
    values_of,
)
from orchestrator.simulator.kinds import KINDS, kind_named
from orchestrator.simulator.paging import page_of, paging_info
from orchestrator.simulator.pen import Node, Pen
from orchestrator.simulator.refusals import Refusal
from orchestrator.simulator.sessions import Session

_TEXT, _TIME, _UID = Field(), Field("time"), Field("uid")
_SERVER: Fields = {"backupserveruid": _UID, "backupservername": _TEXT}
_POINT_TYPES = Field("enum", ("Full", "Increment", "ReverseIncrement"))
_ALGORITHMS = Field("enum", ("Full", "ReversedIncremental", "Incremental", "SyntheticFull"))
_STATES = Field("enum", ("Starting", "Stopping", "Working", "Stopped"))

FIELDS: Mapping[str, Fields] = {
    "VmRestorePoint": {
        "uid": _UID,
        "name": _TEXT,
        "creationtime": _TIME,
        "type": _POINT_TYPES,
        "algorithm": _ALGORITHMS,
        "restorepointid": _UID,
        "restorepointname": _TEXT,
        "vmdisplayname": _TEXT,
        **_SERVER,
    },
    "VmReplicaPoint": {
        "uid": _UID,
        "name": _TEXT,
        "creationtime": _TIME,
        "type": Field("enum", ("Full", "ReverseIncrement", "Increment", "Snapshot")),
        "algorithm": Field("enum", (*_ALGORITHMS.order, "Snapshot")),
        "replicauid": _UID,
        "replicaname": _TEXT,
        "vmdisplayname": _TEXT,
        **_SERVER,
    },
    "AgentRestorePoint": {
        "uid": _UID,
        "name": _TEXT,
        "creationtime": _TIME,
        "computername": _TEXT,
        "type": Field("enum", ("Full", "Increment")),
        "algorithm": Field("enum", ("Full", "Incremental", "SyntheticFull")),
        "restorepointid": _UID,
        "restorepointname": _TEXT,
        "backupuid": _UID,
        "backupname": _TEXT,
        "backupfileuid": _UID,
        "backupfilename": _TEXT,
        **_SERVER,
    },
    "RestorePoint": {
        "uid": _UID,
        "name": _TEXT,
        "creationtime": _TIME,
        "backupuid": _UID,
        "backupname": _TEXT,
        **_SERVER,
    },
    "RestoreSession": {
        "uid": _UID,
        "name": _TEXT,
        "type": Field("enum", ("FileLevelRestore", "RestoreVm")),
        "creationtime": _TIME,
        "endtime": _TIME,
        "state": _STATES,
        "vmdisplayname": _TEXT,
        "result": Field("enum", ("Success", "Warning", "Failed")),
        **_SERVER,
    },
    "BackupServer": {
        "uid": _UID,
        "name": _TEXT,
        "description": _TEXT,
        "ipordnsname": _TEXT,
        "port": _TEXT,
        "version": _TEXT,
    },
    "Task": {
        "taskid": _TEXT,
        "operation": _TEXT,
        "state": Field("enum", ("Running", "OperationFinished", "Finished")),
    },
}
"""The complete filter parameters per type (em-api 6)."""


@dataclass(frozen=True)
class Hit:
    """A row to filter by, and how to print what it stands for."""

    row: Row
    entity: Callable[[Pen], Node]
    reference: Callable[[Pen], Node]


def point_hit(machine: Machine, point: Point) -> Hit:
    """A restore point."""
    full = documents.point_type(machine, point) == "Full"
    row: Row = {
        "uid": point.uid,
        "name": documents.point_name(machine, point),
        "creationtime": point.created,
        "type": "Full" if full else "Increment",
        "algorithm": "Full" if full else "Incremental",
        "restorepointid": guid("restore point", point.uid),
        kind_named(machine.kind).named_by: machine.name,
        "backupuid": guid("backup", machine.backup_server, machine.job),
        "backupname": machine.job,
        "backupserveruid": documents.server_uid(machine.backup_server),
        "backupservername": machine.backup_server,
    }
    return Hit(
        row,
        lambda pen: documents.point_entity(pen, machine, point),
        lambda pen: documents.point_ref(pen, machine, point),
    )


_KNOWN: "WeakKeyDictionary[Estate, dict[str, tuple[Machine, Point, Hit]]]" = WeakKeyDictionary()
"""Hits that were made before, by the id of the point: every page of a query goes over all of them."""


def point_hits(estate: Estate, kind: str, means: Callable[[FieldValue], bool] | None = None) -> list[Hit]:
    """The points of a kind that EM has collected, machine by machine: of those whose names `means` takes, else all."""
    known = _KNOWN.setdefault(estate, {})
    found = []
    for machine in estate.machines:
        if machine.kind != kind or (means is not None and not means(machine.name)):
            continue
        for point in machine.points:
            made = known.get(point.uid)
            if made is None or made[0] is not machine or made[1] is not point:
                made = known[point.uid] = machine, point, point_hit(machine, point)
            if point.uid not in estate.uncollected:
                found.append(made[2])
    return found


def kind_of_points(entity: str) -> str:
    """The kind whose points a type of query asks for."""
    return next(kind.name for kind in KINDS if kind.entity == entity)


def machines_meant(pen: Pen, entity: str, parameters: Mapping[str, str]) -> Callable[[FieldValue], bool] | None:
    """Which names of machines a query for points can be about, None for all: a query about two hundred of ten thousand
    machines need not look at every point. Raises Refusal 400."""
    holds = _compiled(pen, entity, parameters)
    named_by = next(kind.named_by for kind in KINDS if kind.entity == entity)
    return None if holds is None else values_of(holds, named_by)


def whole_hits(estate: Estate) -> list[Hit]:
    """The restore points of whole backups; here each holds one machine's."""
    return [_whole_hit(m, p) for m in estate.machines if m.kind == "vm" for p in m.points]


def _whole_hit(machine: Machine, point: Point) -> Hit:
    row: Row = {
        "uid": guid("restore point", point.uid),
        "name": documents.point_name(machine, point),
        "creationtime": point.created,
        "backupuid": guid("backup", machine.backup_server, machine.job),
        "backupname": machine.job,
        "backupserveruid": documents.server_uid(machine.backup_server),
        "backupservername": machine.backup_server,
    }
    return Hit(
        row,
        lambda pen: documents.whole_point(pen, machine, point),
        lambda pen: _reference(pen, "RestorePoint", documents.whole_point(pen, machine, point)),
    )


def restore_state(mount: Mount, lag: float) -> str | None:
    """What EM knows of the file-level restore behind a mount, `lag` seconds late; None: nothing yet."""
    known = datetime.now(UTC) - timedelta(seconds=lag)
    if mount.since > known:
        return None
    return "Stopped" if mount.ended is not None and mount.ended <= known else "Working"


def restore_hits(desk: MountDesk, lag: float) -> list[Hit]:
    """Every file-level restore there was, of all sessions: this is how one looks from outside."""
    return [_restore_hit(mount, state) for mount in desk.mounts if (state := restore_state(mount, lag))]


def _restore_hit(mount: Mount, state: str) -> Hit:
    stopped = state == "Stopped"
    row: Row = {
        "uid": mount.uid,
        "name": f"FLR_[{mount.machine.name}]@{mount.since:%Y-%m-%d %H:%M:%S}",
        "type": "FileLevelRestore",
        "creationtime": mount.since,
        "endtime": mount.ended if stopped else None,
        "state": state,
        "result": "Success" if stopped else None,
        "vmdisplayname": mount.machine.name,
        "backupserveruid": documents.server_uid(mount.machine.backup_server),
        "backupservername": mount.machine.backup_server,
    }

    def reference(pen: Pen) -> Node:
        entity = documents.restore_session(pen, mount, state)
        return _reference(pen, "RestoreSession", entity)

    return Hit(row, lambda pen: documents.restore_session(pen, mount, state), reference)


def _reference(pen: Pen, kind: str, entity: Node) -> Node:
    href = entity.get("Href", "").partition("?")[0]
    said = {"Type": f"{kind}Reference", "Href": href, "Name": entity.get("Name"), "UID": entity.get("UID")}
    return pen.node("Ref", said)


def server_hits(estate: Estate) -> list[Hit]:
    """The backup servers."""

    def hit(name: str) -> Hit:
        row: Row = {
            "uid": documents.server_uid(name),
            "name": name,
            "description": "Simulated",
            "ipordnsname": name,
            "port": "9392",
            "version": "13.0.1.1071",
        }
        return Hit(
            row,
            lambda pen: documents.backup_server(pen, name),
            lambda pen: _reference(pen, "BackupServer", documents.backup_server(pen, name)),
        )

    return [hit(name) for name in estate.shares]


def task_hits(desk: MountDesk, session: Session) -> list[Hit]:
    """The tasks of this session; no other session's are shown (`get_query_task.md`)."""
    return [
        Hit(
            {"taskid": task.id, "state": task.state, "operation": task.operation},
            lambda pen, task=task: documents.task(pen, task),  # type: ignore[misc]
            lambda pen, task=task: documents.task(pen, task),  # type: ignore[misc]
        )
        for task in desk.tasks
        if task.session is session
    ]


def type_named(text: str | None) -> str:
    """The type as documented, asked for in any case; raises Refusal 400."""
    found = next((name for name in FIELDS if name.lower() == (text or "").lower()), None)
    if found is None:
        raise Refusal(400, f"Unknown type of query: {text}" if text else "The type of the query is missing.")
    return found


def result(pen: Pen, kind: str, hits: Sequence[Hit], parameters: Mapping[str, str]) -> Node:
    """`<QueryResult>` of what the lower-cased parameters ask for; raises Refusal 400."""
    found = _sorted(_filtered(pen, hits, kind, parameters), kind, parameters)
    page, shown = page_of(found, parameters, pen.settings.page_size_default)
    form = parameters.get("format", "").lower()
    if form not in ("", "entities", "entity", "reference", "references"):
        raise Refusal(400, f"Unknown format: {parameters['format']}")

    def at(number: int) -> str:
        asked = {**parameters, "type": kind, "pagesize": str(page.size), "page": str(number)}
        return pen.href("query", query="?" + _echo(asked))

    parts: list[Node] = []
    empty = not shown and pen.settings.empty_result == "absent"
    if kind == "Task":
        tasks = pen.node("Tasks", None, *(hit.entity(pen) for hit in shown))
        parts = [] if empty else [pen.node("Resources", None, tasks)]
    elif form.startswith("entit"):
        entities = pen.node(f"{kind}s", None, *(hit.entity(pen) for hit in shown))
        parts = [] if empty else [pen.node("Entities", None, entities)]
    else:
        parts = [] if empty else [pen.node("Refs", None, *(hit.reference(pen) for hit in shown))]
    return pen.node("QueryResult", None, *parts, paging_info(pen, page, at))


def _filtered(pen: Pen, hits: Sequence[Hit], kind: str, parameters: Mapping[str, str]) -> list[Hit]:
    holds = _compiled(pen, kind, parameters)
    return list(hits) if holds is None else [hit for hit in hits if holds(hit.row)]


def _compiled(pen: Pen, kind: str, parameters: Mapping[str, str]) -> Predicate | None:
    text = parameters.get("filter")
    return None if text is None else compile_filter(text, FIELDS[kind], case_matters=pen.settings.name_case_matters)


def _sorted(hits: list[Hit], kind: str, parameters: Mapping[str, str]) -> list[Hit]:
    for parameter in ("sortasc", "sortdesc"):
        name = parameters.get(parameter)
        if name is None:
            continue
        field = FIELDS[kind].get(name.lower())
        if field is None:
            raise Refusal(400, f"Unknown field to sort by: {name}")
        key = sort_key(field)
        hits = sorted(hits, key=lambda hit: key(hit.row.get(name.lower())), reverse=parameter == "sortdesc")
    return hits


_SPELLED = {"pagesize": "pageSize", "sortasc": "sortAsc", "sortdesc": "sortDesc"}


def _echo(parameters: Mapping[str, str]) -> str:
    """Parameters as the server echoes them: re-ordered, with lower-case escapes (captured, em-api 6)."""
    query = "&".join(
        f"{_SPELLED.get(name, name)}={quote(value, safe='')}" for name, value in sorted(parameters.items())
    )
    return re.sub("%[0-9A-F]{2}", lambda escape: escape.group().lower(), query)


def entity_lists(pen: Pen, hits: Sequence[Hit], kind: str, *, entities: bool) -> Node:
    """A plain collection: `<VmRestorePoints>` with `format=Entity`, else `<EntityReferences>`."""
    if entities:
        return pen.node(f"{kind}s", None, *(hit.entity(pen) for hit in hits))
    return pen.node("EntityReferences", None, *(hit.reference(pen) for hit in hits))
