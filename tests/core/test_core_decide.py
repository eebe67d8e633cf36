"""Copy, skip or refuse: every policy against everything that may stand at the target."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.decide import Copy, Decision, Refuse, Renamed, Skip, decide, renamed, same_file
from orchestrator.core.entries import NOTHING, Entry, EntryKind, Found, FoundKind
from orchestrator.core.job import Conflict
from orchestrator.core.reasons import Reason

S = 1_000_000_000
FILE = Entry("a.txt", EntryKind.FILE, size=10, mtime_ns=100 * S)
SAME = Found(FoundKind.FILE, 10, 100 * S)
OLDER = Found(FoundKind.FILE, 10, 50 * S)
NEWER = Found(FoundKind.FILE, 10, 150 * S)
CREATED = datetime(2026, 11, 20, 6, tzinfo=UTC)


def _expected(policy: Conflict, found: Found) -> Decision:
    match policy:
        case Conflict.SKIP:
            return Skip(Reason.EXISTS)
        case Conflict.OVERWRITE:
            return Copy(replace=True)
        case Conflict.NEWER:
            return Copy(replace=True) if found is OLDER else Skip(Reason.TARGET_NEWER)
        case Conflict.RENAME:
            return Renamed()


@pytest.mark.parametrize(("policy", "found"), list(product(Conflict, (OLDER, NEWER))))
def test_another_file_is_treated_as_the_policy_says(policy: Conflict, found: Found) -> None:
    assert decide(FILE, found, policy) == _expected(policy, found)


@pytest.mark.parametrize("policy", Conflict)
def test_what_every_policy_agrees_on(policy: Conflict) -> None:
    assert decide(FILE, NOTHING, policy) == Copy(replace=False)
    assert decide(FILE, SAME, policy) == Skip(Reason.UNCHANGED)
    assert decide(FILE, Found(FoundKind.FOLDER), policy) == Refuse(Reason.TARGET_KIND)
    assert decide(FILE, Found(FoundKind.OTHER), policy) == Refuse(Reason.TARGET_KIND)


@pytest.mark.parametrize(("policy", "found"), list(product(Conflict, (NOTHING, SAME, OLDER))))
def test_what_is_no_file_is_never_copied(policy: Conflict, found: Found) -> None:
    assert decide(replace(FILE, kind=EntryKind.LINK), found, policy) == Refuse(Reason.LINK_SKIPPED)
    assert decide(replace(FILE, kind=EntryKind.SPECIAL), found, policy) == Refuse(Reason.SPECIAL)
    broken = replace(FILE, kind=EntryKind.UNREADABLE)
    assert decide(broken, found, policy) == Refuse(Reason.READ_ERROR)
    assert decide(replace(broken, reason=Reason.LOCKED), found, policy) == Refuse(Reason.LOCKED)


@pytest.mark.parametrize(
    ("size", "source_ns", "target_ns", "same"),
    [
        (10, 100 * S + 7, 100 * S + 7, True),
        (11, 100 * S, 100 * S, False),
        (10, 100 * S + 7, 100 * S + 8, False),
        (10, 101 * S + S // 2, 100 * S, True),
        (10, 102 * S, 100 * S, False),
        (10, 100 * S, 101 * S + S // 2, False),
    ],
)
def test_a_target_that_keeps_whole_seconds_may_be_almost_two_seconds_off(
    size: int, source_ns: int, target_ns: int, same: bool
) -> None:
    entry = replace(FILE, mtime_ns=source_ns)
    assert same_file(entry, Found(FoundKind.FILE, size, target_ns)) is same


@pytest.mark.parametrize(
    ("relative", "attempt", "name"),
    [
        ("C/a/plan.xlsx", 0, "C/a/plan (restored 20261120T060000Z).xlsx"),
        ("C/a/plan.xlsx", 1, "C/a/plan (restored 20261120T060000Z 2).xlsx"),
        ("README", 0, "README (restored 20261120T060000Z)"),
        ("a/.bashrc", 0, "a/.bashrc (restored 20261120T060000Z)"),
        ("a.tar.gz", 0, "a.tar (restored 20261120T060000Z).gz"),
    ],
)
def test_a_renamed_copy_stands_beside_the_file_with_the_points_time_in_utc(
    relative: str, attempt: int, name: str
) -> None:
    assert renamed(relative, CREATED.astimezone(timezone(timedelta(hours=3))), attempt) == name


@given(st.lists(st.integers(0, 50), unique=True, min_size=2))
def test_no_two_attempts_give_one_name(attempts: list[int]) -> None:
    assert len({renamed("a/b.c", CREATED, attempt) for attempt in attempts}) == len(attempts)
