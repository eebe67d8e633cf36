"""Which resource a request means: route names, path parts, and 404 or 405 for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from orchestrator.simulator.kinds import KINDS, Kind
from orchestrator.simulator.refusals import HttpSysRefusal, Refusal

UNKNOWN = "unknown"
_ANY = "*"
_PLAIN: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...] = (
    ((), {"GET": "entry"}),
    (("sessionmngr",), {"POST": "logon"}),
    (("logonsessions",), {"GET": "sessions"}),
    (("logonsessions", _ANY), {"GET": "session", "DELETE": "logoff"}),
    (("query",), {"GET": "query"}),
    (("querysvc",), {"GET": "query_service"}),
    (("tasks",), {"GET": "tasks"}),
    (("tasks", _ANY), {"GET": "task", "DELETE": "task_delete"}),
    (("catalog", "vms"), {"GET": "catalog_vms"}),
    (("catalog", "vms", _ANY), {"GET": "catalog_vm"}),
    (("catalog", "vms", _ANY, "vmrestorepoints"), {"GET": "catalog_points"}),
    (("catalog", "vms", _ANY, "vmrestorepoints", _ANY), {"GET": "catalog_point", "POST": "catalog_point_action"}),
    (("backupservers",), {"GET": "backup_servers"}),
    (("backupservers", _ANY), {"GET": "backup_server", "POST": "backup_server_action"}),
    (("restoresessions",), {"GET": "restore_sessions"}),
    (("restoresessions", _ANY), {"GET": "restore_session"}),
)
_OF_A_KIND: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...] = (
    ((), {"GET": "points"}),
    ((_ANY,), {"GET": "point", "POST": "point_action"}),
    ((_ANY, "mounts"), {"GET": "mounts_list", "POST": "mount_post"}),
    ((_ANY, "mounts", _ANY), {"GET": "mount_get", "DELETE": "mount_delete"}),
)


@dataclass(frozen=True)
class Route:
    """A resource and verb: `parts` are the variable segments, `below` the segments of `{filepath}`."""

    name: str
    parts: tuple[str, ...] = ()
    kind: Kind = KINDS[0]
    below: tuple[str, ...] = ()


def segments_of(path: str) -> list[str]:
    """The decoded segments below `/api`; raises HttpSysRefusal for a path outside it, or not UTF-8."""
    parts = path.split("/")
    if len(parts) < 2 or parts[0] or parts[1].lower() != "api":
        raise HttpSysRefusal(404, "Not Found")
    try:
        return [unquote_to_bytes(part).decode() for part in parts[2:]]
    except UnicodeDecodeError as error:
        raise HttpSysRefusal(400, "Bad Request - Invalid URL") from error


def parameters_of(query: str) -> dict[str, str]:
    """Decoded parameters; names are lower-cased, as EM does not regard their case; `+` is a space."""
    return {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}


def route_of(method: str, segments: Sequence[str]) -> Route:
    """The route of a request; raises Refusal 404 or 405. Fixed segments are met in any case."""
    below = _filepath(method, segments) or _guest_file(method, segments)
    if below is not None:
        return below
    trimmed = tuple(segments[:-1] if segments and not segments[-1] else segments)
    for kind in KINDS:
        depth = len(kind.path)
        if _same(trimmed[:depth], tuple(word.lower() for word in kind.path)):
            return _choose(method, trimmed[depth:], _OF_A_KIND, kind)
    return _choose(method, trimmed, _PLAIN, KINDS[0])


def _filepath(method: str, segments: Sequence[str]) -> Route | None:
    for kind in KINDS:
        head = (*(word.lower() for word in kind.path), _ANY, "mounts", _ANY)
        if len(segments) > len(head) and _same(tuple(segments[: len(head)]), head):
            below = tuple(segments[len(head) :])
            name = _verb(method, {"GET": "browse", "POST": "browse_action"})
            return Route(name, (segments[len(kind.path)], segments[len(head) - 1]), kind, below)
    return None


def _guest_file(method: str, segments: Sequence[str]) -> Route | None:
    head = ("catalog", "vms", _ANY, "vmrestorepoints", _ANY, "guestfs")
    if len(segments) <= len(head) or not _same(tuple(segments[: len(head)]), head):
        return None
    name = _verb(method, {"GET": "catalog_files", "POST": "catalog_file_action"})
    return Route(name, (segments[2], segments[4]), below=tuple(segments[len(head) :]))


def _choose(
    method: str,
    segments: tuple[str, ...],
    table: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...],
    kind: Kind,
) -> Route:
    for template, verbs in table:
        if _same(segments, template):
            parts = tuple(segment for segment, word in zip(segments, template, strict=True) if word == _ANY)
            return Route(_verb(method, verbs), parts, kind)
    raise Refusal(404, "The resource was not found.")


def _same(segments: tuple[str, ...], template: tuple[str, ...]) -> bool:
    return len(segments) == len(template) and all(
        word in (_ANY, segment.lower()) for segment, word in zip(segments, template, strict=True)
    )


def _verb(method: str, verbs: Mapping[str, str]) -> str:
    if method not in verbs:
        raise Refusal(405, f"{method} is not supported here.", {"Allow": ", ".join(verbs)})
    return verbs[method]
