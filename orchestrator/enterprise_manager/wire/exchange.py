"""One request and one reply, and the guard that keeps a request from acting on a whole machine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from orchestrator.enterprise_manager.wire.routes import route_of

_LISTING_ACTIONS = frozenset({"listall", "listdirs", "listfiles"})
_FILES = re.compile(
    r"/api/(?:vmRestorePoints|vmReplicaPoints|agents/agentRestorePoints)/[^/]+/mounts/[^/]+/.+", re.IGNORECASE
)
_FILE_ACTIONS = {"restore": ("POST",), "download": ("GET", "POST")}
_POSTS = re.compile(r"/api/sessionmngr/|/api/.+/mounts", re.IGNORECASE)
_COLLECTS = re.compile(r"/api/backupservers/[^/]+", re.IGNORECASE)
_DELETES = re.compile(r"/api/(?:logonsessions/[^/]+|tasks/[^/]+|.+/mounts/[^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `target` is path and query below EM's base address, percent-encoded once.

    `what` names the request in messages and holds no secret.
    """

    method: str
    target: str = field(repr=False)
    what: str
    body: bytes = field(default=b"", repr=False)
    repeatable: bool = False
    """Sending it twice does what sending it once does."""
    makes_mount: bool = False
    """Without a clear refusal EM may have made a mount."""
    restores: bool = False
    """Without a clear refusal EM may have begun to restore to the guest."""
    action: str = ""
    """The action on a file or folder of a mount that is asked for."""

    @property
    def acts_once(self) -> bool:
        """Whether a lost answer leaves open what EM has done."""
        return self.makes_mount or self.restores

    @property
    def route(self) -> str:
        """The template of `target`: labels metrics, and holds no id and no secret."""
        return route_of(self.target)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def refused(request: Request) -> str:
    """Why `request` must not be sent; empty when it may.

    `Restore` and `Failover` links stand beside `Create` and act on the whole machine (pages "VmRestorePoint",
    "VmReplicaPoint"), so only what this room needs passes: a list of what is allowed cannot miss a new action. What
    lies below a mount may be restored and downloaded, by a request that was made for it.
    """
    parts = urlsplit(request.target)
    if not parts.path.startswith("/api/") or request.target.startswith("//"):
        return "it does not lie below /api"
    pairs = parse_qsl(parts.query.replace(";", "&"), keep_blank_values=True)
    actions = [value.casefold() for key, value in pairs if key.casefold() == "action"]
    if request.method == "POST" and _COLLECTS.fullmatch(parts.path):
        only = actions == ["collect"] and len(pairs) == 1
        return "" if only else "its link asks a backup server for something other than to collect"
    if request.action:
        return _refused_file(request, parts.path, actions)
    if any(action not in _LISTING_ACTIONS for action in actions):
        return "its link asks for an action other than listing"
    if request.method == "POST" and not _POSTS.fullmatch(parts.path):
        return "its link is neither a logon nor a collection of mounts, nor asks for data to be collected"
    if request.method == "POST" and request.makes_mount and parts.query:
        return "its link carries a query"
    if request.method == "DELETE" and not _DELETES.fullmatch(parts.path):
        return "its link is neither a mount, a task nor a logon session"
    return "" if request.method in ("GET", "POST", "DELETE") else f"{request.method} is never sent"


def _refused_file(request: Request, path: str, actions: list[str]) -> str:
    if actions != [request.action] or request.method not in _FILE_ACTIONS.get(request.action, ()):
        return f"its link does not ask for {request.action}"
    return "" if _FILES.fullmatch(path) else "its link is no file or folder of a mount"
