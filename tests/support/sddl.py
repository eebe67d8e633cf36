"""SDDL and values as the bytes of a security descriptor: the way back, by which tests prove what is read and written.

Source: MS-DTYP 2.4.2 (SID), 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6 (SECURITY_DESCRIPTOR, self-relative), 2.5.1 (SDDL). Names
that stand for an account of "the" domain (`DA`, `LA`, ...) mean another account on every machine, and are refused.
"""

import re
import struct

from orchestrator.core.sddl import ACE_FLAGS, EVERYBODY, KINDS, LIST_FLAGS, NAMES
from orchestrator.core.security import OBJECT_TYPES, Ace, AceType, Control, Descriptor, parse

LONGEST_TEXT = 1 << 20
"""Characters. The longest descriptor there can be is shorter as text."""

_HEAD = struct.Struct("<BBHIIII")
_LIST = struct.Struct("<BBHHH")
_ACE = struct.Struct("<BBHI")
_GUID = struct.Struct("<IHH8s")
_GUID_TEXT = re.compile("([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})", re.IGNORECASE)
_SID_TEXT = re.compile(r"S-1-(0x[0-9A-F]{1,12}|[0-9]{1,15})((?:-[0-9]{1,10}){1,15})", re.ASCII | re.IGNORECASE)

_OF_A_DOMAIN = frozenset(
    ["CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "AP", "RO", "RS", "SA"]
)

_RIGHTS = {
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000,
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
}  # fmt: skip
_LABEL_RIGHTS = {"NW": 0x1, "NR": 0x2, "NX": 0x4}

_TEXT = re.compile(
    r"(?:O:(?P<O>[^:()]*?))?(?:G:(?P<G>[^:()]*?))?(?:D:(?P<D>[A-Z_]*?(?:\([^()]*\))*))?(?:S:(?P<S>[A-Z_]*?(?:\([^()]*\))*))?",
    re.ASCII,
)
_NUMBER = re.compile(r"(?P<hex>0x[0-9A-F]{1,8})|(?P<octal>0[0-7]{0,11})|(?P<decimal>[1-9][0-9]{0,9})", re.I | re.ASCII)


def from_sddl(text: str) -> bytes:
    """SDDL as a self-relative descriptor. ValueError when it is none, or says what is not understood."""
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"SDDL of {len(text)} characters is longer than any descriptor")
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no SDDL: it is O:owner G:group D:list S:list, in this order")
    control = Control.SELF_RELATIVE
    lists: dict[str, tuple[Ace, ...] | None] = {"D": None, "S": None}
    for letter, there in (("D", Control.DACL_PRESENT), ("S", Control.SACL_PRESENT)):
        if found[letter] is not None:
            flags, aces = _list(letter, found[letter])
            control |= there | flags
            lists[letter] = aces
    owner, group = (None if found[letter] is None else _sid(found[letter]) for letter in "OG")
    return pack(Descriptor(control, owner, group, lists["D"], lists["S"]))


def pack(descriptor: Descriptor) -> bytes:
    """A descriptor as bytes, self-relative. ValueError when a list is longer than a list can be."""
    at = _HEAD.size
    parts: list[bytes] = []
    places: list[int] = []
    for part in (
        None if descriptor.owner is None else sid_bytes(descriptor.owner),
        None if descriptor.group is None else sid_bytes(descriptor.group),
        None if descriptor.sacl is None else _packed_list(descriptor.sacl),
        None if descriptor.dacl is None else _packed_list(descriptor.dacl),
    ):
        places.append(at if part is not None else 0)
        parts.append(part or b"")
        at += len(part or b"")
    head = _HEAD.pack(1, 0, descriptor.control | Control.SELF_RELATIVE, *places)
    return head + b"".join(parts)


def sid_text(data: bytes) -> str:
    """A SID as `S-1-5-...`, as a descriptor with it as its owner tells it. ValueError when it is none."""
    return parse(_HEAD.pack(1, 0, Control.SELF_RELATIVE, _HEAD.size, 0, 0, 0) + data).owner or ""


def sid_bytes(text: str) -> bytes:
    """`S-1-5-...` as bytes. ValueError when it is no SID."""
    found = _SID_TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no SID")
    authority = int(found[1], 16 if found[1][:2].lower() == "0x" else 10)
    parts = [int(part) for part in found[2].split("-")[1:]]
    if authority >= 1 << 48 or max(parts) >= 1 << 32:
        raise ValueError(f"{text[:80]!r} is no SID: a number in it is too large")
    return struct.pack(f"<BB6s{len(parts)}I", 1, len(parts), authority.to_bytes(6, "big"), *parts)


def guid_bytes(text: str) -> bytes:
    """A GUID as bytes. ValueError when it is none."""
    found = _GUID_TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no GUID")
    first, second, third = (int(found[place], 16) for place in (1, 2, 3))
    return _GUID.pack(first, second, third, bytes.fromhex(found[4] + found[5]))


def _packed_list(aces: tuple[Ace, ...]) -> bytes:
    entries = b"".join(_packed(ace) for ace in aces)
    if _LIST.size + len(entries) > 0xFFFF:
        raise ValueError(f"an access list of {len(aces)} entries is longer than a list can be")
    revision = 4 if any(ace.kind in OBJECT_TYPES for ace in aces) else 2
    return _LIST.pack(revision, 0, _LIST.size + len(entries), len(aces), 0) + entries


def _packed(ace: Ace) -> bytes:
    body = sid_bytes(ace.sid)
    if ace.kind in OBJECT_TYPES:
        there = (ace.object_type is not None) | (ace.inherited_type is not None) << 1
        types = b"".join(guid_bytes(one) for one in (ace.object_type, ace.inherited_type) if one is not None)
        body = struct.pack("<I", there) + types + body
    return _ACE.pack(ace.kind, ace.flags, _ACE.size + len(body), ace.mask) + body


def _list(letter: str, text: str) -> tuple[Control, tuple[Ace, ...] | None]:
    head, bracket, rest = text.partition("(")
    everybody = head.endswith(EVERYBODY)
    flags = Control(0)
    for name in _words(head.removesuffix(EVERYBODY), LIST_FLAGS[letter], "a flag of a list"):
        flags |= LIST_FLAGS[letter][name]
    if everybody and bracket:
        raise ValueError(f"{EVERYBODY} stands before entries")
    if everybody:
        return flags, None
    return flags, tuple(_ace(one) for one in rest.removesuffix(")").split(")(")) if bracket else ()


def _ace(text: str) -> Ace:
    fields = text.split(";")
    if len(fields) != 6:
        raise ValueError(f"({text[:80]}) is no entry of a list: six fields are wanted; conditions are not understood")
    name, flags, rights, first, second, sid = fields
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"({text[:80]}) is of a kind that is not understood: {name!r}")
    if (first or second) and kind not in OBJECT_TYPES:
        raise ValueError(f"({text[:80]}) names an object, which only entries for objects do")
    bits = 0
    for flag in _words(flags, ACE_FLAGS, "a flag of an entry"):
        bits |= ACE_FLAGS[flag]
    return Ace(kind, bits, _mask(rights, kind), _sid(sid), _guid(first), _guid(second))


def _mask(text: str, kind: AceType) -> int:
    if not text:
        return 0
    number = _NUMBER.fullmatch(text)
    if number is None:
        known = _LABEL_RIGHTS if kind is AceType.LABEL else _RIGHTS
        mask = 0
        for name in _words(text, known, "a right"):
            mask |= known[name]
        return mask
    mask = int(text, 16 if number["hex"] else 8 if number["octal"] else 10)
    if mask >= 1 << 32:
        raise ValueError(f"the rights {text} are more than 32 bits")
    return mask


def _sid(text: str) -> str:
    if text in NAMES:
        return NAMES[text]
    if text in _OF_A_DOMAIN:
        raise ValueError(f"{text} means another account in every domain; write its SID")
    return sid_text(sid_bytes(text))


def _guid(text: str) -> str | None:
    if text:
        guid_bytes(text)
    return text.lower() or None


def _words(text: str, known: dict[str, int] | dict[str, Control], what: str) -> list[str]:
    """`text` taken apart into words of `known`, which have one or two letters and do not begin alike."""
    found = []
    while text:
        word = next((text[:length] for length in (2, 1) if text[:length] in known), "")
        if not word:
            raise ValueError(f"{text[:20]!r} is not {what} that is understood")
        found.append(word)
        text = text[len(word) :]
    return found
