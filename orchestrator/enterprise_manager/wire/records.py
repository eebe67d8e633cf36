"""Logon sessions, tasks, mounts and listings, read tolerantly.

Sources: pages "LogonSession", "Task", "VmRestorePointMount" and its twins, "FileSystemEntry", "FileSystemEntries".
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from orchestrator.core.catalog import Listed, Listing, Mount, MountRoot, Task, TaskPhase
from orchestrator.enterprise_manager.wire.document import (
    Element,
    Unreadable,
    below,
    child,
    children,
    local,
    number,
    value,
    word,
)
from orchestrator.enterprise_manager.wire.instants import epoch_seconds
from orchestrator.enterprise_manager.wire.links import Base, action_of, links, pick, without_entity_format
from orchestrator.enterprise_manager.wire.points import MOUNT_TYPES

_YES = frozenset({"true", "1"})
_NO = frozenset({"false", "0"})
_QUERY = "/api/query"


@dataclass(frozen=True, slots=True)
class LogonSession:
    """What a logon gives. Every field but the last is as secret as the token."""

    token: str = field(repr=False)
    session_id: str = field(repr=False)
    href: str = field(repr=False)
    delete_href: str = field(repr=False)
    query_path: str = _QUERY


def logon_session(root: Element, base: Base, token: str) -> LogonSession:
    """The `LogonSession` that belongs to `token`; the root may be the list `LogonSessions`."""
    session = _own_session(root, token)
    found = links(session)
    session_id = word(session, "SessionId")
    delete = pick(found, "Delete", "LogonSession", "") or pick(found, "Delete")
    own = word(session, "Href") or (delete.href if delete else "")
    if own:
        path = without_entity_format(base.path(own))
    elif session_id:
        path = "/api/logonSessions/" + quote(session_id, safe="")
    else:
        raise Unreadable("it holds neither SessionId nor a link to the session")
    service = pick(found, "Down", "QueryService")
    return LogonSession(
        token=token,
        session_id=session_id or unquote(path.rpartition("/")[2]),
        href=path,
        delete_href=without_entity_format(base.path(delete.href)) if delete else path,
        query_path=_query_path(base.path(service.href)) if service else _QUERY,
    )


def versions(root: Element) -> tuple[str, ...]:
    """The versions of the web API that the entry document names (page "HTTP Authentication")."""
    found = (word(each, "Name") for each in root.iter() if local(each) == "supportedversion")
    return tuple(name for name in found if name)


def _own_session(root: Element, token: str) -> Element:
    if local(root) == "logonsession" or (local(root) == "answer" and word(root, "SessionId")):
        return root
    sessions = [each for each in below(root) if local(each) == "logonsession"]
    if len(sessions) == 1:
        return sessions[0]
    # Never a guess: logging off the wrong one would end another user's session.
    names = {token, _decoded(token)}
    own = [each for each in sessions if word(each, "SessionId") in names]
    if len(own) != 1:
        raise Unreadable(f"its root is {local(root)!r}, not 'LogonSession'")
    return own[0]


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _query_path(service: str) -> str:
    """`/querySvc` only lists ready-made queries; the queries themselves go to its neighbour `/query`."""
    path = service.partition("?")[0].rstrip("/")
    return path.rpartition("/")[0] + "/query"


def task(root: Element, base: Base, asked: str = "") -> Task:
    """A `Task`, bare or in a `Tasks` wrapper. `asked` is the href it was asked by, which stays its name."""
    element = _one_task(root, base, asked)
    result, found = child(element, "Result"), links(element)
    delete = pick(found, "Delete")
    own = word(element, "Href") or (delete.href if delete else "")
    identity = word(element, "TaskId")
    if not asked and not own and not identity:
        raise Unreadable("the task in it has neither Href nor TaskId")
    mounts = [link for link in found if link.rel == "related" and _leads_to_mount(link.type, link.href)]
    download = pick(found, "Download")
    success, message = _result(result)
    return Task(
        href=asked or (base.path(own) if own else "/api/tasks/" + quote(identity, safe="")),
        phase=_PHASES.get(word(element, "State").casefold(), TaskPhase.RUNNING),
        success=success,
        message=message,
        mounts=tuple(dict.fromkeys(without_entity_format(base.path(link.href)) for link in mounts)),
        download=base.path(download.href) if download else "",
    )


def mount_tasks(root: Element, base: Base) -> list[Task]:
    """The tasks of a `Tasks` list that make a mount; none when the list is empty."""
    return _tasks(root, base, "MountRestorePoint")


def restore_tasks(root: Element, base: Base) -> list[Task]:
    """The tasks of a `Tasks` list that restore files out of a mount; none when the list is empty."""
    return _tasks(root, base, "FileRestoreFromMountPoint")


def _tasks(root: Element, base: Base, operation: str) -> list[Task]:
    """Those of one operation. One that does not say what it is may be any."""
    if local(root) not in ("tasks", "task", "answer"):
        raise Unreadable(f"its root is {local(root)!r}, not 'Tasks'")
    each = [root] if local(root) == "task" else [one for one in below(root) if local(one) == "task"]
    return [task(one, base) for one in each if word(one, "Operation") in ("", operation)]


_PHASES = {phase.value.casefold(): phase for phase in TaskPhase}


def _one_task(root: Element, base: Base, asked: str) -> Element:
    if local(root) == "task":
        return root
    tasks = [each for each in below(root) if local(each) == "task"] if local(root) in ("tasks", "answer") else []
    if len(tasks) == 1:
        return tasks[0]
    own = [each for each in tasks if asked and word(each, "Href") and base.path(word(each, "Href")) == asked]
    if len(own) != 1:
        raise Unreadable(f"its root is {local(root)!r}, not one 'Task'")
    return own[0]


def _leads_to_mount(kind: str, href: str) -> bool:
    if kind:
        return kind in {each.casefold() for each in MOUNT_TYPES}
    return re.search(r"/mounts/[^/?]+$", href, re.IGNORECASE) is not None


def _result(result: Element | None) -> tuple[bool | None, str]:
    """Whether it worked, and what EM says; None when EM does not say."""
    message = " ".join(value(result, "Message").split())
    if word(result, "CredentialsNeeded").casefold() in _YES:
        return False, "guest credentials are needed" + (f": {message}" if message else "")
    said = word(result, "Success").casefold()
    return (True if said in _YES else False if said in _NO else None), message


def mount_hrefs(root: Element, base: Base) -> frozenset[str]:
    """The hrefs in a collection of mounts; a single mount as root is a collection of one.

    Children are told by name or `Type`: editions name the children of replica and agent lists differently.
    """
    mounts = {each.casefold() for each in MOUNT_TYPES}
    if local(root) in mounts:
        return frozenset({_own_href(root, base)})
    collections = {name + "s" for name in mounts}
    if local(root) not in collections and not (local(root) == "answer" and collections & {local(e) for e in root}):
        raise Unreadable(f"its root is {local(root)!r}, not a collection of mounts")
    items = [each for each in below(root) if local(each) in mounts or _is_mount(each, mounts)]
    return frozenset(_own_href(each, base) for each in items)


def _is_mount(element: Element, types: set[str]) -> bool:
    return local(element) != "link" and word(element, "Type").casefold() in types


def _own_href(element: Element, base: Base) -> str:
    delete = pick(links(element), "Delete")
    href = word(element, "Href") or (delete.href if delete else "")
    if not href:
        raise Unreadable("a mount in it has no Href")
    return without_entity_format(base.path(href))


def mount(root: Element, base: Base, asked: str) -> Mount:
    """The mount with its file-system roots; a collection counts when it holds that mount."""
    types = {each.casefold() for each in MOUNT_TYPES}
    element = root
    if local(root) not in types:
        inside = [each for each in below(root) if local(each) in types or _is_mount(each, types)]
        own = [each for each in inside if len(inside) == 1 or _own_href(each, base).casefold() == asked.casefold()]
        if len(own) != 1:
            raise Unreadable(f"its root is {local(root)!r}, not a mount")
        element = own[0]
    entries = [each for each in below(child(element, "FSRoots")) if local(each) == "directoryentry"]
    return Mount(asked, tuple(_root(each, base, asked) for each in entries))


def _root(entry: Element, base: Base, mount_href: str) -> MountRoot:
    href = word(entry, "Href")
    name = _name(entry) or unquote(href.partition("?")[0].rstrip("/").rpartition("/")[2])
    if not name:
        raise Unreadable("a file-system root in it has no name")
    return MountRoot(name, base.path(href) if href else f"{mount_href}/{quote(name, safe='$:')}")


def _name(entry: Element) -> str:
    """`Name`, else the last component of `Path`, whose separators are `/` or `\\`."""
    if name := value(entry, "Name"):
        return name
    path = value(entry, "Path")
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] or path


def listing(root: Element) -> Listing | None:
    """The children that `FileSystemEntries` lists, by name; None for a `FileSystemEntry`, which holds links only."""
    if local(root) == "filesystementry":
        return None
    in_json = local(root) == "answer" and (child(root, "Files") is not None or child(root, "Directories") is not None)
    if local(root) != "filesystementries" and not in_json:
        raise Unreadable(f"its root is {local(root)!r}, not 'FileSystemEntries'")
    found: dict[str, Listed] = {}
    for entry in below(child(root, "Directories")):
        if local(entry) == "directoryentry":
            found[listed_name(entry)] = Listed(folder=True)
    for entry in below(child(root, "Files")):
        if local(entry) == "fileentry":
            modified = epoch_seconds(word(entry, "ModifiedDateUTC"))
            found[listed_name(entry)] = Listed(folder=False, size=number(entry, "Size"), modified=modified)
    return found


def listed_name(entry: Element) -> str:
    """The name of an entry of a listing."""
    name = _name(entry)
    if not name:
        raise Unreadable("an entry in it has no name")
    return name


def list_all_href(root: Element, base: Base) -> str:
    """The `listAll` link of a `FileSystemEntry`; empty when it has none. Told by its action, for it has no `Type`."""
    entries = [root, *children(root, "DirectoryEntry"), *children(root, "FileEntry")]
    paths = [base.path(link.href) for entry in entries for link in links(entry) if link.rel == "down"]
    return next((path for path in paths if action_of(path) == "listall"), "")
