"""Restores to the original location, by Enterprise Manager inside the guest: what is asked for, what came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Standing(Enum):
    """What becomes of a file that stands in the guest where one comes back."""

    KEEP = "keep"
    OVERWRITE = "overwrite"
    PERMISSIONS_ONLY = "permissions-only"


@dataclass(frozen=True, slots=True)
class GuestAccount:
    """As whom EM logs on to a guest."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InPlace:
    """How EM is to restore. `user` is empty when no guest credentials are given."""

    standing: Standing = Standing.KEEP
    user: str = ""
    password: str = field(default="", repr=False)


class OriginalState(Enum):
    """Where the restore of one path is; the value is what the journal stores.

    INTENDED before EM is asked, ASKED once its task is known; then RESTORED or FAILED by EM's word, or UNKNOWN when EM
    was asked and how that ended was not seen. NOTHING: EM did not begin, so that it may be asked anew. UNSETTLED ones
    are open: EM may be at work on them.
    """

    INTENDED = "intended"
    ASKED = "asked"
    RESTORED = "restored"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOTHING = "nothing"


UNSETTLED = frozenset({OriginalState.INTENDED, OriginalState.ASKED})
"""States in which nobody has seen the end."""


@dataclass(frozen=True, slots=True)
class OriginalRow:
    """One path that EM was asked to restore to its original location, from before the POST until its end.

    `session` is the id of the `SessionRow` under which EM was asked; its tasks are seen by no other. `before` are the
    restore tasks that were there before the POST: what is new since may be ours. `size` in bytes is that of a file;
    None for a folder, of which EM tells nothing.
    """

    run: str
    group: str
    guest_path: str
    vm: str
    standing: Standing
    state: OriginalState
    session: str
    asked: datetime
    before: tuple[str, ...] = ()
    task_href: str = ""
    size: int | None = None
    message: str = ""
    ended: datetime | None = None
