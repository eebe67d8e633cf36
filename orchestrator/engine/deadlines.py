"""Deadlines of jobs: a run that will be late is told of, once, and goes on."""

from datetime import timedelta

from anyio import sleep

from orchestrator.core.events import DeadlineInDanger
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.queueing import Queue

FORECAST_EVERY = 15.0
"""Seconds between two looks at the deadlines."""


async def warn_of_deadlines(queue: Queue, emit: Emit, clock: Clock) -> None:
    """Say it of each run once when its deadline is in danger, for ever."""
    while True:
        await sleep(FORECAST_EVERY)
        now = clock()
        for one in queue.running.values():
            left, deadline = one.tally.eta(now), one.entry.deadline
            if deadline is None or one.warned or (left is None and now <= deadline):
                continue
            forecast = now + timedelta(seconds=left or 0.0)
            if forecast > deadline:
                one.warned = True
                emit(DeadlineInDanger(now, one.row.run, one.row.job, deadline, forecast))
