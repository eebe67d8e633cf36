"""Copy, skip or refuse: one decision for one file, from what the backup has and what the target holds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind
from orchestrator.core.job import Conflict
from orchestrator.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the file; `replace` says whether an existing file may be replaced."""

    replace: bool = False


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


Decision = Copy | Renamed | Skip | Refuse

TIME_TOLERANCE_NS = 2_000_000_000
"""FAT and some NAS keep times to two seconds; nearer times of files of one size count as equal only if the
target's own time is whole seconds."""


def decide(entry: Entry, found: Found, policy: Conflict) -> Decision:
    """What to do with `entry` when `found` stands where it belongs."""
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
    if same_file(entry, found):
        return Skip(Reason.UNCHANGED)
    if torn(entry, found):
        return Copy(replace=True)
    match policy:
        case Conflict.SKIP:
            return Skip(Reason.EXISTS)
        case Conflict.OVERWRITE:
            return Copy(replace=True)
        case Conflict.NEWER:
            return Copy(replace=True) if entry.mtime_ns > found.mtime_ns else Skip(Reason.TARGET_NEWER)
        case Conflict.RENAME:
            return Renamed()


def torn(entry: Entry, found: Found) -> bool:
    """Whether the target is our own copy that a power cut has cut short: nobody else's file has the very nanosecond
    of the backed-up one and fewer bytes."""
    return found.size < entry.size and found.mtime_ns == entry.mtime_ns and entry.mtime_ns % 1_000_000_000 != 0


def same_file(entry: Entry, found: Found) -> bool:
    """Whether size and modification time say that the target already is the backed-up file."""
    if entry.size != found.size:
        return False
    apart = abs(entry.mtime_ns - found.mtime_ns)
    return apart == 0 or (found.mtime_ns % 1_000_000_000 == 0 and apart < TIME_TOLERANCE_NS)


def renamed(relative: str, created: datetime, attempt: int = 0) -> str:
    """The name beside an existing file: `plan (restored 20261120T060000Z).xlsx`, then `... 2).xlsx` and so on.

    The restore point's time is in it, so a second run of the same job finds its own copy again.
    """
    path = PurePosixPath(relative)
    stamp = created.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    count = f" {attempt + 1}" if attempt else ""
    return str(path.with_name(f"{path.stem} (restored {stamp}{count}){path.suffix}"))
