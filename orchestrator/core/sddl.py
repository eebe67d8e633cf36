"""Security descriptors as text that people and Windows read: SDDL. Source: MS-DTYP 2.5.1.

Names that stand for an account of "the" domain (`DA`, `LA`, ...) mean another account on every machine: they are
never written. Entries with conditions or claims are refused by `orchestrator.core.security`.
Most files of a volume share a few descriptors, so what was found out last is remembered.
"""

from functools import lru_cache

from orchestrator.core.security import Ace, AceType, Control, parse

EVERYBODY = "NO_ACCESS_CONTROL"
"""A list that is there without being one: everybody may do everything."""

NAMES = {
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
_SHORT = {sid: name for name, sid in NAMES.items()}

KINDS = {
    "A": AceType.ALLOWED, "D": AceType.DENIED, "AU": AceType.AUDIT, "AL": AceType.ALARM,
    "OA": AceType.ALLOWED_OBJECT, "OD": AceType.DENIED_OBJECT, "OU": AceType.AUDIT_OBJECT,
    "OL": AceType.ALARM_OBJECT, "ML": AceType.LABEL, "SP": AceType.POLICY, "TL": AceType.TRUST,
}  # fmt: skip
_KIND_NAMES = {kind: name for name, kind in KINDS.items()}

ACE_FLAGS = {
    "OI": 0x01, "CI": 0x02, "NP": 0x04, "IO": 0x08, "ID": 0x10, "CR": 0x20, "SA": 0x40, "FA": 0x80,
}  # fmt: skip

_RIGHTS = {
    0x1F01FF: "FA", 0x120089: "FR", 0x120116: "FW", 0x1200A0: "FX",
    0x10000000: "GA", 0x80000000: "GR", 0x40000000: "GW", 0x20000000: "GX",
}  # fmt: skip
_LABELS = {0x1: "NW", 0x2: "NR", 0x4: "NX"}

LIST_FLAGS = {
    "D": {
        "P": Control.DACL_PROTECTED, "AR": Control.DACL_INHERIT_REQUIRED, "AI": Control.DACL_INHERITED,
    },
    "S": {
        "P": Control.SACL_PROTECTED, "AR": Control.SACL_INHERIT_REQUIRED, "AI": Control.SACL_INHERITED,
    },
}  # fmt: skip


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
            flags = "".join(name for name, bit in LIST_FLAGS[letter].items() if found.control & bit)
            parts.append(f"{letter}:{flags}{EVERYBODY if aces is None else ''.join(map(_ace_text, aces))}")
    return "".join(parts)


def _ace_text(ace: Ace) -> str:
    flags = "".join(name for name, bit in ACE_FLAGS.items() if ace.flags & bit)
    written = _LABELS if ace.kind is AceType.LABEL else _RIGHTS
    rights = written.get(ace.mask, f"0x{ace.mask:x}")
    types = [one or "" for one in (ace.object_type, ace.inherited_type)]
    return f"({';'.join((_KIND_NAMES[ace.kind], flags, rights, *types, _SHORT.get(ace.sid, ace.sid)))})"
