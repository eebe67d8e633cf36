"""A worker that is not heard of any more: what it still does, and that it ends."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import pytest

from orchestrator.core.errors import JournalUnusable
from orchestrator.core.fleet import Heard, Member, MemberKind, MemberNow, Pace
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.engine.alarm import Alarm
from orchestrator.engine.renewals import Renewals
from orchestrator.engine.tenure import Tenure
from tests.support.fleet import Silent

LEASE = 0.3
"""Seconds: it has to expire."""


@dataclass
class Members:
    """The members of a fleet as one worker sees them; `answer` is what a renewal comes to."""

    answer: Callable[[], Heard | None]

    def join(self, member: Member) -> None:
        pass

    def renew(self, member: str, pace: Pace) -> Heard | None:
        return self.answer()

    def withdraw(self, member: str) -> None:
        pass

    def leave(self, member: str) -> None:
        pass

    def members(self) -> list[MemberNow]:
        return []

    def protected(self, member: str) -> frozenset[str]:
        return frozenset()


def away() -> Heard | None:
    raise JournalUnusable(folder="the database", cause="it is away")


def dead() -> Heard | None:
    return None


def renewals(answer: Callable[[], Heard | None], did: list[str]) -> Renewals:
    """Those of a worker; what it does at its end goes to `did`."""
    member = Member("me", "anna", MemberKind.WORKER, "", 4, "host", "1", LEASE)
    tenure = Tenure(LEASE, time.monotonic)

    def perish(error: MemberDead) -> None:
        did.append("perished")

    def now() -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)

    alarm = Alarm(Silent())
    return Renewals(Members(answer), member, tenure, alarm, 0.05, lambda event: None, now, time.monotonic, perish)


@pytest.mark.parametrize("answer", [away, dead])
async def test_a_worker_that_is_not_heard_of_stops_writing_deletes_its_mounts_and_ends(
    answer: Callable[[], Heard | None],
) -> None:
    did: list[str] = []
    own = renewals(answer, did)

    async def delete() -> None:
        own.tenure.renewed(time.monotonic())  # an answer that comes too late
        did.append("may write" if own.tenure.left > 0 else "may not write")

    own.part = delete
    with pytest.raises(MemberDead):
        async with own.kept():
            await anyio.sleep_forever()
    assert did == ["may not write", "perished"]


async def test_a_worker_ends_also_when_its_mounts_cannot_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.engine.renewals.PART_WITHIN", 0.05)
    did: list[str] = []
    own = renewals(dead, did)
    own.part = anyio.sleep_forever
    with pytest.raises(MemberDead):
        async with own.kept():
            await anyio.sleep_forever()
    assert did == ["perished"]
