"""Security descriptors as text that people and Windows read: SDDL. Source: MS-DTYP 2.5.1.

Names that stand for an account of "the" domain (`DA`, `LA`, ...) mean another account on every machine: they are
never written, and refused when read. Entries with conditions or claims are refused by `orchestrator.core.security`.
Most files of a volume share a few descriptors, so what was found out last is remembered.
"""

import re
from functools import lru_cache

from orchestrator.core.security import (
    OBJECT_TYPES,
    Ace,
    AceType,
    Control,
    Descriptor,
    guid_bytes,
    pack,
    parse,
    sid_bytes,
    sid_text,
)

LONGEST_TEXT = 1 << 20
"""Characters. The longest descriptor there can be is shorter as text."""

EVERYBODY = "NO_ACCESS_CONTROL"
"""A list that is there without being one: everybody may do everything."""

_NAMES = {
    "AA": "S-1-5-32-579", "AC": "S-1-15-2-1", "AN": "S-1-5-7", "AO": "S-1-5-32-548", "AS": "S-1-18-1",
    "AU": "S-1-5-11", "BA": "S-1-5-32-544", "BG": "S-1-5-32-546", "BO": "S-1-5-32-551", "BU": "S-1-5-32-545",
    "CD": "S-1-5-32-574", "CG": "S-1-3-1", "CO": "S-1-3-0", "CY": "S-1-5-32-569", "ED": "S-1-5-9",
    "ER": "S-1-5-32-573", "ES": "S-1-5-32-576", "HA": "S-1-5-32-578", "HI": "S-1-16-12288", "IS": "S-1-5-32-568",
    "IU": "S-1-5-4", "LS": "S-1-5-19", "LU": "S-1-5-32-559", "LW": "S-1-16-4096", "ME": "S-1-16-8192",
    "MP": "S-1-16-8448", "MS": "S-1-5-32-577", "MU": "S-1-5-32-558", "NO": "S-1-5-32-556", "NS": "S-1-5-20",
    "NU": "S-1-5-2", "OW": "S-1-3-4", "PO": "S-1-5-32-550", "PS": "S-1-5-10", "PU": "S-1-5-32-547",
    "RA": "S-1-5-32-575", "RC": "S-1-5-12", "RD": "S-1-5-32-555", "RE": "S-1-5-32-552", "RM": "S-1-5-32-580",
    "RU": "S-1-5-32-554", "SI": "S-1-16-16384", "SO": "S-1-5-32-549", "SS": "S-1-18-2", "SU": "S-1-5-6",
    "SY": "S-1-5-18", "UD": "S-1-5-84-0-0-0-0-0", "WD": "S-1-1-0", "WR": "S-1-5-33",
}  # fmt: skip
_SHORT = {sid: name for name, sid in _NAMES.items()}
_OF_A_DOMAIN = frozenset(
    ["CA", "CN", "DA", "DC", "DD", "DG", "DU", "EA", "EK", "KA", "LA", "LG", "PA", "AP", "RO", "RS", "SA"]
)

_KINDS = {
    "A": AceType.ALLOWED, "D": AceType.DENIED, "AU": AceType.AUDIT, "AL": AceType.ALARM,
    "OA": AceType.ALLOWED_OBJECT, "OD": AceType.DENIED_OBJECT, "OU": AceType.AUDIT_OBJECT,
    "OL": AceType.ALARM_OBJECT, "ML": AceType.LABEL, "SP": AceType.POLICY, "TL": AceType.TRUST,
}  # fmt: skip
_KIND_NAMES = {kind: name for name, kind in _KINDS.items()}

_ACE_FLAGS = {
    "OI": 0x01, "CI": 0x02, "NP": 0x04, "IO": 0x08, "ID": 0x10, "CR": 0x20, "SA": 0x40, "FA": 0x80,
}  # fmt: skip
_WRITTEN_FLAGS = ("OI", "CI", "NP", "IO", "ID", "CR", "SA", "FA")

_RIGHTS = {
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000,
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
}  # fmt: skip
_LABEL_RIGHTS = {"NW": 0x1, "NR": 0x2, "NX": 0x4}
_WRITTEN_RIGHTS = {_RIGHTS[name]: name for name in ("FA", "FR", "FW", "FX", "GA", "GR", "GW", "GX")}
_WRITTEN_LABELS = {mask: name for name, mask in _LABEL_RIGHTS.items()}

_LIST_FLAGS = {
    "D": {
        "P": Control.DACL_PROTECTED, "AR": Control.DACL_INHERIT_REQUIRED, "AI": Control.DACL_INHERITED,
    },
    "S": {
        "P": Control.SACL_PROTECTED, "AR": Control.SACL_INHERIT_REQUIRED, "AI": Control.SACL_INHERITED,
    },
}  # fmt: skip

_TEXT = re.compile(
    r"(?:O:(?P<O>[^:()]*?))?(?:G:(?P<G>[^:()]*?))?(?:D:(?P<D>[A-Z_]*?(?:\([^()]*\))*))?(?:S:(?P<S>[A-Z_]*?(?:\([^()]*\))*))?",
    re.ASCII,
)
_NUMBER = re.compile(r"(?P<hex>0x[0-9A-F]{1,8})|(?P<octal>0[0-7]{0,11})|(?P<decimal>[1-9][0-9]{0,9})", re.I | re.ASCII)


@lru_cache(1024)
def to_sddl(data: bytes) -> str:
    """A self-relative descriptor as SDDL. ValueError when it does not parse, or holds what is not understood.

    Left out is what no file keeps: that a part came to be as a default, and bits of resource managers.
    """
    found = parse(data)
    parts = []
    for letter, sid in (("O", found.owner), ("G", found.group)):
        if sid is not None:
            parts.append(f"{letter}:{_SHORT.get(sid, sid)}")
    for letter, there, aces in (
        ("D", Control.DACL_PRESENT, found.dacl),
        ("S", Control.SACL_PRESENT, found.sacl),
    ):
        if found.control & there:
            flags = "".join(name for name, bit in _LIST_FLAGS[letter].items() if found.control & bit)
            parts.append(f"{letter}:{flags}{EVERYBODY if aces is None else ''.join(map(_ace_text, aces))}")
    return "".join(parts)


@lru_cache(1024)
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


def _ace_text(ace: Ace) -> str:
    flags = "".join(name for name in _WRITTEN_FLAGS if ace.flags & _ACE_FLAGS[name])
    written = _WRITTEN_LABELS if ace.kind is AceType.LABEL else _WRITTEN_RIGHTS
    rights = written.get(ace.mask, f"0x{ace.mask:x}")
    types = [one or "" for one in (ace.object_type, ace.inherited_type)]
    return f"({';'.join((_KIND_NAMES[ace.kind], flags, rights, *types, _SHORT.get(ace.sid, ace.sid)))})"


def _list(letter: str, text: str) -> tuple[Control, tuple[Ace, ...] | None]:
    head, bracket, rest = text.partition("(")
    everybody = head.endswith(EVERYBODY)
    flags = Control(0)
    for name in _words(head.removesuffix(EVERYBODY), _LIST_FLAGS[letter], "a flag of a list"):
        flags |= _LIST_FLAGS[letter][name]
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
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"({text[:80]}) is of a kind that is not understood: {name!r}")
    if (first or second) and kind not in OBJECT_TYPES:
        raise ValueError(f"({text[:80]}) names an object, which only entries for objects do")
    bits = 0
    for flag in _words(flags, _ACE_FLAGS, "a flag of an entry"):
        bits |= _ACE_FLAGS[flag]
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
    if text in _NAMES:
        return _NAMES[text]
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
