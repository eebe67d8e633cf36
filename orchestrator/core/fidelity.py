"""What a file is beside its bytes, what a job wants of that, and what became of it.

Shapes: times are nanoseconds since 1970 UTC, ids and mode bits are those of POSIX, attributes those of
[MS-FSCC 2.6], a descriptor is a self-relative security descriptor of [MS-DTYP 2.4.6].
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Property(Enum):
    """What a file is beside its bytes. The value is its stable name in journal, sidecar and report."""

    MODE = "mode"
    OWNER = "owner"
    TIMES = "times"
    CREATED = "created"
    XATTRS = "xattrs"
    ACL = "acl"
    ATTRIBUTES = "attributes"
    STREAMS = "streams"
    DESCRIPTOR = "descriptor"
    AUDIT = "audit"
    LINK = "link"
    HARD_LINK = "hard-link"
    SPARSE = "sparse"


WORDS = {
    Property.MODE: "permission bits",
    Property.OWNER: "owner and group",
    Property.TIMES: "times to the nanosecond",
    Property.CREATED: "creation time",
    Property.XATTRS: "extended attributes",
    Property.ACL: "POSIX ACLs",
    Property.ATTRIBUTES: "file attributes",
    Property.STREAMS: "alternate data streams",
    Property.DESCRIPTOR: "security descriptors",
    Property.AUDIT: "audit rules (SACL)",
    Property.LINK: "symbolic links",
    Property.HARD_LINK: "hard links",
    Property.SPARSE: "holes of sparse files",
}
"""What people call each property."""


class Kept(Enum):
    """What became of a property: it is at the target, it waits in the sidecar, or it is nowhere."""

    KEPT = "kept"
    SIDECAR = "sidecar"
    LOST = "lost"


Fidelity = Mapping[Property, Kept]
"""What became of each property that a file had and the job asked for; empty when nothing beyond `basic` was asked."""


class Metadata(Enum):
    """How much of a file beside its bytes a job restores."""

    NONE = "none"
    BASIC = "basic"
    FULL = "full"
    PERMISSIONS = "permissions-only"


class OwnerPolicy(Enum):
    """Whose the copies are."""

    KEEP = "keep"
    NONE = "none"
    MAP = "map"


class LinkPolicy(Enum):
    """What becomes of symbolic links and junctions."""

    SKIP = "skip"
    LINK = "link"
    FOLLOW = "follow"


LARGEST_ID = 2**32 - 2
"""Of a user or group on POSIX systems; the next number means "leave it as it is" to chown(2)."""

Ids = tuple[tuple[int, int | str], ...]
"""Pairs of an id in the guest and the local account (a name or an id) that stands for it."""


def ids_of(accounts: Mapping[str, int | str]) -> Ids:
    """A table of a job as pairs, by id. ValueError for a key that is no id, or an account without a name."""
    for key, account in accounts.items():
        if not (key.isascii() and key.isdigit()) or int(key) > LARGEST_ID:
            raise ValueError(f'{key!r} is no id of the guest; write its number, such as "1000"')
        if account == "" or (isinstance(account, int) and not 0 <= account <= LARGEST_ID):
            raise ValueError(f"{account!r} is no local account; write a name or a number")
    return tuple(sorted((int(key), account) for key, account in accounts.items()))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a selection wants beside the bytes. `users` and `groups` count when `owner` is MAP."""

    metadata: Metadata = Metadata.BASIC
    owner: OwnerPolicy = OwnerPolicy.KEEP
    links: LinkPolicy = LinkPolicy.SKIP
    users: Ids = ()
    groups: Ids = ()

    @property
    def reads_properties(self) -> bool:
        """Whether more is read of a file than its bytes, mode and modification time."""
        return self.metadata in (Metadata.FULL, Metadata.PERMISSIONS)

    def wants(self, one: Property) -> bool:
        """Whether a property is asked for, when the source has it."""
        if one is Property.LINK:
            return self.links is LinkPolicy.LINK
        if one is Property.OWNER and self.owner is OwnerPolicy.NONE:
            return False
        if self.metadata is Metadata.PERMISSIONS:
            return one in PERMISSIONS
        return self.metadata is Metadata.FULL


BASIC = Wishes()

PERMISSIONS = frozenset({Property.MODE, Property.OWNER, Property.ACL, Property.DESCRIPTOR, Property.AUDIT})
"""What says who may do what."""

ACCESS_ACL = "system.posix_acl_access"
ACL_XATTRS = frozenset({ACCESS_ACL, "system.posix_acl_default"})
"""The extended attributes that hold POSIX ACLs (acl(5), Linux)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A named data stream, without ":" and ":$DATA"; `size` in bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Properties:
    """Everything beside the bytes that a source tells of one file or folder. None or empty: the source does not have
    it. `unread` is what it has, but would not give."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    modified_ns: int | None = None
    accessed_ns: int | None = None
    created_ns: int | None = None
    changed_ns: int | None = None
    attributes: int | None = None
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    descriptor: bytes | None = None
    streams: tuple[Stream, ...] = ()
    link_to: str | None = None
    identity: tuple[int, int] | None = None
    links: int = 1
    sparse: bool = False
    unread: frozenset[Property] = frozenset()

    @property
    def link_is_foreign(self) -> bool:
        """Whether the text of the link means a place of Windows, to which no link of another system leads."""
        text = self.link_to or ""
        return self.attributes is not None and ("\\" in text or text[1:2] == ":")

    @property
    def acls(self) -> dict[str, bytes]:
        """The POSIX ACLs among the extended attributes."""
        return {name: value for name, value in self.xattrs.items() if name in ACL_XATTRS}

    @property
    def plain_xattrs(self) -> dict[str, bytes]:
        """The extended attributes that are no ACLs."""
        return {name: value for name, value in self.xattrs.items() if name not in ACL_XATTRS}


NO_PROPERTIES = Properties()


def fidelity_code(fidelity: Fidelity) -> str:
    """A short text for the journal, such as `mode:kept owner:sidecar`; empty for nothing. Equal for equal values."""
    return " ".join(f"{one.value}:{fidelity[one].value}" for one in Property if one in fidelity)


def fidelity_of(code: str) -> dict[Property, Kept]:
    """What `fidelity_code` wrote. ValueError for another text."""
    pairs = (pair.partition(":") for pair in code.split())
    return {Property(name): Kept(kept) for name, _, kept in pairs}


@dataclass(frozen=True, slots=True)
class Card:
    """How many files kept each property, how many have it in the sidecar, and how many lost it."""

    counts: Mapping[Property, Mapping[Kept, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: Iterable[tuple[str, int]]) -> "Card":
        """The card of (code, number of files with it) pairs."""
        counts: dict[Property, dict[Kept, int]] = {}
        for code, number in codes:
            for one, kept in fidelity_of(code).items():
                row = counts.setdefault(one, {})
                row[kept] = row.get(kept, 0) + number
        return cls({one: counts[one] for one in Property if one in counts})

    def __add__(self, other: "Card") -> "Card":
        both = (*self._pairs(), *other._pairs())
        return Card.of((fidelity_code({one: kept}), number) for one, kept, number in both)

    def put_on(self, counts: Mapping[Property, int]) -> "Card":
        """The card when of so many files what waited in the sidecar was put on; never more than waited."""
        found = {one: dict(row) for one, row in self.counts.items()}
        for one, number in counts.items():
            moved = min(number, self.count(one, Kept.SIDECAR))
            if moved:
                found[one][Kept.SIDECAR] -= moved
                found[one][Kept.KEPT] = found[one].get(Kept.KEPT, 0) + moved
        return Card(found)

    def _pairs(self) -> Iterable[tuple[Property, Kept, int]]:
        return ((one, kept, number) for one, row in self.counts.items() for kept, number in row.items())

    def count(self, one: Property, kept: Kept) -> int:
        return self.counts.get(one, {}).get(kept, 0)

    def total(self, kept: Kept) -> int:
        """How often anything was kept, put into the sidecar or lost."""
        return sum(row.get(kept, 0) for row in self.counts.values())
