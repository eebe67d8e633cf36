"""Turns bad words (TOML, keys, values) into messages a person can act on. Used by job and config alike."""

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestrator.core.errors import WordsError

Model = TypeVar("Model", bound=BaseModel)


def parse_toml(content: bytes, place: str, error: type[WordsError]) -> dict[str, Any]:
    """The table in `content`; raises `error` for another encoding, an empty file or broken TOML."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(place=place, problems=f"not UTF-8 text (byte {cause.start}); save the file as UTF-8") from cause
    if not text.strip():
        raise error(place=place, problems="the file is empty")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as cause:
        # `\U` and `\x` are escapes too, with hex digits that a path does not have.
        escape = any(word in str(cause) for word in ("escape", "hex value"))
        hint = " (a Windows path needs single quotes: 'C:\\Shares')" if escape else ""
        raise error(place=place, problems=f"not valid TOML: {cause}{hint}") from cause


def read_model(model: type[Model], table: dict[str, Any], place: str, error: type[WordsError]) -> Model:
    """`table` as `model`; raises `error` with one line for every wrong key."""
    try:
        return model.model_validate(table)
    except ValidationError as cause:
        raise error(place=place, problems=listed(explain(cause, model))) from cause


def listed(problems: Sequence[str]) -> str:
    """One problem on the same line, several on a line each."""
    return problems[0] if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One plain line for each problem: the key, what is wrong with its value, what to do."""
    known = sorted(_names(model))
    return [_line(problem, known) for problem in error.errors(include_url=False)]


def _line(problem: Any, known: list[str]) -> str:
    key = _key(problem["loc"])
    value = problem["input"]
    match problem["type"]:
        case "extra_forbidden":
            close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
            return f"{key}: unknown key" + (f"; did you mean {close[0]}?" if close else "")
        case "missing":
            return f"{key}: missing"
        case "too_short":
            return f"{key}: must not be empty"
        case "timezone_aware":
            return f"{key}: {value} has no time zone; add Z for UTC or an offset such as +02:00, or set time_zone"
        case "value_error":
            return f"{key}: {problem['ctx']['error']}" if key else str(problem["ctx"]["error"])
        case _:
            message = str(problem["msg"])
            return f"{key}: {message[:1].lower()}{message[1:]} (got {_short(value)})"


def _key(location: Iterable[int | str]) -> str:
    """`restore[2].paths`: entries are counted from 1, as people do."""
    text = ""
    for step in location:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _names(model: type[BaseModel]) -> set[str]:
    """Every key that `model` and the models inside it know."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(field.alias or name)
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                names |= _names(inner)
    return names
