"""Batches and outcomes as values on their way between processes: tuples of fields, which pickle several times as fast
as the objects they are made of.

What is read comes from a process of our own over a socket that nobody else has.
"""

import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from orchestrator.core.entries import Entry, Outcome
from orchestrator.core.locate import Volume
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.plan import Selection
from orchestrator.engine.walking import Batch, Terms, Work


@dataclass(frozen=True, slots=True)
class Report:
    """How far a batch is. `last` is when its thread last moved, by the monotonic clock that all processes share;
    `reached` counts the entries it is through with. At the end `over`, and `lost` says why the mount is gone, or
    `failure` what went wrong in a way that nobody foresaw. `made` are the paths of folders that were made."""

    last: float
    reached: int
    outcomes: Sequence[Outcome] = ()
    over: bool = False
    lost: str = ""
    failure: str = ""
    made: Sequence[str] = ()


def _of(kind: type) -> Callable[[Any], tuple[Any, ...]]:
    getter: Callable[[Any], tuple[Any, ...]] = attrgetter(*(field.name for field in fields(kind)))
    return getter


_entry, _outcome, _work, _report = _of(Entry), _of(Outcome), _of(Work), _of(Report)


def pack_batch(terms: Terms, batch: Batch) -> bytes:
    """A batch without the outcomes that are clear already."""
    works = [_packed(work) for work in batch.works]
    return pickle.dumps((terms, batch.selection, batch.volume, works), pickle.HIGHEST_PROTOCOL)


def unpack_batch(data: bytes) -> tuple[Terms, Batch]:
    """What `pack_batch` has packed."""
    terms: Terms
    selection: Selection
    volume: Volume
    terms, selection, volume, works = pickle.loads(data)  # noqa: S301 - from our own process
    return terms, Batch(selection, volume, tuple(map(_unpacked, works)))


def _packed(work: Work) -> tuple[Any, ...]:
    entry, source, guest, target, *more = _work(work)
    return _entry(entry), source.root, source.relative, guest, target.root, target.relative, more


def _unpacked(row: tuple[Any, ...]) -> Work:
    entry, share, below, guest, root, relative, more = row
    return Work(Entry(*entry), SourcePath(share, below), guest, TargetPath(root, relative), *more)


def pack_report(report: Report) -> bytes:
    """How far a batch is."""
    last, reached, outcomes, *rest = _report(report)
    return pickle.dumps((last, reached, _tuples(outcomes), rest), pickle.HIGHEST_PROTOCOL)


def _tuples(outcomes: Iterable[Outcome]) -> list[tuple[Any, ...]]:
    return list(map(_outcome, outcomes))


def unpack_report(data: bytes) -> Report:
    """What `pack_report` has packed."""
    last, reached, outcomes, rest = pickle.loads(data)  # noqa: S301 - from our own process
    return Report(last, reached, [Outcome(*one) for one in outcomes], *rest)
