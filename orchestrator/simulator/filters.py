"""The filter language of the query service (`query_comparison.md`, `query_and_or.md`, `query_grouping.md`)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.simulator.refusals import Refusal

FieldValue = str | datetime | None
Row = Mapping[str, FieldValue]
Predicate = Callable[[Row], bool]

_OPERATORS = ("==", "!=", ">=", "<=", ">", "<")
_FIELD = re.compile(r"\s*([A-Za-z]+)\s*")
_UNQUOTED_END = re.compile(r"[;,()\"]")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z?", re.IGNORECASE)
_GUID = re.compile(r"(?:urn:veeam:([A-Za-z]+):)?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})")


@dataclass(frozen=True)
class Field:
    """A filter parameter: "text", "time" (UTC), "uid" (an URN or a bare guid), or "enum" with its order."""

    kind: str = "text"
    order: tuple[str, ...] = ()


Fields = Mapping[str, Field]
"""Lower-cased parameter name -> what it is."""


def compile_filter(text: str, fields: Fields, *, case_matters: bool) -> Predicate:
    """The predicate of a decoded filter value. `;` is AND and binds tighter than `,`, which is OR.

    Raises Refusal (400) for an unknown parameter, a value of the wrong kind, and anything that does not parse.
    """
    reader = _Reader(text, fields, case_matters)
    predicate = reader.either()
    if reader.rest.strip():
        raise Refusal(400, f"Unexpected text in the filter: {reader.rest}")
    return predicate


def values_of(predicate: Predicate, name: str) -> Callable[[FieldValue], bool] | None:
    """What a row must have as `name` (lower-cased) to be found, as far as the filter says so at its top; None when it
    does not."""
    parts = predicate.parts if isinstance(predicate, _All) else (predicate,)
    equal = next((part for part in parts if isinstance(part, _Equal) and part.name == name), None)
    return None if equal is None else lambda value: equal({name: value})


def sort_key(field: Field) -> Callable[[FieldValue], tuple[int, Any]]:
    """How values of a field are ordered; nothing comes first."""

    def key(value: FieldValue) -> tuple[int, Any]:
        if value is None:
            return (0, 0)
        if field.kind == "enum":
            return (1, field.order.index(str(value)))
        return (1, value if isinstance(value, datetime) else value.casefold())

    return key


class _Reader:
    """Recursive descent over the filter text; `rest` is what was not read yet."""

    def __init__(self, text: str, fields: Fields, case_matters: bool) -> None:
        self.rest = text
        self._fields = fields
        self._case_matters = case_matters

    def either(self) -> Predicate:
        return _joined(self._series(",", self._all), any)

    def _all(self) -> Predicate:
        return _joined(self._series(";", self._one), all)

    def _series(self, mark: str, part: Callable[[], Predicate]) -> list[Predicate]:
        found = [part()]
        while self.rest.lstrip().startswith(mark):
            self.rest = self.rest.lstrip()[1:]
            found.append(part())
        return found

    def _one(self) -> Predicate:
        self.rest = self.rest.lstrip()
        if not self.rest.startswith("("):
            return self._comparison()
        self.rest = self.rest[1:]
        inner = self.either()
        if not self.rest.lstrip().startswith(")"):
            raise Refusal(400, "A parenthesis of the filter is not closed.")
        self.rest = self.rest.lstrip()[1:]
        return inner

    def _comparison(self) -> Predicate:
        word = _FIELD.match(self.rest)
        if not word:
            raise Refusal(400, f"A parameter is expected in the filter before: {self.rest}")
        name = word.group(1)
        field = self._fields.get(name.lower())
        if field is None:
            raise Refusal(400, f"Unknown filter parameter: {name}")
        self.rest = self.rest[word.end() :]
        operator = next((sign for sign in _OPERATORS if self.rest.startswith(sign)), None)
        if operator is None:
            raise Refusal(400, f"An operator is expected in the filter after {name}")
        self.rest = self.rest[len(operator) :].lstrip()
        return _compare(name.lower(), field, operator, self._value(), self._case_matters)

    def _value(self) -> str:
        if not self.rest.startswith('"'):
            end = _UNQUOTED_END.search(self.rest)
            stop = end.start() if end else len(self.rest)
            value, self.rest = self.rest[:stop], self.rest[stop:]
            if not value.strip():
                raise Refusal(400, "A value is missing in the filter.")
            return "".join(value.split())
        quoted = re.match(r'"((?:[^"]|"")*)"', self.rest)
        if not quoted:
            raise Refusal(400, "A quotation mark of the filter is not closed.")
        self.rest = self.rest[quoted.end() :]
        return quoted.group(1).replace('""', '"')


@dataclass(frozen=True)
class _Equal:
    """A field that equals one of these values: hundreds of names in one filter are looked up at once."""

    name: str
    wanted: frozenset[object]
    plain: Callable[[FieldValue], object]

    def __call__(self, row: Row) -> bool:
        value = row.get(self.name)
        return value is not None and self.plain(value) in self.wanted


@dataclass(frozen=True)
class _All:
    """All parts hold."""

    parts: tuple[Predicate, ...]

    def __call__(self, row: Row) -> bool:
        return all(part(row) for part in self.parts)


def _joined(parts: Sequence[Predicate], how: Callable[[list[bool]], bool]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    equal = [part for part in parts if isinstance(part, _Equal)]
    if how is any and len(equal) == len(parts) and len({part.name for part in equal}) == 1:
        return _Equal(equal[0].name, frozenset().union(*(part.wanted for part in equal)), equal[0].plain)
    return _All(tuple(parts)) if how is all else lambda row: how([part(row) for part in parts])


def _compare(name: str, field: Field, operator: str, text: str, case_matters: bool) -> Predicate:
    def plain(value: FieldValue) -> object:
        if field.kind == "enum" and isinstance(value, str):
            return field.order.index(value)
        if isinstance(value, str) and not case_matters:
            return value.casefold()
        return value

    wanted = plain(_typed(name, field, text))

    if operator == "==":
        return _Equal(name, frozenset({wanted}), plain)

    def test(row: Row) -> bool:
        value = row.get(name)
        if value is None:
            return operator == "!="
        return _holds(operator, plain(value), wanted)

    return test


def _holds(operator: str, left: object, right: object) -> bool:
    if operator in ("==", "!="):
        return (left == right) is (operator == "==")
    less = bool(left < right)  # type: ignore[operator]  # both came through the same field
    equal = left == right
    return {"<": less, "<=": less or equal, ">": not less and not equal, ">=": not less}[operator]


def _typed(name: str, field: Field, text: str) -> FieldValue:
    if field.kind == "enum":
        found = next((word for word in field.order if word.lower() == text.lower()), None)
        if found is None:
            raise Refusal(400, f"{text} is not a value of {name}")
        return found
    if field.kind == "time":
        return _moment(name, text)
    if field.kind == "uid":
        parts = _GUID.fullmatch(text)
        if not parts:
            raise Refusal(400, f"{text} is not a value of {name}")
        return parts.group(2).lower()
    return text


def _moment(name: str, text: str) -> datetime:
    parts = _MOMENT.fullmatch(text)
    if not parts:
        raise Refusal(400, f"{text} is not a UTC time, as {name} needs it")
    try:
        moment = datetime.strptime(parts.group(1).upper(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refusal(400, f"{text} is not a UTC time, as {name} needs it") from error
    return moment.replace(microsecond=int((parts.group(2) or "0").ljust(7, "0")[:6]))
