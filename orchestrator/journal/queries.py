"""The statements of this room, by name."""

from orchestrator.ledgers import parse, resource

PACKAGE = "orchestrator.journal"
QUERIES = parse(resource(PACKAGE, "queries.sql"))
SCHEMA = resource(PACKAGE, "schema.sql")
