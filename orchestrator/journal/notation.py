"""How SQLite keeps texts and times.

File names may hold what UTF-8 cannot (bytes kept as surrogates). Such a text is stored as a BLOB of its UTF-8 with the
surrogates passed through; every other one as TEXT. So one name is always stored in one way, and can be a key.
"""

from datetime import datetime

from orchestrator.ledgers import Parameters, Stored, iso_time


def stored(value: Stored) -> str | bytes | int | float | None:
    """A value as it is stored; see above. ValueError for a time without a zone."""
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    return iso_time(value) if isinstance(value, datetime) else value


def all_stored(values: Parameters) -> dict[str, str | bytes | int | float | None]:
    """Values by name as they are stored."""
    return {name: stored(value) for name, value in values.items()}


def _text(text: str) -> str | bytes:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text
