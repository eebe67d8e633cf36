"""A plan on its way to another machine, whose program may be older or newer than this one.

What is not said means what it means to every version: so what has its default is left out, and a word that the reader
does not know says something that it could not do.
"""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.core.plan import Plan

_CODEC = TypeAdapter(Plan)


class NotUnderstood(ValueError):
    """A plan says something that this version does not know."""


def sent(plan: Plan) -> str:
    """The plan as JSON, without what has its default."""
    return _CODEC.dump_json(plan, exclude_defaults=True).decode()


def received(text: str) -> Plan:
    """The plan in `text`. NotUnderstood, with what it says, when this version would do something else than is asked."""
    said = json.loads(text)
    try:
        plan = _CODEC.validate_python(said)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise NotUnderstood(f"what it says under {place}") from error
    unknown = _unknown(said, _CODEC.dump_python(plan, mode="json"))
    if unknown:
        raise NotUnderstood(f"the word {unknown}")
    return plan


def _unknown(said: Any, understood: Any, place: str = "") -> str:
    """The first word of what was said that is not in what was understood; empty when there is none."""
    if isinstance(said, dict) and isinstance(understood, dict):
        for word, value in said.items():
            where = f"{place}.{word}" if place else word
            found = _unknown(value, understood[word], where) if word in understood else where
            if found:
                return found
    elif isinstance(said, list) and isinstance(understood, list) and len(said) == len(understood):
        for one, other in zip(said, understood, strict=True):
            if found := _unknown(one, other, place):
                return found
    return ""
