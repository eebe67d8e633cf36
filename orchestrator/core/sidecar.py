"""The lines of `metadata.jsonl`: what a target could not hold of a file, one JSON object each.

Keys: `target` (full path), `kind` (file, folder, link), `size` and `mtime_ns` of the backed-up file, by which one that
has changed since is told, and whatever was left of: `mode` (octal text), `uid`, `gid`, `modified_ns`, `accessed_ns`,
`created_ns`, `changed_ns`, `attributes` (a number), `xattrs` and `descriptor` (base64), `link_to`, `streams` (the file
of each, below the folder of the sidecar). A descriptor is there as SDDL text too, for people.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.entries import EntryKind
from orchestrator.core.fidelity import LARGEST_ID, Properties, Property, Stream
from orchestrator.core.sddl import to_sddl
from orchestrator.core.security import Control

KINDS = (EntryKind.FILE, EntryKind.FOLDER, EntryKind.LINK)

_NUMBERS = ("uid", "gid", "modified_ns", "accessed_ns", "created_ns", "changed_ns", "attributes")


@dataclass(frozen=True, slots=True)
class Left:
    """What waits for one file: `properties` are only those that its target does not hold. `streams` names the file of
    each of its streams, relative to the folder of the sidecar."""

    target: str
    kind: EntryKind
    size: int
    mtime_ns: int
    properties: Properties
    streams: Mapping[str, str] = field(default_factory=dict)


def to_line(left: Left) -> str:
    """One line without its end."""
    properties = left.properties
    table: dict[str, Any] = {
        "target": left.target,
        "kind": left.kind.value,
        "size": left.size,
        "mtime_ns": left.mtime_ns,
    }
    if properties.mode is not None:
        table["mode"] = f"{properties.mode:04o}"
    for key in _NUMBERS:
        if (number := getattr(properties, key)) is not None:
            table[key] = number
    if properties.xattrs:
        table["xattrs"] = {name: _base64(value) for name, value in properties.xattrs.items()}
    if properties.descriptor is not None:
        table["descriptor"] = _base64(properties.descriptor)
        with suppress(ValueError):  # one that does not parse is kept as it is
            table["sddl"] = to_sddl(properties.descriptor)
    if properties.link_to is not None:
        table["link_to"] = properties.link_to
    if left.streams:
        sizes = {stream.name: stream.size for stream in properties.streams}
        table["streams"] = {name: {"file": file, "size": sizes[name]} for name, file in left.streams.items()}
    return json.dumps(table, ensure_ascii=True)


def from_line(line: str) -> Left:
    """What `to_line` wrote; keys of later versions are passed over. ValueError for anything else, such as half a
    line."""
    try:
        table = json.loads(line)
        kind = EntryKind(table["kind"])
        if kind not in KINDS:
            raise ValueError(f"{table['kind']!r} is no kind of file")
        streams = {_whole(name): _stream(one) for name, one in table.get("streams", {}).items()}
        numbers = {key: _number(table[key]) for key in _NUMBERS if key in table}
        if not all(0 <= numbers[key] <= LARGEST_ID for key in ("uid", "gid") if key in numbers):
            raise ValueError("an id is none that a user or group can have")
        properties = Properties(
            mode=int(_text(table["mode"]), 8) & 0o7777 if "mode" in table else None,
            xattrs={_name(name): _bytes(value) for name, value in table.get("xattrs", {}).items()},
            descriptor=_bytes(table["descriptor"]) if "descriptor" in table else None,
            link_to=_name(table["link_to"]) if "link_to" in table else None,
            streams=tuple(Stream(name, size) for name, (_, size) in streams.items()),
            uid=numbers.get("uid"),
            gid=numbers.get("gid"),
            modified_ns=numbers.get("modified_ns"),
            accessed_ns=numbers.get("accessed_ns"),
            created_ns=numbers.get("created_ns"),
            changed_ns=numbers.get("changed_ns"),
            attributes=numbers.get("attributes"),
        )
        return Left(
            _text(table["target"]),
            kind,
            _number(table["size"]),
            _number(table["mtime_ns"]),
            properties,
            {name: file for name, (file, _) in streams.items()},
        )
    except (KeyError, TypeError, AttributeError, RecursionError, binascii.Error, ValueError) as error:
        raise ValueError(f"no line of a metadata.jsonl: {error}") from error


def waiting(left: Left) -> frozenset[Property]:
    """The properties that a line holds; of a descriptor with audit rules both."""
    has = left.properties
    there = {
        Property.MODE: has.mode is not None,
        Property.OWNER: has.uid is not None or has.gid is not None,
        Property.TIMES: (has.modified_ns, has.accessed_ns, has.changed_ns) != (None, None, None),
        Property.CREATED: has.created_ns is not None,
        Property.XATTRS: bool(has.plain_xattrs),
        Property.ACL: bool(has.acls),
        Property.ATTRIBUTES: has.attributes is not None,
        Property.STREAMS: bool(has.streams),
        Property.DESCRIPTOR: has.descriptor is not None,
        Property.AUDIT: has.descriptor is not None and audits(has.descriptor),
        Property.LINK: has.link_to is not None,
    }
    return frozenset(one for one, held in there.items() if held)


def audits(descriptor: bytes) -> bool:
    """Whether a descriptor has audit rules, whether or not the rest of it parses."""
    return len(descriptor) >= 4 and bool(int.from_bytes(descriptor[2:4], "little") & Control.SACL_PRESENT)


def properties_left(properties: Properties, what: frozenset[Property]) -> Properties:
    """Only those of `properties` that are in `what`."""
    times, created = Property.TIMES in what, Property.CREATED in what
    owner, xattrs = Property.OWNER in what, Property.XATTRS in what
    descriptor = Property.DESCRIPTOR in what or Property.AUDIT in what
    return Properties(
        mode=properties.mode if Property.MODE in what else None,
        uid=properties.uid if owner else None,
        gid=properties.gid if owner else None,
        modified_ns=properties.modified_ns if times else None,
        accessed_ns=properties.accessed_ns if times else None,
        created_ns=properties.created_ns if created else None,
        changed_ns=properties.changed_ns if times else None,
        attributes=properties.attributes if Property.ATTRIBUTES in what else None,
        xattrs=(properties.plain_xattrs if xattrs else {}) | (properties.acls if Property.ACL in what else {}),
        descriptor=properties.descriptor if descriptor else None,
        streams=properties.streams if Property.STREAMS in what else (),
        link_to=properties.link_to if Property.LINK in what else None,
    )


def _stream(one: Any) -> tuple[str, int]:
    return _text(one["file"]), _number(one["size"])


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(text: Any) -> bytes:
    return base64.b64decode(_text(text), validate=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def _whole(value: Any) -> str:
    """A text that a system could take; a target is looked at where it is used, and named."""
    if "\x00" in (text := _text(value)):
        raise ValueError(f"{text!r} holds a NUL character")
    return text


def _name(value: Any) -> str:
    """A text that a system of POSIX could take."""
    text = _whole(value)
    text.encode("utf-8", "surrogateescape")
    return text


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"{value!r} is no number of 64 bits")
    return value
