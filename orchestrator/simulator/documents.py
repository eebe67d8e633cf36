"""Everything Enterprise Manager says, except listings of folders and results of queries. Pure."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from orchestrator.simulator.desk import Mount, Task
from orchestrator.simulator.estate import Machine, Point, guid
from orchestrator.simulator.kinds import REPLICA, VM, Kind, kind_named
from orchestrator.simulator.pen import Link, Node, Pen
from orchestrator.simulator.sessions import Session

VERSIONS = ("v1_5", "v1_6", "v1_7")


def utc(moment: datetime) -> str:
    """A time as EM prints it: a fraction of 0, 3, 6 or 7 digits, and Z (em-api 7)."""
    micro = moment.microsecond
    if not micro:
        fraction = ""
    elif micro % 1000 == 0:
        fraction = f".{micro // 1000:03d}"
    else:
        fraction = f".{micro:06d}" + ("0" if moment.second % 2 else "")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def server_uid(name: str) -> str:
    """The bare guid of a backup server."""
    return guid("backup server", name)


def point_name(machine: Machine, point: Point) -> str:
    """`<vm>@<time>`; not to be parsed."""
    return f"{machine.name}@{point.created:%Y-%m-%d %H:%M:%S}"


def point_type(machine: Machine, point: Point) -> str:
    """The oldest point of a chain is full."""
    return "Full" if point is machine.points[0] else "Increment"


def entry(pen: Pen) -> Node:
    """The entry document, shown to anybody."""
    create = [Link("Create", pen.href("sessionMngr", "", query="?v=latest"), "LogonSession")]
    versions = [
        pen.node(
            "SupportedVersion",
            {"Name": name},
            pen.links(Link("Create", pen.href("sessionMngr", "", query=f"?v={name}"), "LogonSession")),
        )
        for name in VERSIONS
    ]
    down = Link("Down", pen.href("logonSessions"), "LogonSessionList")
    return pen.node("EnterpriseManager", None, pen.links(down, *create), pen.node("SupportedVersions", None, *versions))


def session(pen: Pen, one: Session) -> Node:
    """A logon session: Links, UserName, SessionId; the links follow the roles (`logging_on.md`)."""
    href = pen.href("logonSessions", one.id)
    links = [Link("Up", pen.href(""), "EnterpriseManager")]
    if pen.settings.may_see_servers:
        links.append(Link("Down", pen.href("backupServers"), "BackupServerReferenceList"))
    links += [
        Link("Down", pen.href("vmRestorePoints"), "VmRestorePointReferenceList"),
        Link("Down", pen.href("vmReplicaPoints"), "VmReplicaPointReferenceList"),
        Link("Down", pen.href("restoreSessions"), "RestoreSessionReferenceList"),
        Link("Down", pen.href("tasks"), "TaskList"),
        Link("Down", pen.href("querySvc"), "QueryService"),
        Link("Down", pen.href("vmRestorePoints", query="?format=Entity"), "VmRestorePointList"),
        Link("Down", pen.href("agents"), "AgentsService"),
        Link("Delete", href),
    ]
    said = pen.leaf("UserName", one.user), pen.leaf("SessionId", one.id)
    return pen.entity("LogonSession", href, pen.links(*links), *said)


def task(pen: Pen, one: Task) -> Node:
    """A task; Result only once there is one, the Related link only in `Finished` (em-api 5)."""
    href = pen.href("tasks", one.id)
    links = [Link("Delete", href, "Task")]
    if one.related and one.state == "Finished" and pen.settings.task_related:
        links.append(_related(pen, one.related))
    if one.download and one.state == "Finished":
        links.append(Link("Download", one.download))
    parts = [pen.leaf("TaskId", one.id), pen.leaf("State", one.state), pen.leaf("Operation", one.operation)]
    if one.success is not None:
        result = {"Success": "true" if one.success else "false"}
        if one.credentials_needed:
            result["CredentialsNeeded"] = "true"
        parts.append(pen.node("Result", result, pen.leaf("Message", one.message)))
    return pen.entity("Task", href, pen.links(*links), *parts)


def _related(pen: Pen, mount: Mount) -> Link:
    """From a task to its mount. The sample for replicas leads below the points of VMs (em-api 5)."""
    kind, href = kind_named(mount.machine.kind), mount_href(pen, mount)
    if kind is REPLICA and pen.settings.replica_related == "vm":
        kind, href = VM, pen.href(*VM.path, mount.point.uid, "mounts", str(mount.number))
    return Link("Related", href, kind.mount, f"{mount.point.uid}@{mount.number}")


def point_href(pen: Pen, machine: Machine, point: Point, *more: str, query: str = "") -> str:
    """The Href of a point, or of something below it."""
    return pen.href(*kind_named(machine.kind).path, point.uid, *more, query=query)


def point_entity(pen: Pen, machine: Machine, point: Point) -> Node:
    """A restore point with its links in the documented order: the dangerous one stands first (em-api 7, 9)."""
    kind = kind_named(machine.kind)
    mounts = point_href(pen, machine, point, "mounts")
    dangerous = Link(kind.dangerous, point_href(pen, machine, point, query=f"?action={kind.dangerous.lower()}"))
    links = [
        *([dangerous] if kind.dangerous else []),
        *_ups(pen, machine, point),
        Link(
            "Alternate",
            point_href(pen, machine, point),
            f"{kind.entity}Reference",
            point_name(machine, point),
        ),
        Link("Down", mounts, f"{kind.mount}List"),
        *([Link("Create", mounts, kind.mount)] if _offers_mounts(pen, kind) else []),
    ]
    number = int(uuid.UUID(guid(machine.name))) % 9000 + machine.twin
    hierarchy = f"urn:VMware:Vm:{guid('hierarchy', machine.backup_server)}.vm-{number}"
    return pen.entity(
        kind.entity,
        point_href(pen, machine, point, query="?format=Entity"),
        pen.links(*links),
        pen.leaf("CreationTimeUTC", utc(point.created)),
        *([pen.leaf("VmName", machine.name)] if kind is VM else []),
        pen.leaf("Algorithm", "Full" if point_type(machine, point) == "Full" else pen.settings.algorithm),
        pen.leaf("PointType", point_type(machine, point)),
        *([pen.leaf("HierarchyObjRef", hierarchy)] if kind is VM else []),
        Name=point_name(machine, point),
        VmDisplayName=machine.name if pen.settings.display_name and kind.name != "agent" else None,
        UID=f"urn:veeam:{kind.entity}:{point.uid}",
    )


def _offers_mounts(pen: Pen, kind: Kind) -> bool:
    return pen.settings.mounts_offered and (kind.name != "agent" or pen.settings.agent_create)


def point_ref(pen: Pen, machine: Machine, point: Point, name: str = "Ref") -> Node:
    """The reference form of a point; it has no mounts links."""
    kind = kind_named(machine.kind)
    alternate = Link(
        "Alternate",
        point_href(pen, machine, point, query="?format=Entity"),
        kind.entity,
        point_name(machine, point),
    )
    attributes = {
        "Type": f"{kind.entity}Reference",
        "Href": point_href(pen, machine, point),
        "Name": point_name(machine, point),
        "UID": f"urn:veeam:{kind.entity}:{point.uid}",
    }
    return pen.node(name, attributes, pen.links(*_ups(pen, machine, point), alternate))


def whole_point(pen: Pen, machine: Machine, point: Point) -> Node:
    """The restore point of the whole backup that a point is a part of (`restorepoints_id.md`)."""
    uid, name = guid("restore point", point.uid), _padded(point)
    server, backup = server_uid(machine.backup_server), guid("backup", machine.backup_server, machine.job)
    links = [
        Link("Up", pen.href("backupServers", server), "BackupServerReference", machine.backup_server),
        Link("Up", pen.href("backups", backup), "BackupReference", machine.job),
        Link("Alternate", pen.href("restorePoints", uid), "RestorePointReference", name),
    ]
    href = pen.href("restorePoints", uid, query="?format=Entity")
    return pen.entity("RestorePoint", href, pen.links(*links), Name=name, UID=f"urn:veeam:RestorePoint:{uid}")


def _padded(point: Point) -> str:
    hour = point.created.strftime("%I").lstrip("0")
    return f"{point.created:%b %d %Y} {hour:>2}{point.created:%M%p}"


def _ups(pen: Pen, machine: Machine, point: Point) -> Iterable[Link]:
    server = pen.href("backupServers", server_uid(machine.backup_server))
    shown = _padded(point)
    file = f"Files D{point.created:%Y-%m-%dT%H%M%S}_{point.uid[:4].upper()}.vib"
    yield Link("Up", server, "BackupServerReference", machine.backup_server)
    if machine.kind == "replica":
        yield Link(
            "Up", pen.href("replicas", guid("replica", machine.name)), "ReplicaReference", f"{machine.name}_replica"
        )
        return
    yield Link("Up", pen.href("restorePoints", guid("restore point", point.uid)), "RestorePointReference", shown)
    yield Link("Up", pen.href("backupFiles", guid("backup file", point.uid)), "BackupFileReference", file)


def mount_href(pen: Pen, one: Mount) -> str:
    """The Href of a mount."""
    return point_href(pen, one.machine, one.point, "mounts", str(one.number))


def shown_root(pen: Pen, one: Mount, root: str) -> str:
    """A root as this mount shows it: a random id where drive letters cannot be determined (em-api 8.2), which a Linux
    mount host cannot."""
    letters_lost = one.host.by_id and one.machine.os == "windows"
    return guid("root", one.uid, root) if pen.settings.random_volume_ids or letters_lost else root


def mount(pen: Pen, one: Mount) -> Node:
    """A mount: links and file system roots, and nothing that tells host or folder."""
    roots = [] if one.os_kind.lower() != one.machine.os else [volume.root for volume in one.point.volumes]
    entries = []
    for root in roots:
        name = shown_root(pen, one, root)
        href = root_href(pen, one, name)
        entries.append(pen.entity("DirectoryEntry", href, pen.leaf("Path", name), pen.leaf("Name", name)))
    kind = kind_named(one.machine.kind)
    href = mount_href(pen, one)
    links = pen.links(Link("Delete", href, kind.mount))
    return pen.entity(kind.mount, href, links, pen.node("FSRoots", None, *entries))


def root_href(pen: Pen, one: Mount, shown: str, *below: str) -> str:
    """The Href of a root, or of a path below it; a Linux root is an empty segment (or none: a switch)."""
    first = [shown]
    if shown == "/":
        first = ["", ""] if not below and pen.settings.linux_root_href == "double" else [""]
        if below and pen.settings.linux_root_href == "single":
            first = []
    return point_href(pen, one.machine, one.point, "mounts", str(one.number), *first, *below)


def restore_session(pen: Pen, one: Mount, state: str) -> Node:
    """What EM knows of a file-level restore (`restoresessions_id.md`), in this state."""
    name = f"FLR_[{one.machine.name}]@{one.since:%Y-%m-%d %H:%M:%S}"
    server = Link(
        "Up",
        pen.href("backupServers", server_uid(one.machine.backup_server)),
        "BackupServerReference",
        one.machine.backup_server,
    )
    entity = kind_named(one.machine.kind).entity
    related = Link("Related", point_href(pen, one.machine, one.point), f"{entity}Reference")
    parts = [pen.leaf("JobType", "FileLevelRestore"), pen.leaf("CreationTimeUTC", utc(one.since))]
    if state == "Stopped" and one.ended:
        parts.append(pen.leaf("EndTimeUTC", utc(one.ended)))
    parts.append(pen.leaf("State", state))
    if state == "Stopped":
        parts.append(pen.leaf("Result", "Success"))
    return pen.entity(
        "RestoreSession",
        pen.href("restoreSessions", one.uid, query="?format=Entity"),
        pen.links(server, related),
        *parts,
        pen.leaf("Progress", "100" if state == "Stopped" else "0"),
        Name=name,
        UID=f"urn:veeam:RestoreSession:{one.uid}",
        VmDisplayName=one.machine.name,
    )


def backup_server(pen: Pen, name: str) -> Node:
    """A backup server (`backupservers_id.md`)."""
    uid = server_uid(name)
    href = pen.href("backupServers", uid, query="?format=Entity")
    collect = Link("Create", pen.href("backupServers", uid, query="?action=collect"))
    parts = pen.leaf("Description", "Simulated"), pen.leaf("Port", "9392"), pen.leaf("Version", "13.0.1.1071")
    return pen.entity("BackupServer", href, pen.links(collect), *parts, Name=name, UID=f"urn:veeam:BackupServer:{uid}")


def error(pen: Pen, status: int, message: str) -> Node:
    """The body of a refusal (em-api 4)."""
    said = {"Message": message, "StatusCode": str(status)}
    return pen.node("Error", said, pen.leaf("FirstChanceExceptionMessage", message))
