"""What outcomes add to the totals of a run, exactly: a file that is told of twice counts once."""

from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.ledger import Totals

Written = tuple[Verdict, int, str]
"""What a run has written of a file: its verdict, its size in bytes, and the slug of its reason, which may be empty."""

Before = Written | None
"""What a run had written of a file before; None for nothing."""

PROBLEMS = frozenset({Verdict.REFUSED, Verdict.FAILED})
"""Verdicts that a person has to hear of."""


def befores(known: Mapping[tuple[str, str], Written], outcomes: Sequence[Outcome]) -> list[Before]:
    """What stands where each of `outcomes` is written, one after the other. `known` is what the journal has, by group
    and guest path. What is restored stays restored, and all else gives way."""
    standing, found = dict(known), list[Before]()
    for one in outcomes:
        key = (one.group, one.guest_path)
        before = standing.get(key)
        found.append(before)
        if gives_way(before, one.verdict):
            standing[key] = (one.verdict, one.size, slug_of(one))
    return found


def gives_way(before: Before, verdict: Verdict) -> bool:
    """Whether an outcome with that verdict is written in place of `before`."""
    return before is None or before[0] is not Verdict.RESTORED or verdict is Verdict.RESTORED


def change(outcomes: Sequence[Outcome], before: Sequence[Before]) -> Totals:
    """What `outcomes` add to the totals, with `before` standing where each is written. Below zero where a verdict gives
    way to another: what failed in one mount may be restored in the next."""
    pairs = [(one, was) for one, was in zip(outcomes, before, strict=True) if gives_way(was, one.verdict)]
    return _totals([(one.verdict, one.size) for one, _ in pairs]) - _totals([was[:2] for _, was in pairs if was])


def slug_of(outcome: Outcome) -> str:
    """The slug of an outcome's reason; empty without one."""
    return outcome.reason.slug if outcome.reason else ""


def news(outcome: Outcome, before: Before) -> bool:
    """Whether an outcome is a problem that has not been told of: the file had none, or another one."""
    if outcome.verdict not in PROBLEMS or not gives_way(before, outcome.verdict):
        return False
    return before is None or (before[0], before[2]) != (outcome.verdict, slug_of(outcome))


def solved(outcomes: Sequence[Outcome], before: Sequence[Before]) -> tuple[tuple[str, str, int], ...]:
    """(verdict, slug of the reason, files) of the problems that `outcomes` have put an end to, with `before` standing
    where each is written: the file is restored by now, or has another problem."""
    ended = Counter(
        (was[0].value, was[2])
        for one, was in zip(outcomes, before, strict=True)
        if was is not None and was[0] in PROBLEMS and (one.verdict not in PROBLEMS or news(one, was))
    )
    return tuple((*problem, count) for problem, count in sorted(ended.items()))


def _totals(written: Sequence[tuple[Verdict, int]]) -> Totals:
    count = Counter(verdict for verdict, _ in written)
    return Totals(
        restored=count[Verdict.RESTORED],
        skipped=count[Verdict.SKIPPED],
        refused=count[Verdict.REFUSED],
        failed=count[Verdict.FAILED],
        bytes=sum(size for verdict, size in written if verdict is Verdict.RESTORED),
    )
