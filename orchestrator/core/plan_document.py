"""A plan as a document: frozen, hashed, kept and compared with what is there when it is run.

A JSON object in canonical form, after RFC 8785: keys sorted, no white space, UTF-8. `hash` is the SHA-256, in hex, of
the canonical form of the object without `hash`.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.census import EMPTY, Tree, difference
from orchestrator.core.errors import PlanUnreadable
from orchestrator.core.plan import Plan
from orchestrator.core.sound import unsound
from orchestrator.core.survey import Survey

FORMAT = "orchestrator-plan"

VERSION = 1
"""Counts up when a document says what an older reader would not understand."""

DIFFERENCES_SHOWN = 20
"""So many differences are told one by one; the rest is counted."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """What stands at the places below one destination where copies will land."""

    destination: str
    tree: Tree


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A plan, with all that it rests on: the EM that it was made with, the job that it came from, and what stood at the
    destinations."""

    plan: Plan
    made: datetime
    em_url: str
    job_file: str
    job_text: str
    sites: tuple[Site, ...]
    survey: Survey | None = None
    """What was listed when the plan was made, if it was looked at closely."""


_CODEC = TypeAdapter(PlanDocument)


def canonical(record: Record) -> bytes:
    """The one way to write `record` (RFC 8785, as far as its values need: no number in it is large or small)."""
    return json.dumps(
        _plain(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _plain(value: Any) -> Any:
    """Whole numbers without a decimal point, as RFC 8785 writes them."""
    match value:
        case Mapping():
            return {name: _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def hash_of(record: Record) -> str:
    """The hash that belongs to a document; its own `hash` does not count."""
    return hashlib.sha256(canonical({name: one for name, one in record.items() if name != "hash"})).hexdigest()


def written(document: PlanDocument) -> tuple[bytes, str]:
    """The document as it stands in its file, and its hash."""
    record = {"format": FORMAT, "version": VERSION, **_CODEC.dump_python(document, mode="json")}
    record["hash"] = hash_of(record)
    return canonical(record) + b"\n", record["hash"]


def read_document(content: bytes, place: str) -> tuple[PlanDocument, str]:
    """The document in a file, and its hash. PlanUnreadable for everything that is not exactly what `written` wrote."""
    record = _parsed(content, place)
    if record.get("format") != FORMAT:
        raise PlanUnreadable(place=place, problem="is JSON, but no plan; `orchestrator plan JOB --out FILE` writes one")
    version = record.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        problem = f"is a plan of a newer orchestrator (version {version}, this one knows {VERSION}); run it with that"
        raise PlanUnreadable(place=place, problem=problem)
    if version != VERSION or isinstance(version, bool):
        raise PlanUnreadable(place=place, problem="is a plan of another version of orchestrator; plan the job anew")
    told = record.get("hash")
    if not isinstance(told, str) or not _same(told, record):
        raise PlanUnreadable(
            place=place, problem="was changed or damaged after it was written: its hash does not fit; plan the job anew"
        )
    try:
        document = _CODEC.validate_python(
            {name: one for name, one in record.items() if name not in ("format", "version", "hash")}
        )
    except ValidationError as error:
        # The hash fits, so that nobody has changed it: another program wrote it, or a version between two.
        problem = f"is a plan that this version cannot read ({error.error_count()} problems); plan the job anew"
        raise PlanUnreadable(place=place, problem=problem) from None
    if fault := unsound(document.plan, [one.destination for one in document.sites]):
        raise PlanUnreadable(place=place, problem=f"is no plan of this program ({fault}); plan the job anew")
    return document, told


def _parsed(content: bytes, place: str) -> dict[str, Any]:
    try:
        record = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_named_once)
    except (ValueError, RecursionError) as error:
        where = f" after {error.pos:,} characters" if isinstance(error, json.JSONDecodeError) else ""
        problem = f"is not whole: it was cut off or damaged{where}; plan the job anew"
        raise PlanUnreadable(place=place, problem=problem) from None
    if not isinstance(record, dict):
        raise PlanUnreadable(place=place, problem="is JSON, but no plan; `orchestrator plan JOB --out FILE` writes one")
    return record


def _named_once(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. What is said twice reads one way for people and another for programs: ValueError."""
    named = dict(members)
    if len(named) < len(members):
        raise ValueError("a member is named twice")
    return named


def _same(told: str, record: Record) -> bool:
    try:
        return hmac.compare_digest(hash_of(record).encode(), told.encode("utf-8", "replace"))
    except (ValueError, RecursionError):  # NaN, half a character
        return False


def landings(plan: Plan) -> dict[str, list[str]]:
    """The places where the copies of a plan will land, by destination, relative to it and `/`-joined; none of them lies
    below another."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for group in plan.groups:
        for one in group.selections:
            found.setdefault(one.destination, set()).update(map(one.layout.landing, one.paths))
    return {root: ["/".join(place) for place in _topmost(places)] for root, places in sorted(found.items())}


def _topmost(places: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    kept: list[tuple[str, ...]] = []
    for place in sorted(places):  # a place stands right before all that lie below it
        if not kept or place[: len(kept[-1])] != kept[-1]:
            kept.append(place)
    return kept


def points_of(plan: Plan) -> dict[str, RestorePoint]:
    """All that a plan may mount, by uid."""
    return {point.uid: point for group in plan.groups for point in (group.point, *group.others)}


def points_differ(plan: Plan, now: Mapping[str, RestorePoint]) -> list[str]:
    """How the restore points of a plan differ from those that EM has now, by uid."""
    told = []
    for point in points_of(plan).values():
        name = f"the restore point of {point.vm} of {point.created:%Y-%m-%d %H:%M:%S} UTC ({point.uid})"
        there = now.get(point.uid)
        if there is None:
            told.append(f"{name} is gone: retention may have removed it")
        elif there.created != point.created:
            told.append(f"{name} is now of {there.created:%Y-%m-%d %H:%M:%S} UTC")
        elif (there.vm, there.backup_server) != (point.vm, point.backup_server):
            told.append(f"{name} is now that of {there.vm} on {there.backup_server}, not on {point.backup_server}")
    return told


def sites_differ(then: Iterable[Site], now: Iterable[Site]) -> list[str]:
    """How what stands at the destinations differs from what stood there."""
    trees = {one.destination: one.tree for one in now}
    told = {one.destination: difference(one.tree, trees.get(one.destination, EMPTY)) for one in then}
    return [f"{destination}: {text}" for destination, text in told.items() if text]


def shortened(differences: Sequence[str]) -> list[str]:
    """The first of many differences."""
    more = len(differences) - DIFFERENCES_SHOWN
    return [*differences[:DIFFERENCES_SHOWN], *([f"and {more:,} more differences"] if more > 0 else [])]
