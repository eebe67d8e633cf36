"""Events as texts and back, for those who are told of them on another machine."""

import json
from typing import Any, get_args

from pydantic import TypeAdapter

from orchestrator.core.events import Event

_CODECS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Event)}


def event_to_json(event: Event) -> str:
    """The event as JSON; `event_from_json` gives it back. Names that UTF-8 cannot hold come through as they are."""
    name = type(event).__name__
    return json.dumps([name, _CODECS[name].dump_python(event, mode="json")])


def event_from_json(text: str) -> Event | None:
    """The event in `text`; None for one of a kind that this version does not know. ValueError when it is none."""
    name, content = json.loads(text)
    event: Event | None = _CODECS[name].validate_python(content) if name in _CODECS else None
    return event
