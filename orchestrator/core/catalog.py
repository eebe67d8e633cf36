"""What Enterprise Manager holds, as values: restore points, mounts, tasks, listings.

Sources: reference pages "VmRestorePoint", "VmRestorePointMount", "Task", "FileSystemEntries" of the
Enterprise Manager web API.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class GuestOs(Enum):
    """Sent to EM as `OsKind`; EM assumes Windows when it is told nothing."""

    WINDOWS = "windows"
    LINUX = "linux"


class PointKind(Enum):
    """Where a restore point comes from; each kind has its own links at EM."""

    VM = "vm"
    REPLICA = "replica"
    AGENT = "agent"


URN_TYPES = {
    PointKind.VM: "VmRestorePoint",
    PointKind.REPLICA: "VmReplicaPoint",
    PointKind.AGENT: "AgentRestorePoint",
}
"""What EM calls the points of each kind, in `urn:veeam:<type>:<guid>` and elsewhere."""


def kind_in(uid: str | None) -> PointKind | None:
    """The kind that a URN names; None for a bare guid and for none at all."""
    for kind, name in URN_TYPES.items():
        if uid is not None and uid.casefold().startswith(f"urn:veeam:{name}:".casefold()):
            return kind
    return None


@dataclass(frozen=True, slots=True)
class Question:
    """One question to EM's query service. Every field that is None does not restrict the answer.

    `vm` is an exact name, `uid` a restore point id (bare guid or URN), `since` and `until` are instants (UTC), both
    included; what was made within a second of them may be among the answers. `kind` says which points are asked for;
    the type that a URN in `uid` names goes before it. `backup_job` is the name of a backup, which is that of its job.
    """

    vm: str | None = None
    uid: str | None = None
    until: datetime | None = None
    backup_server: str | None = None
    kind: PointKind = PointKind.VM
    since: datetime | None = None
    backup_job: str | None = None


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A restore point as EM describes it. Hrefs are paths below EM's base address, not whole addresses."""

    uid: str
    vm: str
    created: datetime
    backup_server: str
    mounts_href: str
    """The collection of mounts (`Rel="Down"`)."""
    create_href: str
    """Where a mount is made (`Rel="Create"`); empty when EM does not offer it."""
    kind: PointKind = PointKind.VM
    backup_file: str = ""
    """The name of its backup file; empty where EM names none, as of a replica."""
    algorithm: str = ""
    """How its backup is made, in EM's word: Full, Incremental, ReversedIncremental, SyntheticFull; empty if unknown."""
    hierarchy: str = ""
    """EM's reference of the machine (`urn:VMware:Vm:<host>.<id>`); empty when EM names none."""
    whole: str = ""
    """The restore point of the whole backup that this is a part of, as EM names its resource; empty for a replica."""
    backup_job: str = ""
    """The name of its backup; empty unless that was asked for."""
    reverse: bool = False
    """Whether its chain of backup files is made reverse-incrementally: EM says so of it, or of another in the chain."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What EM says to anybody. `versions` of its web API as it spells them, `date` its own clock, `certificate_ends`
    the last moment of its certificate, each None if it cannot be told; `seconds` that the answer took."""

    versions: tuple[str, ...]
    date: datetime | None
    certificate_ends: datetime | None
    seconds: float


class TaskPhase(Enum):
    """EM's three task states. An unknown state counts as running until the deadline."""

    RUNNING = "Running"
    OPERATION_FINISHED = "OperationFinished"
    FINISHED = "Finished"


@dataclass(frozen=True, slots=True)
class Task:
    """A task of EM. `success` is None while it is not known; `mounts` are the hrefs of its Related links, `download` is
    where a file that it made ready can be had."""

    href: str
    phase: TaskPhase
    success: bool | None = None
    message: str = ""
    mounts: tuple[str, ...] = ()
    download: str = ""


@dataclass(frozen=True, slots=True)
class MountRoot:
    """One file-system root of a mount: `C:`, `Volume$0:`, a random id, or `/`."""

    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount as EM describes it: its own href and its roots. EM names neither host nor folder."""

    href: str
    roots: tuple[MountRoot, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One name in a listing. `size` in bytes (None for folders), `modified` in whole seconds UTC (None if unknown)."""

    folder: bool
    size: int | None = None
    modified: int | None = None


Listing = Mapping[str, Listed]
"""The direct children of one folder, by name."""


@dataclass(frozen=True, slots=True)
class Browsed:
    """One name in a folder of a mount, as EM lists it. `href` leads to it: to the listing of a folder, to a file."""

    name: str
    href: str
    listed: Listed


@dataclass(frozen=True, slots=True)
class BrowsedPage:
    """One page of a listing. `following` leads to the next, empty at the end; `pages` is how many EM says there are."""

    entries: tuple[Browsed, ...]
    following: str = ""
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class ShareFolder:
    """A folder directly below a share. `created_ns`: the newest of its times, in nanoseconds since 1970 UTC."""

    name: str
    created_ns: int


@dataclass(frozen=True, slots=True)
class ShareListing:
    """The folders of a share at one moment.

    `identity` (device and inode) is that of the folder which was listed, and `mounted` says whether a file system is
    mounted right there: a share that is no longer mounted leaves an empty folder of the same name behind.
    """

    folders: tuple[ShareFolder, ...]
    identity: tuple[int, int]
    mounted: bool = False


class FlrState(Enum):
    """What EM's restore sessions say of the file-level restores of one machine."""

    WORKING = "working"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
