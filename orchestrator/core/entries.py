"""Files on their way: what the walk finds, what is decided, what became of each."""

from dataclasses import dataclass, field
from enum import Enum

from orchestrator.core.fidelity import Fidelity, Property
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Stood


class EntryKind(Enum):
    """What a share entry is. `LINK` covers symbolic links and junctions, `SPECIAL` devices, pipes and sockets."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on the mount share.

    `relative` is its path below the volume root, `/` between names, never empty for files. `size` in bytes,
    `mtime_ns` in nanoseconds since 1970 UTC. `reason` and `message` say why an `UNREADABLE` one could not be read.
    `identity` is what the names of one file with several have in common; None for a file with one name;
    `links` counts them. A `sparse` file takes less room than it has bytes.
    """

    relative: str
    kind: EntryKind
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0o644
    reason: Reason | None = None
    message: str = ""
    identity: tuple[int, int] | None = None
    links: int = 1
    sparse: bool = False


class FoundKind(Enum):
    """What stands at a target path before the copy."""

    NOTHING = "nothing"
    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Found:
    """The state of a target path: `size` in bytes and `mtime_ns` in nanoseconds are those of a file."""

    kind: FoundKind
    size: int = 0
    mtime_ns: int = 0


NOTHING = Found(FoundKind.NOTHING)


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that now stands under its final name: `size` in bytes, `checksum` in lower-case hex; what became of what
    it is beside its bytes."""

    size: int
    checksum: str
    fidelity: Fidelity = field(default_factory=dict, hash=False)


class Verdict(Enum):
    """What became of one file."""

    RESTORED = "restored"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file, with its reason. Paths as a person writes them; sizes in bytes, times in nanoseconds.

    `seconds` is how long copying it took; it is told once, and not kept. `stood` is what was at the target of a file
    that was restored.
    """

    group: str
    guest_path: str
    target_path: str
    verdict: Verdict
    size: int = 0
    mtime_ns: int = 0
    checksum: str = ""
    reason: Reason | None = None
    message: str = ""
    seconds: float = field(default=0.0, compare=False)
    stood: Stood = Stood.UNKNOWN
    fidelity: Fidelity = field(default_factory=dict, hash=False)


def has_content(restored: Outcome) -> bool:
    """Whether bytes were copied for a restored outcome: not for a link, not where only permissions were put on, and not
    where EM has restored into the guest. A run may take no checksums."""
    fidelity = restored.fidelity
    if not restored.target_path:
        return False
    return bool(restored.checksum) or not fidelity or (Property.TIMES in fidelity and Property.LINK not in fidelity)
