"""Which runs may be forgotten, and what came of forgetting them."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.ledger import RunRow, RunState


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be if `dry`. `claims` counts dropped jobs; `left` says by run why it could not be
    removed; `note` is what else an operator should know."""

    removed: tuple[RunRow, ...]
    claims: int
    kept: int
    dry: bool
    left: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def prunable(runs: Iterable[RunRow], in_use: Set[str], before: datetime) -> list[RunRow]:
    """Of `runs`, newest first, those that finished before a time. Never one that is `in_use` (EM may hold a mount for
    it, a dropped job is bound to it, or it holds files that were set aside), and never the newest finished one of a
    job."""
    found, jobs = [], set()
    for run in runs:
        if run.state is not RunState.FINISHED or run.ended is None:
            continue
        if run.job in jobs and run.ended < before and run.id not in in_use:
            found.append(run)
        jobs.add(run.job)
    return found
