"""The queue's tables: made, brought up to date, and looked at before they are used."""

import re
from importlib import metadata
from typing import Any

import psycopg
from pgqueuer.domain.errors import SchemaDriftError
from psycopg import sql

from orchestrator.core.errors import QueueOutdated
from orchestrator.unit_queue.blocking import at_once, queries

Connection = psycopg.Connection[Any]

_MADE_BY = "tables of pgqueuer "
"""pgqueuer does not write down which version made its tables, so that an older one would take back what a newer one
changed. A comment on the table does."""

_ONE_AT_A_TIME = "SELECT pg_advisory_lock(hashtext('orchestrator unit queue'))"
_NEXT_PLEASE = "SELECT pg_advisory_unlock(hashtext('orchestrator unit queue'))"


def prepare(connection: Connection) -> None:
    """Make the tables in the schema of the search_path, or bring those of an older version up to date. ValueError
    unless the connection commits by itself: steps of an upgrade must be committed one by one. QueueOutdated when what
    is there fits no step."""
    if not connection.autocommit:
        raise ValueError("the queue is prepared by a connection with autocommit")
    if _made_by(connection) >= _OURS:
        return
    connection.execute(_ONE_AT_A_TIME)
    try:
        if _made_by(connection) < _OURS:  # nobody was quicker
            _bring_up_to_date(connection)
    except SchemaDriftError as error:
        raise QueueOutdated(what=str(error)) from error
    finally:
        if not connection.broken:
            connection.execute(_NEXT_PLEASE)


def check(connection: Connection) -> None:
    """QueueOutdated when the tables are not there, or are of a version that this one cannot work with. Those of a newer
    one that counts the same first number only have more than is needed."""
    made = _made_by(connection)
    if not made:
        raise QueueOutdated(what="it has no tables yet")
    if made < _OURS or made[0] > _OURS[0]:
        raise QueueOutdated(what=f"it is of pgqueuer {_dotted(made)}, and here is {_dotted(_OURS)}")


def _bring_up_to_date(connection: Connection) -> None:
    asked = queries(connection)
    if at_once(asked.schema_is_installed()):
        at_once(asked.apply_upgrade())
    else:
        at_once(asked.install())
    connection.execute(sql.SQL("COMMENT ON TABLE pgqueuer IS {}").format(f"{_MADE_BY}{_dotted(_OURS)}"))


def _made_by(connection: Connection) -> tuple[int, ...]:
    """The version that made or last changed the tables; (0,) for tables that do not say, () for none."""
    found = connection.execute("SELECT obj_description(to_regclass('pgqueuer'), 'pg_class'), to_regclass('pgqueuer')")
    said, table = found.fetchone() or (None, None)
    if table is None:
        return ()
    return _numbers(said.removeprefix(_MADE_BY)) if said and said.startswith(_MADE_BY) else (0,)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


_OURS = _numbers(metadata.version("pgqueuer"))
