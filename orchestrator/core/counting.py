"""What outcomes add to the totals of a run, exactly: a file that is told of twice counts once."""

from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.ledger import Totals

Before = tuple[Verdict, int] | None
"""What a run had written of a file before: its verdict and its size in bytes; None for nothing."""


def befores(known: Mapping[tuple[str, str], tuple[Verdict, int]], outcomes: Sequence[Outcome]) -> list[Before]:
    """What stands where each of `outcomes` is written, one after the other. `known` is what the journal has, by group
    and guest path. What is restored stays restored, and all else gives way."""
    standing, found = dict(known), list[Before]()
    for one in outcomes:
        key = (one.group, one.guest_path)
        before = standing.get(key)
        found.append(before)
        if gives_way(before, one.verdict):
            standing[key] = (one.verdict, one.size)
    return found


def gives_way(before: Before, verdict: Verdict) -> bool:
    """Whether an outcome with that verdict is written in place of `before`."""
    return before is None or before[0] is not Verdict.RESTORED or verdict is Verdict.RESTORED


def change(outcomes: Sequence[Outcome], before: Sequence[Before]) -> Totals:
    """What `outcomes` add to the totals, with `before` standing where each is written. Below zero where a verdict gives
    way to another: what failed in one mount may be restored in the next."""
    pairs = [(one, was) for one, was in zip(outcomes, before, strict=True) if gives_way(was, one.verdict)]
    return _totals([(one.verdict, one.size) for one, _ in pairs]) - _totals([was for _, was in pairs if was])


def _totals(written: Sequence[tuple[Verdict, int]]) -> Totals:
    count = Counter(verdict for verdict, _ in written)
    return Totals(
        restored=count[Verdict.RESTORED],
        skipped=count[Verdict.SKIPPED],
        refused=count[Verdict.REFUSED],
        failed=count[Verdict.FAILED],
        bytes=sum(size for verdict, size in written if verdict is Verdict.RESTORED),
    )
