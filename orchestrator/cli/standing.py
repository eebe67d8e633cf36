"""`orchestrator status` without a run: the runs, and what a person should know besides."""

from collections.abc import Sequence

from orchestrator.config import Config
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.limiting import LimitsNow
from orchestrator.journal import Journal, is_locked
from orchestrator.views import limits_line, standing_text


def standing(config: Config, journal: Journal, runs: Sequence[RunRow], limits: LimitsNow | None) -> str:
    """Where everything stands, for people."""
    somebody = is_locked(config.state.folder)
    left = mounts_left(journal, runs, somebody=somebody)
    jobs = len(journal.unfinished_drops())
    text = standing_text(runs, jobs, left, somebody=somebody, paused=journal.paused())
    more = limits_line(limits) if limits is not None else ""
    return f"{text}\n{more}\n" if more else text


def mounts_left(journal: Journal, runs: Sequence[RunRow], *, somebody: bool) -> list[LeaseRow]:
    """Mounts that may be open and that no run holds any more. Without `somebody` who runs, every run is over."""
    going_on = {run.id for run in runs if somebody and run.state is RunState.RUNNING}
    return [lease for lease in journal.open_leases() if lease.run not in going_on]
