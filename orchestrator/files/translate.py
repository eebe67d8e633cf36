"""Operating-system errors in the taxonomy's words: the only place that knows errno and winerror values.

Source of the numbers: errno(3), and the system error codes of the Windows documentation.
"""

import errno
from enum import Enum
from types import TracebackType
from typing import Self

from orchestrator.core.errors import FileError
from orchestrator.core.reasons import Reason


class Side(Enum):
    """Whose failure it is: the mount share that is read, or the destination that is written."""

    SOURCE = "source"
    TARGET = "target"


_EITHER = {
    errno.ENAMETOOLONG: Reason.TOO_LONG,
    errno.ETXTBSY: Reason.LOCKED,
    errno.EBUSY: Reason.LOCKED,
    errno.EAGAIN: Reason.LOCKED,
}

_SOURCE = _EITHER | {
    errno.EACCES: Reason.ACCESS_DENIED,
    errno.EPERM: Reason.ACCESS_DENIED,
    errno.ENOENT: Reason.VANISHED,
    errno.ENOTDIR: Reason.VANISHED,
    errno.EISDIR: Reason.VANISHED,
    errno.ELOOP: Reason.LINK_SKIPPED,
    errno.ESTALE: Reason.READ_ERROR,
    errno.ENOTCONN: Reason.READ_ERROR,
    errno.EHOSTDOWN: Reason.READ_ERROR,
    errno.EIO: Reason.READ_ERROR,
}

_TARGET = _EITHER | {
    errno.EACCES: Reason.TARGET_DENIED,
    errno.EPERM: Reason.TARGET_DENIED,
    errno.EROFS: Reason.TARGET_DENIED,
    errno.ENOSPC: Reason.NO_SPACE,
    errno.EDQUOT: Reason.NO_SPACE,
    errno.EINVAL: Reason.NAME_UNUSABLE,
    errno.EILSEQ: Reason.NAME_UNUSABLE,
    errno.EEXIST: Reason.EXISTS,
    errno.ENOTEMPTY: Reason.TARGET_KIND,
    errno.EISDIR: Reason.TARGET_KIND,
    errno.ENOTDIR: Reason.TARGET_KIND,
    errno.ELOOP: Reason.OUTSIDE_TARGET,
    errno.EXDEV: Reason.NOT_SET_ASIDE,
}

# Python folds many Windows errors into one errno; these are asked for first.
_WINERROR = {
    32: {Side.SOURCE: Reason.LOCKED, Side.TARGET: Reason.LOCKED},
    33: {Side.SOURCE: Reason.LOCKED, Side.TARGET: Reason.LOCKED},
    39: {Side.SOURCE: Reason.READ_ERROR, Side.TARGET: Reason.NO_SPACE},
    112: {Side.SOURCE: Reason.READ_ERROR, Side.TARGET: Reason.NO_SPACE},
    123: {Side.SOURCE: Reason.READ_ERROR, Side.TARGET: Reason.NAME_UNUSABLE},
    206: {Side.SOURCE: Reason.TOO_LONG, Side.TARGET: Reason.TOO_LONG},
    225: {Side.SOURCE: Reason.ACCESS_DENIED, Side.TARGET: Reason.TARGET_DENIED},
}

_TABLES = {Side.SOURCE: (_SOURCE, Reason.READ_ERROR), Side.TARGET: (_TARGET, Reason.WRITE_ERROR)}


def reason_of(error: OSError, side: Side) -> Reason:
    """The reason for a failure of one side; READ_ERROR or WRITE_ERROR for everything that is not in the table."""
    windows = _WINERROR.get(getattr(error, "winerror", None) or 0)
    if windows is not None:
        return windows[side]
    table, otherwise = _TABLES[side]
    return table.get(error.errno or 0, otherwise)


_HINTS = {
    errno.EPERM: "an immutable or append-only mark says so, see lsattr",
    errno.EACCES: "the account may not write the folder, or not read the file that is there",
    errno.EROFS: "it is mounted read-only",
}
"""What it may be that a destination refuses."""


def explain(error: OSError, reason: Reason) -> str:
    """One plain sentence: the cause, what the system says, and what to do."""
    said = error.strerror or str(error) or type(error).__name__
    if reason is Reason.TARGET_DENIED and (hint := _HINTS.get(error.errno or 0)):
        said = f"{said}: {hint}"
    return f"{reason.cause} ({said}); {reason.action}"


def file_error(error: OSError, side: Side, relative: str) -> FileError:
    """The error of one file, named by its path below the volume."""
    reason = reason_of(error, side)
    return FileError(reason=reason, guest_path=relative, what=explain(error, reason))


class Translating:
    """A block in which every OSError is one side's, and leaves as FileError. A class because it is on the hot path."""

    __slots__ = ("_relative", "_side")

    def __init__(self, side: Side, relative: str) -> None:
        self._side = side
        self._relative = relative

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise file_error(error, self._side, self._relative) from error
