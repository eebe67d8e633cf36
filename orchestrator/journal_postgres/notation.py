"""How PostgreSQL keeps texts and times.

A text of PostgreSQL holds every character but NUL, and no half of a surrogate pair; file names may hold both (bytes
that are no UTF-8 are kept as surrogates). Each of them is written as the escape character and its four hex digits, and
so is the escape character itself. That is U+FDD0, which Unicode keeps for a program's own use. So one name is always
written in one way, can be a key, and is read by a person in the database as it is.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestrator.ledgers import Parameters, Stored, zoned

ESCAPE = "\ufdd0"
_BAD = re.compile(f"[\0{ESCAPE}\ud800-\udfff]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")


def stored(value: Stored) -> Stored:
    """A value as it is stored; see above. ValueError for a time without a zone."""
    if isinstance(value, str):
        return _BAD.sub(_escaped, value)
    return zoned(value) if isinstance(value, datetime) else value


def all_stored(values: Parameters) -> dict[str, Stored]:
    """Values by name as they are stored."""
    return {name: stored(value) for name, value in values.items()}


def read(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row as it was meant."""
    return tuple(
        _ESCAPED.sub(_unescaped, value) if value.__class__ is str and ESCAPE in value else value for value in row
    )


def _escaped(found: re.Match[str]) -> str:
    return f"{ESCAPE}{ord(found[0]):04x}"


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
