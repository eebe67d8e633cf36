"""What a look at the share says, as entries."""

import errno
import os
import stat

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.reasons import Reason
from orchestrator.files.holes import may_have_holes
from orchestrator.files.system import WINDOWS, kind_of
from orchestrator.files.translate import Side, explain, reason_of

MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
"""What the system says of a path at which there is nothing."""


def to_entry(relative: str, status: os.stat_result) -> Entry:
    """An entry from a look that did not follow links. Folders, links and specials have size 0."""
    kind = kind_of(status)
    if kind is not EntryKind.FILE:
        return Entry(relative, kind, 0, status.st_mtime_ns, stat.S_IMODE(status.st_mode))
    identity = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
    mode = stat.S_IMODE(status.st_mode)
    size, mtime_ns, sparse = status.st_size, status.st_mtime_ns, may_have_holes(status)
    return Entry(relative, kind, size, mtime_ns, mode, identity=identity, links=status.st_nlink, sparse=sparse)


def unreadable(relative: str, error: OSError) -> Entry:
    """An entry for what could not be read, with its reason and a plain message."""
    reason = reason_of(error, Side.SOURCE)
    return Entry(relative, EntryKind.UNREADABLE, reason=reason, message=explain(error, reason))


def elsewhere(relative: str, status: os.stat_result, why: str) -> Entry:
    """An entry for a folder that is not entered because it leads to another place."""
    return Entry(relative, EntryKind.LINK, 0, status.st_mtime_ns, reason=Reason.LINK_SKIPPED, message=why)


def newest_ns(status: os.stat_result) -> int:
    """The newest of an entry's times, in nanoseconds since 1970 UTC; st_birthtime_ns is there on some systems only."""
    return max(status.st_mtime_ns, status.st_ctime_ns, getattr(status, "st_birthtime_ns", 0))


def stands_for_folder(path: str, status: os.stat_result) -> bool:
    """Whether a child of a share is a folder, or leads to one: the volume folders of a mount are mount points, which
    some clients show as links."""
    kind = kind_of(status)
    if kind is not EntryKind.LINK:
        return kind is EntryKind.FOLDER
    if WINDOWS and stat.S_ISDIR(status.st_mode):
        return True
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError:
        return False
