"""The queue's tables: made, and brought up to date."""

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
    """Make the tables in the schema of the search_path, or bring those of an older version up to date. Those of a newer
    one that counts the same first number only have more than is needed. ValueError unless the connection commits by
    itself: steps of an upgrade must be committed one by one. QueueOutdated when what is there cannot be used."""
    if not connection.autocommit:
        raise ValueError("the queue is prepared by a connection with autocommit")
    if _fits(connection):
        return
    connection.execute(_ONE_AT_A_TIME)
    try:
        if not _fits(connection):  # nobody was quicker
            _bring_up_to_date(connection)
    except SchemaDriftError as error:
        raise QueueOutdated(what=str(error)) from error
    finally:
        if not connection.broken:
            connection.execute(_NEXT_PLEASE)


def _fits(connection: Connection) -> bool:
    """Whether the tables can be used as they are; QueueOutdated when they belong to what this one knows nothing of."""
    made = _made_by(connection)
    if made[:1] > _OURS[:1]:
        raise QueueOutdated(what=f"it is of pgqueuer {_dotted(made)}, and here is {_dotted(_OURS)}")
    return made >= _OURS


def _bring_up_to_date(connection: Connection) -> None:
    asked = queries(connection)
    if not at_once(asked.schema_is_installed()):
        at_once(asked.install())
    elif at_once(asked.plan_upgrade()).statements:
        at_once(asked.apply_upgrade())
    else:  # whoever may not change the tables need not
        return
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
