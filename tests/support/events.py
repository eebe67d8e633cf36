"""Events read back from the lines of an events file."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args, get_type_hints

from orchestrator.core.entries import Verdict
from orchestrator.core.events import Event
from orchestrator.core.ledger import Totals

KINDS = {kind.__name__: kind for kind in get_args(Event)}


def event_of(table: Mapping[str, Any]) -> Event:
    """The event of one line. KeyError for one that this version does not know."""
    kind = KINDS["".join(word.capitalize() for word in table["event"].split("_"))]
    hints = get_type_hints(kind)
    event: Event = kind(**{one.name: _value(table[one.name], hints[one.name]) for one in fields(kind)})
    return event


def _value(value: Any, hint: Any) -> Any:
    if value is not None and (hint is datetime or datetime in get_args(hint)):
        return datetime.fromisoformat(value)
    if hint is Totals:
        return Totals(**value)
    if hint is Verdict:
        return Verdict(value)
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value
