"""Many questions as few queries: names of one backup server stand in one filter, as long as an address may be.

Sources: pages "AND and OR", "Grouping" of the query service.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from orchestrator.core.catalog import PointKind, Question, kind_in

FILTER_LIMIT = 7000
"""Encoded characters of names in one filter. No limit is documented; web servers take request lines of 8 KiB."""

_ABOUT_A_NAME, _ABOUT_AN_ID = 30, 50
"""Encoded characters that stand around a value: field, operator, quotes, comma, and the type of an id."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One query for points of one kind: of any of these machines or with any of these ids; without both, of all."""

    kind: PointKind
    vms: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    backup_server: str | None = None
    backup_job: str | None = None

    @property
    def halves(self) -> tuple["Batch", ...]:
        """The same as two queries; none when it is about one machine or all of them."""
        middle = max(len(self.vms), len(self.uids)) // 2
        parts = (slice(middle), slice(middle, None)) if middle else ()
        return tuple(replace(self, vms=self.vms[part], uids=self.uids[part]) for part in parts)


def batches(asked: Iterable[Question]) -> list[Batch]:
    """Queries that together hold every answer to the questions. They may hold more: the instants of questions that go
    together are those of the widest, and one that asks for all machines answers for those that are named too."""
    ids: dict[Batch, dict[str, None]] = {}
    names: dict[Batch, list[Question]] = {}
    for question in asked:
        if question.uid is not None:
            like = Batch(kind_in(question.uid) or question.kind, backup_server=question.backup_server)
            ids.setdefault(like, {})[question.uid] = None
        else:
            like = Batch(question.kind, backup_server=question.backup_server, backup_job=question.backup_job)
            names.setdefault(like, []).append(question)
    found = [replace(like, uids=part) for like, uids in ids.items() for part in _cut(uids, _ABOUT_AN_ID)]
    for like, questions in names.items():
        bounded = replace(like, since=_first(questions), until=_last(questions))
        vms = [question.vm for question in questions if question.vm is not None]
        everything = len(vms) < len(questions)
        found += (
            [bounded]
            if everything
            else [replace(bounded, vms=part) for part in _cut(dict.fromkeys(vms), _ABOUT_A_NAME)]
        )
    return found


def _cut(values: Iterable[str], around: int) -> Iterator[tuple[str, ...]]:
    """The values in parts whose filters are as long as they may be."""
    part: list[str] = []
    length = 0
    for value in values:
        more = len(quote(value, safe="")) + around
        if part and length + more > FILTER_LIMIT:
            yield tuple(part)
            part, length = [], 0
        part.append(value)
        length += more
    if part:
        yield tuple(part)


def _first(questions: Sequence[Question]) -> datetime | None:
    instants = [question.since for question in questions if question.since is not None]
    return min(instants) if len(instants) == len(questions) else None


def _last(questions: Sequence[Question]) -> datetime | None:
    instants = [question.until for question in questions if question.until is not None]
    return max(instants) if len(instants) == len(questions) else None
