"""The statements of this room, by name, with their parameters as psycopg wants them."""

import re

from orchestrator.ledgers import parse, resource

PACKAGE = "orchestrator.journal_postgres"
SCHEMA = resource(PACKAGE, "schema.sql") + resource(PACKAGE, "fleet.sql")

_LIST = re.compile(r"(?<!:):(\w+)(::\w+\[\])")
_SINGLE = re.compile(r"(?<!:):(\w+)")


def _bound(statement: str) -> bytes:
    """`:name` as `%(name)s`; a list goes in the binary form, which costs a third of the other."""
    plain = _LIST.sub(r"%(\1)b\2", statement.replace("%", "%%"))
    return _SINGLE.sub(r"%(\1)s", plain).encode()


QUERIES = {name: _bound(statement) for name, statement in parse(resource(PACKAGE, "queries.sql")).items()}

FLEET = {name: _bound(statement) for name, statement in parse(resource(PACKAGE, "fleet_queries.sql")).items()}
