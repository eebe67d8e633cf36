"""Restores to the original location, by Enterprise Manager inside the guest: what is asked for, what came of it."""

from dataclasses import dataclass, field
from enum import Enum


class Standing(Enum):
    """What becomes of a file that stands in the guest where one comes back."""

    KEEP = "keep"
    OVERWRITE = "overwrite"
    PERMISSIONS_ONLY = "permissions-only"


@dataclass(frozen=True, slots=True)
class InPlace:
    """How EM is to restore. `user` is empty when no guest credentials are given."""

    standing: Standing = Standing.KEEP
    user: str = ""
    password: str = field(default="", repr=False)


class PutBack(Enum):
    """What came of one path. UNKNOWN: EM was asked, and how it ended was not seen; it is not asked again by itself."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PutBackPath:
    """One path, what came of it, and what there is to say."""

    path: str
    result: PutBack
    message: str = ""
