"""The statements of a queries.sql, by name. Each is `-- name: x`, a comment that says what for, and one statement."""

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def parse(text: str) -> Mapping[str, str]:
    """The statements by name. ValueError for a name that is there twice, or that has no comment or no statement."""
    found: dict[str, str] = {}
    head, *pieces = _NAME.split(text)
    if head.strip():
        raise ValueError(f"text before the first name: {head.strip()[:60]!r}")
    for name, piece in zip(pieces[::2], pieces[1::2], strict=True):
        lines = piece.strip().splitlines()
        comment = [line for line in lines if line.startswith("--")]
        statement = "\n".join(lines[len(comment) :]).strip()
        if name in found or not comment or not statement.endswith(";"):
            raise ValueError(f"query {name!r} is there twice, or lacks its comment or its statement")
        found[name] = statement
    return found


def resource(package: str, name: str) -> str:
    """The text of a file of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
