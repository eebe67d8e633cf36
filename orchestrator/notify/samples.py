"""A sample of every kind, for trying the channels out."""

from datetime import datetime, timedelta

from orchestrator.core.announce import Announcement, Kind
from orchestrator.core.errors import ExitCode
from orchestrator.core.ledger import Totals

JOB = "sample"
_RUN = "sample-20261124T010000Z"


def sample(kind: Kind, at: datetime) -> Announcement:
    """What a message of this kind looks like. It is marked as a test."""
    whole = Totals(restored=1234, bytes=5_678_901_234)
    short = Totals(restored=1222, refused=2, failed=10, bytes=5_600_000_000)
    match kind:
        case Kind.STARTED:
            return Announcement(kind, at, JOB, _RUN, groups=12, test=True)
        case Kind.FINISHED:
            return _ended(kind, at, ExitCode.OK, whole)
        case Kind.PARTIAL:
            return _ended(kind, at, ExitCode.PARTIAL, short)
        case Kind.FAILED:
            return _ended(kind, at, ExitCode.EM, short)
        case Kind.STOPPED:
            return _ended(kind, at, ExitCode.STOPPED, short)
        case Kind.MOUNTS_LEFT:
            return _ended(kind, at, ExitCode.MOUNTS_LEFT, whole, left=1)
        case Kind.COULD_NOT_START:
            message = "Enterprise Manager at https://em.example.com:9398 cannot be reached"
            return Announcement(kind, at, JOB, message=message, exit_code=ExitCode.EM, test=True)
        case Kind.MISSED:
            return Announcement(kind, at, JOB, message="orchestrator was not running", due=at, test=True)
        case Kind.DEADLINE_IN_DANGER:
            late = at + timedelta(hours=2)
            return Announcement(kind, at, JOB, _RUN, deadline=at + timedelta(hours=1), forecast=late, test=True)
        case Kind.DRILL:
            return Announcement(
                kind, at, JOB, _RUN, exit_code=0, seconds=754, groups=12, files=1234, bytes=whole.bytes,
                differences=0, test=True,
            )  # fmt: skip


def _ended(kind: Kind, at: datetime, code: ExitCode, totals: Totals, left: int = 0) -> Announcement:
    return Announcement(
        kind,
        at,
        JOB,
        _RUN,
        exit_code=code,
        totals=totals,
        seconds=754,
        mounts_opened=12,
        mounts_deleted=12 - left,
        mounts_left=left,
        test=True,
    )
