"""Copy, skip or refuse: one decision for one file, from what the backup has and what the target holds."""

from dataclasses import dataclass

from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind
from orchestrator.core.entry import Compare, Conflict
from orchestrator.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the file; `replace` says whether an existing file may be replaced."""

    replace: bool = False


@dataclass(frozen=True, slots=True)
class SetAside:
    """Copy the file, and keep the existing one in the holding folder."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """Copy the file beside the existing one, under another name."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Leave what is there."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not restore, and say why."""

    reason: Reason


Decided = Copy | SetAside | Renamed | Skip | Refuse


@dataclass(frozen=True, slots=True)
class Examine:
    """Only the content can tell. When it is the backup's, leave the file, and with `settle` give it the backup's time;
    else do as `other` says."""

    other: Decided
    settle: bool = False


Decision = Decided | Examine

TIME_TOLERANCE_NS = 2_000_000_000
"""FAT and some NAS keep times to two seconds; nearer times of files of one size count as equal only if the
target's own time is whole seconds."""


GRAIN_NS = 100
"""The finest time of NTFS and of every share."""


def decide(entry: Entry, found: Found, policy: Conflict, compare: Compare = Compare.TIMES) -> Decision:
    """What to do with `entry` when `found` stands where it belongs.

    Files of different sizes differ. Of one size, they are the same by their times unless `compare` says otherwise;
    where the times differ too, `Conflict.CHANGED` looks at the content.
    """
    match entry.kind:
        case EntryKind.LINK:
            return Refuse(Reason.LINK_SKIPPED)
        case EntryKind.SPECIAL:
            return Refuse(Reason.SPECIAL)
        case EntryKind.UNREADABLE:
            return Refuse(entry.reason or Reason.READ_ERROR)
        case _:
            pass
    if found.kind is FoundKind.NOTHING:
        return Copy()
    if found.kind is not FoundKind.FILE:
        return Refuse(Reason.TARGET_KIND)
    same = same_file(entry, found)
    if same and compare is Compare.TIMES:
        return Skip(Reason.UNCHANGED)
    if torn(entry, found):
        return Copy(replace=True)
    if entry.size == found.size and (compare is Compare.CONTENT or policy is Conflict.CHANGED):
        return Examine(_against(entry, found, policy), settle=not same and policy in REPLACING)
    return _against(entry, found, policy)


REPLACING = frozenset({Conflict.OVERWRITE, Conflict.CHANGED})
"""Policies under which whatever file is there may become the backup's. When only its time differs, that is set."""


def _against(entry: Entry, found: Found, policy: Conflict) -> Decided:
    """What to do when another file is there."""
    match policy:
        case Conflict.SKIP:
            return Skip(Reason.EXISTS)
        case Conflict.OVERWRITE | Conflict.CHANGED:
            return Copy(replace=True)
        case Conflict.NEWER:
            return Copy(replace=True) if entry.mtime_ns > found.mtime_ns else Skip(Reason.TARGET_NEWER)
        case Conflict.ASIDE:
            return SetAside()
        case Conflict.RENAME | Conflict.KEEP:
            return Renamed()


def torn(entry: Entry, found: Found) -> bool:
    """Whether the target is our own copy that a power cut has cut short: nobody else's file has the very nanosecond
    of the backed-up one and fewer bytes."""
    return found.size < entry.size and _same_instant(entry, found) and entry.mtime_ns % 1_000_000_000 != 0


def same_file(entry: Entry, found: Found) -> bool:
    """Whether size and modification time say that the target already is the backed-up file."""
    if entry.size != found.size:
        return False
    apart = abs(entry.mtime_ns - found.mtime_ns)
    return _same_instant(entry, found) or (found.mtime_ns % 1_000_000_000 == 0 and apart < TIME_TOLERANCE_NS)


def _same_instant(entry: Entry, found: Found) -> bool:
    """Whether the times are one, as the target keeps it: shares and NTFS keep hundreds of nanoseconds."""
    apart = entry.mtime_ns - found.mtime_ns
    return apart == 0 or (0 < apart < GRAIN_NS and found.mtime_ns % GRAIN_NS == 0)
