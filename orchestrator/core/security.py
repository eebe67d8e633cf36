"""Security descriptors of Windows as values, and as the bytes in which servers and file systems hold them.

Source: MS-DTYP 2.4.2 (SID), 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6 (SECURITY_DESCRIPTOR, self-relative). Whatever does not
keep to it is ValueError, in plain words.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

LONGEST = 20 + 2 * 68 + 2 * 0xFFFF
"""Bytes of the longest descriptor there can be: its head, two SIDs and two lists."""

_HEAD = struct.Struct("<BBHIIII")
_LIST = struct.Struct("<BBHHH")
_ACE = struct.Struct("<BBHI")
_ACE_HEAD = 8
_GUID = struct.Struct("<IHH8s")


class Control(IntFlag):
    """What a descriptor tells of itself (2.4.6)."""

    DACL_PRESENT = 0x0004
    SACL_PRESENT = 0x0010
    DACL_INHERIT_REQUIRED = 0x0100
    SACL_INHERIT_REQUIRED = 0x0200
    DACL_INHERITED = 0x0400
    SACL_INHERITED = 0x0800
    DACL_PROTECTED = 0x1000
    SACL_PROTECTED = 0x2000
    SELF_RELATIVE = 0x8000


DACL_FLAGS = Control.DACL_INHERIT_REQUIRED | Control.DACL_INHERITED | Control.DACL_PROTECTED
SACL_FLAGS = Control.SACL_INHERIT_REQUIRED | Control.SACL_INHERITED | Control.SACL_PROTECTED


class AceType(IntEnum):
    """The kinds of entries that are understood (2.4.4.1). Those with a condition or a claim are not among them."""

    ALLOWED = 0x00
    DENIED = 0x01
    AUDIT = 0x02
    ALARM = 0x03
    ALLOWED_OBJECT = 0x05
    DENIED_OBJECT = 0x06
    AUDIT_OBJECT = 0x07
    ALARM_OBJECT = 0x08
    LABEL = 0x11
    POLICY = 0x13
    TRUST = 0x14


OBJECT_TYPES = frozenset({AceType.ALLOWED_OBJECT, AceType.DENIED_OBJECT, AceType.AUDIT_OBJECT, AceType.ALARM_OBJECT})

_NOT_UNDERSTOOD = {
    0x04: "a compound entry",
    0x09: "an entry with a condition",
    0x0A: "an entry with a condition",
    0x0B: "an entry with a condition",
    0x0C: "an entry with a condition",
    0x0D: "an entry with a condition",
    0x0E: "an entry with a condition",
    0x0F: "an entry with a condition",
    0x10: "an entry with a condition",
    0x12: "an entry with a claim about the file",
    0x15: "an entry that filters access",
}


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry of a list: who (`sid`, as text) may or may not do what (`mask`), or is watched doing it. Types of
    objects are GUIDs as text, in lower case."""

    kind: AceType
    flags: int
    mask: int
    sid: str
    object_type: str | None = None
    inherited_type: str | None = None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Owner and group as SID text. A list is None where the descriptor has none; `control` then tells whether it is
    there and lets everybody do everything. `control` holds what `Control` names, and nothing else."""

    control: Control
    owner: str | None = None
    group: str | None = None
    dacl: tuple[Ace, ...] | None = None
    sacl: tuple[Ace, ...] | None = None


_KNOWN = (
    Control.DACL_PRESENT | Control.SACL_PRESENT | DACL_FLAGS | SACL_FLAGS | Control.SELF_RELATIVE
)  # the others say how the parts came to be (as a default), which no file keeps


def parse(data: bytes) -> Descriptor:
    """A self-relative descriptor as values. ValueError when it is none, or holds what is not understood."""
    if len(data) > LONGEST:
        raise ValueError(f"a security descriptor of {len(data)} bytes is longer than any can be")
    revision, _, told, owner, group, sacl, dacl = _unpacked(_HEAD, data, 0, "a security descriptor")
    if revision != 1:
        raise ValueError(f"a security descriptor has the revision {revision}, not 1")
    if not told & Control.SELF_RELATIVE:
        raise ValueError("a security descriptor is not self-relative")
    control = Control(told & _KNOWN)
    if not control & Control.DACL_PRESENT:
        control &= ~DACL_FLAGS
    if not control & Control.SACL_PRESENT:
        control &= ~SACL_FLAGS
    return Descriptor(
        control,
        _sid_at(data, owner)[0] if owner else None,
        _sid_at(data, group)[0] if group else None,
        _acl_at(data, dacl) if dacl and control & Control.DACL_PRESENT else None,
        _acl_at(data, sacl) if sacl and control & Control.SACL_PRESENT else None,
    )


def guid_text(parts: tuple[Any, ...]) -> str:
    """A GUID, unpacked as two long and short numbers and eight bytes (2.3.4.2), as text."""
    first, second, third, rest = parts
    return f"{first:08x}-{second:04x}-{third:04x}-{rest[:2].hex()}-{rest[2:].hex()}"


def _sid_at(data: bytes, at: int) -> tuple[str, int]:
    """(the SID as text, its length in bytes)."""
    revision, count, authority = _unpacked(struct.Struct("<BB6s"), data, at, "a SID")
    if revision != 1 or not 1 <= count <= 15:
        raise ValueError(f"a SID has the revision {revision} and {count} parts")
    parts = _unpacked(struct.Struct(f"<{count}I"), data, at + 8, "a SID")
    number = int.from_bytes(authority, "big")
    shown = f"0x{number:012X}" if number >= 1 << 32 else str(number)
    return "-".join(("S-1", shown, *map(str, parts))), 8 + 4 * count


def _acl_at(data: bytes, at: int) -> tuple[Ace, ...]:
    revision, _, size, count, _ = _unpacked(_LIST, data, at, "an access list")
    if revision not in (2, 4):
        raise ValueError(f"an access list has the revision {revision}, not 2 or 4")
    if size < _LIST.size or at + size > len(data):
        raise ValueError(f"an access list of {size} bytes at {at} leaves a descriptor of {len(data)}")
    data, at = data[: at + size], at + _LIST.size
    found = []
    for _ in range(count):
        ace, length = _ace_at(data, at)
        found.append(ace)
        at += length
    return tuple(found)


def _ace_at(data: bytes, at: int) -> tuple[Ace, int]:
    kind, flags, size, mask = _unpacked(_ACE, data, at, "an entry of an access list")
    if size < _ACE_HEAD or at + size > len(data):
        raise ValueError(f"an entry of {size} bytes at {at} leaves its access list")
    if kind not in AceType.__members__.values():
        what = _NOT_UNDERSTOOD.get(kind, f"an entry of the kind 0x{kind:02X}")
        raise ValueError(f"an access list holds {what}, which is not understood")
    data, begin = data[: at + size], at + _ACE_HEAD
    types: list[str | None] = [None, None]
    if kind in OBJECT_TYPES:
        (there,) = _unpacked(struct.Struct("<I"), data, begin, "an entry for an object")
        if there > 3:
            raise ValueError(f"an entry for an object has the flags 0x{there:X}, which are not understood")
        begin += 4
        for place in (0, 1):
            if there & (1 << place):
                types[place] = guid_text(_unpacked(_GUID, data, begin, "an entry for an object"))
                begin += _GUID.size
    sid, length = _sid_at(data, begin)
    if any(data[begin + length :]):
        raise ValueError(f"an entry at {at} holds more than is understood")
    return Ace(AceType(kind), flags, mask, sid, *types), size


def _unpacked(shape: struct.Struct, data: bytes, at: int, what: str) -> tuple[Any, ...]:
    if at + shape.size > len(data):
        raise ValueError(f"{what} is cut short at byte {at} of {len(data)}")
    return shape.unpack_from(data, at)
