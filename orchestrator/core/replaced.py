"""Files that stood where a run restored: what became of them, and how they come back."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from orchestrator.core.paths import HOLDING, TargetPath


class Stood(Enum):
    """What stood at the target before a file was restored."""

    UNKNOWN = ""
    """The run is older than this note."""
    NOTHING = "nothing"
    REPLACED = "replaced"
    ASIDE = "aside"


class AsideState(Enum):
    """Where a file is that a run has set aside."""

    HELD = "held"
    RETURNED = "returned"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Aside:
    """A file that is moved from `target` to `held` (below the same root) so that a restored one can take its place.

    Written before the move. `size` in bytes, `mtime_ns` in nanoseconds and `checksum` are those of the file that is
    moved, `new_size` and `new_checksum` those of the one that takes its place.
    """

    target: TargetPath
    held: TargetPath
    size: int
    mtime_ns: int
    checksum: str
    new_size: int
    new_checksum: str
    state: AsideState = AsideState.HELD


def held_path(run: str, target: TargetPath, attempt: int = 0) -> TargetPath:
    """Where the file at `target` is held for `run`: the same path in the run's own folder below the destination, and
    `.2`, `.3` and so on after the name when that is taken."""
    more = f".{attempt + 1}" if attempt else ""
    return TargetPath(target.root, f"{HOLDING}/{run}/{target.relative}{more}")


@dataclass(frozen=True, slots=True)
class HeldFiles:
    """What is set aside below one destination: how many files, how many bytes."""

    root: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class UndoRow:
    """One undo of a run; `ended` is None while it goes on, and for one that died."""

    run: str
    started: datetime
    ended: datetime | None = None
    returned: int = 0
    removed: int = 0
    left: int = 0


class Fate(Enum):
    """What an undo made of one file: the replaced one is back, the restored one is removed, there was nothing to do,
    or it is left as it is, and told of."""

    RETURNED = "returned"
    REMOVED = "removed"
    GONE = "gone"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo made of one file: `size` is the bytes of what came back or went, `message` says why it was left."""

    target_path: str
    fate: Fate
    size: int = 0
    message: str = ""


LEFT_SHOWN = 10_000
"""An undo names this many files that it left; it counts all of them."""


@dataclass(slots=True)
class UndoReport:
    """What an undo did, or (`dry`) would do. `left` names files that stay as they are, each with its reason.
    `folders` counts those removed. `discarded` counts files removed from the holding folders for good."""

    run: str
    dry: bool = False
    returned: int = 0
    removed: int = 0
    gone: int = 0
    folders: int = 0
    discarded: int = 0
    bytes: int = 0
    left_count: int = 0
    left: list[Undone] = field(default_factory=list)
    complete: bool = False
    """It came to its end; what is left, is left for a reason."""

    def add(self, one: Undone) -> None:
        """Count one file."""
        match one.fate:
            case Fate.RETURNED:
                self.returned += 1
            case Fate.REMOVED:
                self.removed += 1
            case Fate.GONE:
                self.gone += 1
            case Fate.LEFT:
                self.left_count += 1
                if len(self.left) < LEFT_SHOWN:
                    self.left.append(one)
        self.bytes += one.size
