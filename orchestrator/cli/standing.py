"""`orchestrator status` without a run: the runs, and what a person should know besides."""

from collections.abc import Sequence

from orchestrator.config import Config
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.limiting import LimitsNow
from orchestrator.journal import Journal, is_locked
from orchestrator.own_jobs import own_jobs
from orchestrator.views import limits_line, standing_text, visible


def standing(config: Config, journal: Journal, runs: Sequence[RunRow], limits: LimitsNow | None) -> str:
    """Where everything stands, for people."""
    own = own_jobs(config, journal)
    somebody = config.fleet.dsn is not None or is_locked(config.state.folder)
    left = mounts_left(config, journal, runs, somebody=somebody)
    jobs = len(own.unfinished_drops())
    text = standing_text(runs, jobs, left, somebody=somebody, paused=own.paused())
    more = [*_not_followed(config, runs), *([limits_line(limits)] if limits is not None else [])]
    return "\n".join((text, *more)) + "\n" if more else text


def _not_followed(config: Config, runs: Sequence[RunRow]) -> list[str]:
    """In a fleet: the runs whose submitter has died, and what to do."""
    running = [run.id for run in runs if run.state is RunState.RUNNING]
    if config.fleet.dsn is None or not running:
        return []
    followed, _ = _looked_after(config)
    return [
        f"Nobody follows {visible(run)} any more. What workers have in hand of it goes on; a dropped job is followed "
        f"again when its watcher is started, any other run by `orchestrator resume {visible(run)}`."
        for run in running
        if run not in followed
    ]


def _looked_after(config: Config) -> tuple[frozenset[str], frozenset[str]]:
    from orchestrator.fleet import looked_after  # and what a member is made of, which nobody else needs

    return looked_after(config)


def mounts_left(config: Config, journal: Journal, runs: Sequence[RunRow], *, somebody: bool) -> list[LeaseRow]:
    """Mounts that may be open and that no run holds any more. Without `somebody` who runs, every run is over. In a
    fleet those that nobody who lives looks after."""
    leases = journal.open_leases()
    if config.fleet.dsn is not None:
        held = _looked_after(config)[1] if leases else frozenset()
        return [lease for lease in leases if lease.session not in held]
    going_on = {run.id for run in runs if somebody and run.state is RunState.RUNNING}
    return [lease for lease in leases if lease.run not in going_on]
