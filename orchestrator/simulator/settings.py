"""How this Enterprise Manager behaves: every question its documentation leaves open is a switch here."""

from dataclasses import dataclass
from typing import Literal

FILE_RESTORE_OPERATOR = "File Restore Operator"
PORTAL_ADMINISTRATOR = "Portal Administrator"
PORTAL_USER = "Portal User"
VM_RESTORE_OPERATOR = "VM Restore Operator"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Switches of the simulated Enterprise Manager. Durations are seconds.

    Account: `username` is compared without regard to case, `roles` follow the role table of
    `security_roles_concept.md`; `logon_without_role` is the status of a logon with a right password and no role.

    Sessions: `idle_timeout` ends a session without requests; `session_end_unmounts` says when the disks of an
    ended session go away ("later" = after `session_end_delay`); the REST resource is gone at once in each case.

    Mounts: a task runs `task_seconds`, then stands `operation_finished_seconds` in `OperationFinished` (0 = never
    seen there), then is `Finished`, with its Related link if `task_related`; `task_wrapped` answers a task inside
    `<Tasks>`; `task_delete_stops` is what DELETE does to a running mount task. `max_mounts_per_server` counts
    mounts from POST to unmount, orphans too. `os_mismatch` is what a wrong `OsKind` brings. `unmount_seconds` is
    how long the disks outlive a DELETE that was already answered; `delete_status` 202 answers a task instead.

    Restores by EM: a task runs `restore_seconds`; `guest_credentials` (user, password) are asked for by the guest when
    set; `download_verb` is the only one that fetches a download ("GET" by its page, "POST" by the verb table);
    `in_place_only` is the account's flag that forbids downloads.

    Share: folders are `<vm>_<8 hex>` if `folder_suffix`, else `<vm>` while that name is free; they appear
    `folder_delay` after the mount; `stale_folders` puts an elder `<vm>` and a look-alike `<vm>0` beside them.

    Wire: `advertise` is the authority put into every Href; `bom`, `attribute_order`, `browse_form`,
    `display_name` (the VmDisplayName attribute of a point), `owner` (the Owner of a file), `empty_result`
    ("absent": no Entities element), `collection_404_when_empty`, `page_size_default` (queries without pageSize;
    0 = everything), `linux_root_href` ("double": `mounts/1//srv`, "single": `mounts/1/srv`; both are understood),
    `listing_shifts` (how many further pages of a mount's listings are shown one name too early, as of a folder that
    has changed meanwhile: one name comes twice, and one is missed), `agent_create` (whether agent
    points offer a mount), `replica_related` (the sample's link from the task of a replica leads below
    `vmRestorePoints`; both ways are understood),
    `random_volume_ids` (roots without drive letters), `name_case_matters` (string filters),
    `algorithm` (of points that are not full), `mounts_offered` (the link `Create` of a point),
    `certificate_days` (how long a certificate that is made will be valid),
    `restore_session_lag` (the collection job: how late EM learns what became of a file-level restore).

    Catalogue: `indexed` names the machines in it; `index_after_browse` lists no folder before a browse, which is not
    simulated.
    """

    username: str = "CORP\\restore"
    password: str = "restore"  # noqa: S105 - the account exists only inside this box
    roles: tuple[str, ...] = (FILE_RESTORE_OPERATOR,)
    logon_without_role: Literal[401, 403] = 401
    idle_timeout: float = 900.0
    session_end_unmounts: Literal["now", "later", "never"] = "now"
    session_end_delay: float = 1.0
    task_seconds: float = 0.2
    operation_finished_seconds: float = 0.05
    task_related: bool = True
    task_wrapped: bool = False
    task_delete_stops: bool = True
    max_mounts_per_server: int | None = None
    os_mismatch: Literal["fail", "empty"] = "fail"
    unmount_seconds: float = 0.0
    restore_seconds: float = 0.01
    guest_credentials: tuple[str, str] | None = None
    download_verb: Literal["GET", "POST"] = "GET"
    in_place_only: bool = False
    delete_status: Literal[200, 202, 204] = 204
    folder_suffix: bool = True
    folder_delay: float = 0.0
    stale_folders: bool = False
    advertise: str = "http://local.host:9399"
    bom: bool = False
    attribute_order: Literal["old", "new"] = "old"
    browse_form: Literal["entries", "entry"] = "entries"
    display_name: bool = True
    owner: bool = True
    empty_result: Literal["empty", "absent"] = "empty"
    collection_404_when_empty: bool = False
    page_size_default: int = 100
    linux_root_href: Literal["double", "single"] = "double"
    listing_shifts: int = 0
    agent_create: bool = True
    replica_related: Literal["replica", "vm"] = "replica"
    random_volume_ids: bool = False
    name_case_matters: bool = False
    algorithm: Literal["Incremental", "ReversedIncremental"] = "Incremental"
    mounts_offered: bool = True
    certificate_days: int = 3650
    restore_session_lag: float = 0.0
    indexed: tuple[str, ...] = ()
    index_after_browse: bool = False
    browse_extra_latency: float = 0.0
    request_latency: float = 0.0

    @property
    def may_mount(self) -> bool:
        """POST, list, read and DELETE mounts (role table, `security_roles_concept.md`)."""
        return bool({FILE_RESTORE_OPERATOR, PORTAL_ADMINISTRATOR} & set(self.roles))

    @property
    def may_browse(self) -> bool:
        """GET of a `{filepath}` below a mount: also allowed to a Portal User."""
        return self.may_mount or PORTAL_USER in self.roles

    @property
    def may_see_servers(self) -> bool:
        """Backup servers, and queries for them and for agent points: not for the restore operators."""
        return bool({PORTAL_ADMINISTRATOR, PORTAL_USER} & set(self.roles))
