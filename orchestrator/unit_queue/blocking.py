"""pgqueuer's queries on a connection that blocks, inside the transaction that is open there.

pgqueuer asks its database by `async` calls to a driver that it is handed. This driver does not wait but block, so that
a query has its answer when the coroutine is asked for it the first time.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import psycopg
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.ports.driver import Driver
from pgqueuer.queries import Queries
from psycopg.rows import dict_row

Result = TypeVar("Result")

CHANNEL = "orchestrator_units"
"""Where PostgreSQL tells that units came, went or wait again. Channels belong to a database, not to a schema; a sign
for another fleet in it costs one look."""

SETTINGS = DBSettings(
    prefix="",
    db_schema=None,  # where the connection's search_path says
    channel=CHANNEL,
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
    durability=Durability.durable,
    widen_id=True,
)
"""Every name is given: for one that is left out pgqueuer asks the environment, by words as common as FUNCTION."""


_BUILDERS = QueryBuilderEnvironment(SETTINGS), QueryQueueBuilder(SETTINGS), QuerySchedulerBuilder(SETTINGS)
"""Each is made once: making one asks the environment, and one keeps the statements that it has composed."""


class BlockingDriver:
    """What pgqueuer's queries need of a driver. Errors leave as psycopg's."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    async def fetch(self, query: str, *values: object) -> list[dict[str, object]]:
        """The rows of a query, which has its values as `$1`, `$2`."""
        cursor = psycopg.RawCursor(self._connection, row_factory=dict_row)
        return cursor.execute(query.encode(), values or None).fetchall()

    async def execute(self, query: str, *values: object) -> str:
        """What PostgreSQL says of a statement that gives no rows."""
        cursor = psycopg.RawCursor(self._connection)
        return cursor.execute(query.encode(), values or None).statusmessage or ""


def queries(connection: psycopg.Connection[Any]) -> Queries:
    """pgqueuer's queries on this connection."""
    # A driver also listens and closes, for pgqueuer's own worker, which is not used.
    return Queries(cast(Driver, BlockingDriver(connection)), *_BUILDERS)


def at_once(asked: Coroutine[Any, Any, Result]) -> Result:
    """What the coroutine of a query returns."""
    try:
        asked.send(None)
    except StopIteration as end:
        return cast(Result, end.value)
    raise RuntimeError("pgqueuer waited for something else than its driver")
