"""Units that wait, and who has which."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
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


class UnitQueue:
    """The queue in the schema of the connection's search_path.

    Every call is part of the transaction that is open on the cursor's connection: what is rolled back has not happened.
    Errors of the database leave as psycopg's, for whoever opened the transaction to translate.
    """

    def defer(self, cursor: Cursor, units: Sequence[Deferred]) -> int:
        """Let units wait; how many did not wait already and are in nobody's hands. What is deferred is handed out from
        the end of the transaction on, and never within it."""
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

    def waits(self, cursor: Cursor, routes: Collection[str]) -> bool:
        """Whether something waits by one of these routes."""
        return bool(at_once(queries(cursor.connection).queued_work([*map(QueueEntrypoint, routes)])))

    def take(self, cursor: Cursor, worker: UUID, routes: Collection[str]) -> str | None:
        """The next unit of these routes, in the worker's hands from the end of the transaction on. Those that others
        are just taking are passed over, not waited for."""
        if not routes:
            return None
        wanted = {QueueEntrypoint(route): _UNLIMITED for route in routes}
        found = at_once(queries(cursor.connection).dequeue(1, wanted, QueueManagerId(worker), None, NEVER))
        return (found[0].payload or b"").decode() if found else None

    def withdraw(self, cursor: Cursor, units: Collection[str]) -> None:
        """Units leave the queue: they wait no more, and are in nobody's hands. Whose they were is not asked. Those that
        are not in the queue stay out of it."""
        with cursor.connection.cursor(row_factory=dict_row) as asked:
            found = [Job.model_validate(row) for row in asked.execute(_IN_QUEUE, {"units": list(units)})]
        if found:
            at_once(queries(cursor.connection).log_jobs([(job, "deleted", None) for job in found]))

    def wake(self, cursor: Cursor) -> None:
        """A sign to all who wait, at the end of the transaction. Deferring and withdrawing give it too."""
        at_once(queries(cursor.connection).driver.execute("SELECT pg_notify('orchestrator_units', '')"))

    def tidy(self, cursor: Cursor, days: float) -> int:
        """Delete what the queue has written down of units that came and went longer ago than that; how many lines."""
        deleted = cursor.execute(
            "DELETE FROM pgqueuer_log WHERE created < clock_timestamp() - make_interval(secs => %(seconds)s)",
            {"seconds": days * 86400.0},
        )
        return deleted.rowcount


_IN_QUEUE = b"""
SELECT * FROM pgqueuer
WHERE dedupe_key = ANY(%(units)s) AND status IN ('queued', 'picked') ORDER BY id FOR UPDATE
"""
