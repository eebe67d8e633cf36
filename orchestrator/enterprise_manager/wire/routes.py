"""Which resource a request is about, as a word for metrics and traces: never an id, never a name, never a secret.

Sources: pages "Logging On", "Query Service", "Tasks", "POST /vmRestorePoints/{ID}/mounts" and its twins for replicas
and agents.
"""

import re

OTHER = "other"
"""Every address that is none of the known ones; so the number of routes is fixed, whatever EM calls things."""

_POINTS = r"(vmRestorePoints|vmReplicaPoints|agents/agentRestorePoints)/[^/]+"
_INDEX = r"catalog/vms/[^/]+/vmRestorePoints/[^/]+"
_ROUTES = tuple(
    (re.compile(pattern, re.IGNORECASE), template)
    for pattern, template in (
        (r"", "/"),
        (r"sessionMngr/?", "/sessionMngr"),
        (r"logonSessions/[^/]+", "/logonSessions/{id}"),
        (r"query", "/query"),
        (r"backupServers/[^/]+", "/backupServers/{id}"),
        (r"tasks", "/tasks"),
        (r"tasks/[^/]+", "/tasks/{id}"),
        (r"catalog/vms", "/catalog/vms"),
        (r"catalog/vms/[^/]+/vmRestorePoints/[^/]+", "/catalog/vms/{id}/vmRestorePoints/{id}"),
        (
            r"catalog/vms/[^/]+/vmRestorePoints/[^/]+/guestfs/.*",
            "/catalog/vms/{id}/vmRestorePoints/{id}/guestfs/{path}",
        ),
        (_POINTS, "/{points}/{{id}}"),
        (rf"{_POINTS}/mounts", "/{points}/{{id}}/mounts"),
        (rf"{_POINTS}/mounts/[^/]+", "/{points}/{{id}}/mounts/{{id}}"),
        (rf"{_POINTS}/mounts/[^/]+/.*", "/{points}/{{id}}/mounts/{{id}}/{{path}}"),
    )
)
_SPELLINGS = {name.casefold(): name for name in ("vmRestorePoints", "vmReplicaPoints", "agents/agentRestorePoints")}


def route_of(target: str) -> str:
    """The template of a target, such as `/vmRestorePoints/{id}/mounts`; OTHER when it is none of those used here."""
    path = target.partition("?")[0].removeprefix("/api/")
    for pattern, template in _ROUTES:
        if found := pattern.fullmatch(path):
            points = _SPELLINGS[found[1].casefold()] if found.re.groups else ""
            return template.format(points=points) if points else template
    return OTHER
