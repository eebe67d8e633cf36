"""The named statements of queries.sql. SQL stands there and nowhere else."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _read(name: str) -> str:
    return files("orchestrator.journal").joinpath(name).read_text("utf-8")


def _statements(text: str) -> dict[str, str]:
    pieces = _NAME.split(text)
    return {name: body.strip() for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}


SCHEMA = _read("schema.sql")
STATEMENTS = _statements(_read("queries.sql"))
