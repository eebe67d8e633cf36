"""Restore points and restore sessions, as the query service returns them.

Sources: pages "VmRestorePoint", "VmReplicaPoint", "AgentRestorePoint", "RestoreSession", "QueryResult".
"""

import re
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import unquote

from orchestrator.core.catalog import URN_TYPES, FlrState, PointKind, Question, RestorePoint, kind_in
from orchestrator.enterprise_manager.wire.document import (
    Element,
    Unreadable,
    below,
    child,
    local,
    value,
    word,
)
from orchestrator.enterprise_manager.wire.instants import instant
from orchestrator.enterprise_manager.wire.links import Base, Link, links, pick, without_entity_format


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of restore point is named on the wire."""

    type: str
    name_field: str
    path: str

    @property
    def mount(self) -> str:
        return self.type + "Mount"

    @property
    def mount_list(self) -> str:
        return self.type + "MountList"


SHAPES = {
    PointKind.VM: Shape(URN_TYPES[PointKind.VM], "VmDisplayName", "vmRestorePoints"),
    PointKind.REPLICA: Shape(URN_TYPES[PointKind.REPLICA], "VmDisplayName", "vmReplicaPoints"),
    PointKind.AGENT: Shape(URN_TYPES[PointKind.AGENT], "ComputerName", "agents/agentRestorePoints"),
}
MOUNT_TYPES = tuple(shape.mount for shape in SHAPES.values())


def kind_of(asked: Question) -> PointKind:
    """The kind that a question is about: what its URN names, else what it says."""
    return kind_in(asked.uid) or asked.kind


def urn(uid: str, kind: PointKind) -> str:
    """`uid` as a URN; filters take that form."""
    return uid if uid.casefold().startswith("urn:") else f"urn:veeam:{SHAPES[kind].type}:{uid}"


def points(root: Element, base: Base, kind: PointKind) -> list[RestorePoint]:
    """One page of restore points, as they come."""
    entities = _entities(root, SHAPES[kind].type)
    return [_point(entity, base, kind) for entity in entities]


def point(root: Element, base: Base, kind: PointKind) -> RestorePoint:
    """The one restore point that is the root."""
    if SHAPES[kind].type.casefold() not in (local(root), word(root, "Type").casefold()):
        raise Unreadable(f"its root is {local(root)!r}, not {SHAPES[kind].type!r}")
    return _point(root, base, kind)


def _entities(root: Element, kind: str) -> list[Element]:
    known = ("Entities", "Refs", "Resources", "PagingInfo")
    if local(root) != "queryresult" and not (
        local(root) == "answer" and any(name.casefold() in _members(root) for name in known)
    ):
        raise Unreadable(f"its root is {local(root)!r}, not 'QueryResult'")
    if any(local(each) == "ref" for each in below(child(root, "Refs"))):
        raise Unreadable("it holds references where whole entities were asked for")
    found = below(child(root, "Entities"))
    return [each for each in found if kind.casefold() in (local(each), word(each, "Type").casefold())]


def _members(root: Element) -> set[str]:
    return {local(each) for each in root} | {str(key).casefold() for key in root.attrib}


def _point(entity: Element, base: Base, kind: PointKind) -> RestorePoint:
    shape, found = SHAPES[kind], links(entity)
    created = word(entity, "CreationTimeUTC") or word(entity, "CreationTime")
    if not created:
        raise Unreadable("a restore point in it has no CreationTimeUTC")
    server = pick(found, "Up", "BackupServerReference", "BackupServer")
    whole = pick(found, "Up", "RestorePointReference", "RestorePoint")
    file = pick(found, "Up", "BackupFileReference", "BackupFile")
    return RestorePoint(
        uid=_uid(entity, found, base, kind),
        vm=_machine(entity),
        created=instant(created),
        backup_server=server.name if server else "",
        mounts_href=_collection(found, "Down", shape.mount_list, base),
        create_href=_collection(found, "Create", shape.mount, base),
        kind=kind,
        backup_file=file.name if file else "",
        algorithm=value(entity, "Algorithm"),
        hierarchy=value(entity, "HierarchyObjRef"),
        whole=_guid(base.path(whole.href)) if whole else "",
    )


def _uid(entity: Element, found: list[Link], base: Base, kind: PointKind) -> str:
    if uid := word(entity, "UID"):
        return uid
    alternate = pick(found, "Alternate")
    href = word(entity, "Href") or (alternate.href if alternate else "")
    if not href:
        raise Unreadable("a restore point in it has neither UID nor Href")
    return urn(_guid(base.path(href)), kind)


def _guid(path: str) -> str:
    """The last name in a path, which is the id of what it leads to."""
    return unquote(path.partition("?")[0].rstrip("/").rpartition("/")[2])


def _machine(entity: Element) -> str:
    """`VmDisplayName`, else `VmName`, else `Name` before its last `@`: names of machines may hold `@` themselves."""
    named = value(entity, "VmDisplayName") or value(entity, "VmName") or value(entity, "Name").rpartition("@")[0]
    if not named:
        raise Unreadable("a restore point in it names no machine")
    return named


def _collection(found: list[Link], rel: str, kind: str, base: Base) -> str:
    """The path of a point's mounts; a link without a type counts only when it plainly leads there."""
    link = pick(found, rel, kind)
    if link is None:
        untyped = [each for each in found if not each.type and re.search(r"/mounts/?$", each.href, re.IGNORECASE)]
        link = pick(untyped, rel)
    return without_entity_format(base.path(link.href)) if link else ""


def distinct(found: list[RestorePoint]) -> list[RestorePoint]:
    """Each point once, newest first, equal times by id: pages are no consistent snapshot."""
    by_uid = {point.uid.casefold(): point for point in reversed(found)}
    return sorted(sorted(by_uid.values(), key=lambda point: point.uid), key=lambda point: point.created, reverse=True)


def on_server(found: list[RestorePoint], backup_server: str | None) -> list[RestorePoint]:
    """Without the points that name another backup server: a server too old for the filter ignores it."""
    if backup_server is None:
        return found
    wanted = backup_server.casefold()
    return [point for point in found if point.backup_server.casefold() in (wanted, "")]


def wholes(root: Element, base: Base) -> list[str]:
    """The ids of the restore points of whole backups on one page, case folded."""
    found = []
    for entity in _entities(root, "RestorePoint"):
        uid = word(entity, "UID") or _guid(base.path(word(entity, "Href")))
        found.append(uid.rpartition(":")[2].casefold())
    return found


def of_backup(found: list[RestorePoint], wanted: Set[str], backup_job: str) -> list[RestorePoint]:
    """The points that are part of one of the `wanted` restore points, each with the name of its job."""
    return named_backup([point for point in found if point.whole.casefold() in wanted], backup_job)


def named_backup(found: list[RestorePoint], backup_job: str) -> list[RestorePoint]:
    """The points, each with the name of its job."""
    return [replace(point, backup_job=backup_job) for point in found]


def restore_states(root: Element, vm: str, since: datetime) -> list[str]:
    """The states of the file-level restores of `vm` begun at or after `since`, on one page."""
    states: list[str] = []
    for entity in _entities(root, "RestoreSession"):
        name = value(entity, "VmDisplayName")
        kind = word(entity, "JobType") or "FileLevelRestore"
        created = word(entity, "CreationTimeUTC") or word(entity, "CreationTime")
        if name and name.casefold() != vm.casefold():
            continue
        if kind.casefold() != "filelevelrestore" or (created and instant(created) < since):
            continue
        states.append(word(entity, "State"))
    return states


def flr_state(states: list[str]) -> FlrState:
    """WORKING unless every one is `Stopped`: a state nobody knows proves nothing gone."""
    if not states:
        return FlrState.UNKNOWN
    stopped = all(state.casefold() == "stopped" for state in states)
    return FlrState.STOPPED if stopped else FlrState.WORKING
