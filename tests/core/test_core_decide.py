"""Copy, skip or refuse: every policy against everything that may stand at the target."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.decide import (
    REPLACING,
    Copy,
    Decision,
    Examine,
    Refuse,
    Renamed,
    SetAside,
    Skip,
    decide,
    same_file,
)
from orchestrator.core.entries import NOTHING, Entry, EntryKind, Found, FoundKind
from orchestrator.core.entry import Compare, Conflict
from orchestrator.core.reasons import Reason

S = 1_000_000_000
FILE = Entry("a.txt", EntryKind.FILE, size=10, mtime_ns=100 * S)
SAME = Found(FoundKind.FILE, 10, 100 * S)
OLDER = Found(FoundKind.FILE, 10, 50 * S)
NEWER = Found(FoundKind.FILE, 10, 150 * S)


def _expected(policy: Conflict, found: Found) -> Decision:
    match policy:
        case Conflict.SKIP:
            return Skip(Reason.EXISTS)
        case Conflict.OVERWRITE:
            return Copy(replace=True)
        case Conflict.NEWER:
            return Copy(replace=True) if found is OLDER else Skip(Reason.TARGET_NEWER)
        case Conflict.CHANGED:
            return Examine(Copy(replace=True), settle=True)
        case Conflict.ASIDE:
            return SetAside()
        case Conflict.RENAME | Conflict.KEEP:
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


def test_files_of_different_sizes_differ_and_nothing_is_read_for_it() -> None:
    longer = replace(OLDER, size=11)
    for compare in Compare:
        assert decide(FILE, longer, Conflict.CHANGED, compare) == Copy(replace=True)
        assert decide(FILE, longer, Conflict.SKIP, compare) == Skip(Reason.EXISTS)


@pytest.mark.parametrize("policy", Conflict)
def test_by_content_the_same_size_and_time_prove_nothing(policy: Conflict) -> None:
    decision = decide(FILE, SAME, policy, Compare.CONTENT)
    assert isinstance(decision, Examine)
    assert not decision.settle
    assert decision.other != Skip(Reason.UNCHANGED)


@pytest.mark.parametrize("policy", Conflict)
def test_a_file_whose_time_alone_differs_gets_it_only_from_a_policy_that_may_replace_it(policy: Conflict) -> None:
    decision = decide(FILE, OLDER, policy, Compare.CONTENT)
    assert isinstance(decision, Examine)
    assert decision.settle is (policy in REPLACING)


_times = st.integers(0, 3 * S) | st.sampled_from([0, S, 2 * S])
_found = st.builds(Found, st.sampled_from(FoundKind), st.integers(0, 3), _times)
_files = st.builds(Entry, st.just("a"), st.sampled_from(EntryKind), st.integers(0, 3), _times)


@given(_files, _found, st.sampled_from(Conflict), st.sampled_from(Compare))
def test_nothing_is_replaced_that_the_policy_protects_and_nothing_is_left_that_it_does_not(
    entry: Entry, found: Found, policy: Conflict, compare: Compare
) -> None:
    decision = decide(entry, found, policy, compare)
    last = decision.other if isinstance(decision, Examine) else decision
    if entry.kind is not EntryKind.FILE and entry.kind is not EntryKind.FOLDER:
        assert isinstance(decision, Refuse)
    elif found.kind is FoundKind.NOTHING:
        assert decision == Copy(replace=False)
    elif found.kind is not FoundKind.FILE:
        assert decision == Refuse(Reason.TARGET_KIND)
    elif isinstance(decision, Examine):
        assert entry.size == found.size
        assert compare is Compare.CONTENT or policy is Conflict.CHANGED
    elif compare is Compare.CONTENT:
        assert entry.size != found.size
    protected = policy in (Conflict.SKIP, Conflict.RENAME) or (
        policy is Conflict.NEWER and entry.mtime_ns <= found.mtime_ns
    )
    ours = found.size < entry.size and abs(entry.mtime_ns - found.mtime_ns) < 100 and entry.mtime_ns % S != 0
    if protected and not ours and found.kind is not FoundKind.NOTHING:
        assert not isinstance(last, Copy)
