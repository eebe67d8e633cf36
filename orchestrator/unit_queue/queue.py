"""Units that wait, and who has which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import JOB_STATUS, QueueEntrypoint, QueueManagerId
from pgqueuer.queries import EntrypointExecutionParameter
from psycopg.rows import dict_row

from orchestrator.unit_queue.blocking import at_once, queries

Cursor = psycopg.Cursor[Any]

NEVER = timedelta(days=36500)
"""pgqueuer hands a unit on when its heart did not beat for so long. Here the mounts of a dead worker go first."""

_UNLIMITED = EntrypointExecutionParameter(concurrency_limit=0)


@dataclass(frozen=True, slots=True)
class Deferred:
    """A unit that is to wait. Only who asks for its `route` gets it; a higher `priority` goes first, and of one
    priority what was deferred first."""

    unit: str
    route: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Ticket:
    """A unit in the hands of a worker. `number` is another each time the unit is handed out."""

    unit: str
    route: str
    number: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a unit stands: who has it, None while it waits, and for how many seconds that has been so."""

    unit: str
    route: str
    worker: UUID | None
    number: int
    seconds: float


class UnitQueue:
    """The queue in the schema of the connection's search_path.

    Every call is part of the transaction that is open on the cursor's connection: what is rolled back has not happened.
    Errors of the database leave as psycopg's, for whoever opened the transaction to translate.
    """

    def defer(self, cursor: Cursor, units: Sequence[Deferred]) -> int:
        """Let units wait; how many did not wait already and are in nobody's hands."""
        if not units:
            return 0
        made = at_once(
            queries(cursor.connection).enqueue(
                [one.route for one in units],
                [one.unit.encode() for one in units],
                [one.priority for one in units],
                dedupe_key=[one.unit for one in units],
                on_conflict="skip",
            )
        )
        return sum(one is not None for one in made)

    def take(self, cursor: Cursor, worker: UUID, routes: Collection[str]) -> Ticket | None:
        """The next unit of these routes, in the worker's hands from the end of the transaction on. Those that others
        are just taking are passed over, not waited for."""
        if not routes:
            return None
        wanted = {QueueEntrypoint(route): _UNLIMITED for route in routes}
        found = at_once(queries(cursor.connection).dequeue(1, wanted, QueueManagerId(worker), None, NEVER))
        # What was handed back, by a worker or for a dead one, counts one attempt more.
        return Ticket(_unit(found[0]), found[0].entrypoint, found[0].attempts + 1) if found else None

    def finish(self, cursor: Cursor, unit: str, worker: UUID) -> bool:
        """The worker is through with a unit; False when it is not, or no longer, in its hands."""
        found = _jobs(cursor, _OF_WORKER, unit=unit, worker=worker)
        _close(cursor, found, "successful")
        return bool(found)

    def hand_back(self, cursor: Cursor, unit: str, worker: UUID, seconds: float = 0.0) -> bool:
        """The unit waits again, and is not handed out for so many seconds. `worker` is who has it, which may be a dead
        one whose mounts are gone; False when it has not."""
        found = _jobs(cursor, _OF_WORKER, unit=unit, worker=worker)
        for job in found:
            at_once(queries(cursor.connection).retry_job(job, timedelta(seconds=seconds), None))
            self.wake(cursor)
        return bool(found)

    def withdraw(self, cursor: Cursor, units: Collection[str]) -> list[str]:
        """Units wait no more; those of them that waited. What somebody has stays his."""
        found = _jobs(cursor, _WAITING, units=list(units))
        _close(cursor, found, "canceled")
        return [_unit(job) for job in found]

    def routes(self, cursor: Cursor) -> list[str]:
        """The routes on which something waits."""
        found = cursor.execute("SELECT DISTINCT entrypoint FROM pgqueuer WHERE status = 'queued' ORDER BY 1")
        return [route for (route,) in found]

    def standing(self, cursor: Cursor) -> list[Standing]:
        """Every unit that waits or is worked on, in the order in which they are handed out."""
        return [Standing(*row) for row in cursor.execute(_STANDING)]

    def wake(self, cursor: Cursor) -> None:
        """A sign to all who wait, at the end of the transaction. Deferring, finishing and handing back give it too."""
        at_once(queries(cursor.connection).driver.execute("SELECT pg_notify('orchestrator_units', '')"))

    def tidy(self, cursor: Cursor, days: float) -> int:
        """Delete what the queue has written down of units that came and went longer ago than that; how many lines."""
        deleted = cursor.execute(
            "DELETE FROM pgqueuer_log WHERE created < clock_timestamp() - make_interval(secs => %(seconds)s)",
            {"seconds": days * 86400.0},
        )
        return deleted.rowcount


def _jobs(cursor: Cursor, which: bytes, **parameters: Any) -> list[Job]:
    """What a query finds, held until the end of the transaction."""
    with cursor.connection.cursor(row_factory=dict_row) as asked:
        return [Job.model_validate(row) for row in asked.execute(which, parameters)]


def _close(cursor: Cursor, jobs: Sequence[Job], status: JOB_STATUS) -> None:
    if jobs:
        at_once(queries(cursor.connection).log_jobs([(job, status, None) for job in jobs]))


def _unit(job: Job) -> str:
    return (job.payload or b"").decode()


_OF_WORKER = b"""
SELECT * FROM pgqueuer
WHERE dedupe_key = %(unit)s AND status = 'picked' AND queue_manager_id = %(worker)s FOR UPDATE
"""

_WAITING = b"""
SELECT * FROM pgqueuer WHERE dedupe_key = ANY(%(units)s) AND status = 'queued' ORDER BY id FOR UPDATE
"""

_STANDING = b"""
SELECT dedupe_key, entrypoint, queue_manager_id, attempts + (status = 'picked')::int,
    extract(epoch FROM clock_timestamp() - updated)::float8
FROM pgqueuer WHERE status IN ('queued', 'picked') ORDER BY status DESC, priority DESC, id
"""
