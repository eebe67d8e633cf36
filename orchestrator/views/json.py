"""JSON for programs: reports, events, what is queued. Pure ASCII, valid whatever the file names hold.

A name that is not valid Unicode (bytes of a Linux guest, half a surrogate pair of a Windows one) is given twice:
readable under its key, with replacement characters, and exact under `<key>_b64`.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from orchestrator.core.drills import drill_trends
from orchestrator.core.drops import DrillRow
from orchestrator.core.events import Event
from orchestrator.core.ledger import Totals
from orchestrator.core.report import GroupReport, LeftMount, OriginalReport, Problem, Report
from orchestrator.core.retention import Pruned
from orchestrator.core.snapshot import Snapshot
from orchestrator.core.waiting import QueueLine
from orchestrator.views.fidelity import card_table


def report_json(report: Report) -> str:
    """The whole report; the key names are the ones that docs/reference.md promises."""
    return dump(
        {
            "run": report.run,
            "job": report.job,
            "state": report.state,
            "started": whole_second(report.started),
            "ended": whole_second(report.ended),
            "exit_code": report.exit_code,
            "totals": _totals(report.totals),
            "metadata": list(report.metadata),
            "fidelity": card_table(report.fidelity),
            "groups": [_group(group) for group in report.groups],
            "problems": [_problem(problem) for problem in report.problems],
            "problems_by_reason": dict(report.problems_by_reason),
            "mounts_opened": report.mounts_opened,
            "mounts_deleted": report.mounts_deleted,
            "mounts_left": [_left(mount) for mount in report.mounts_left],
            "sessions": report.sessions,
            "remounts": report.remounts,
            "checksum": report.checksum,
            "verify": report.verify,
            "changes": [{"at": whole_second(one.at), "change": one.change, "who": one.who} for one in report.changes],
            "originals": [_original(one) for one in report.originals],
            "files": dict(report.files),
            "replaced": report.replaced,
            "set_aside": [{"root": one.root, "files": one.files, "bytes": one.bytes} for one in report.set_aside],
            "undos": [
                {
                    "started": whole_second(one.started),
                    "ended": whole_second(one.ended),
                    "returned": one.returned,
                    "removed": one.removed,
                    "left": one.left,
                }
                for one in report.undos
            ],
        },
        indent=2,
    )


def listed_json(texts: Sequence[str]) -> str:
    """One JSON document alone, several as a list of them."""
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def queue_json(lines: Sequence[QueueLine], paused: bool) -> str:
    """The queue of the watcher."""
    jobs = [
        {
            "job": one.job,
            "state": one.state,
            "priority": one.priority,
            "taken": whole_second(one.taken),
            "begins": whole_second(one.begins),
            "cause": one.cause,
            "run": one.run,
            "file": one.file,
        }
        for one in lines
    ]
    return dump({"paused": paused, "jobs": jobs}, indent=2)


def pruned_json(pruned: Pruned) -> str:
    """What `prune` removed or, with `dry_run`, would remove."""
    removed = [
        {"run": run.id, "job": run.job, "ended": whole_second(run.ended), "exit_code": run.exit_code}
        for run in pruned.removed
    ]
    left = [{"run": run, "cause": cause} for run, cause in pruned.left.items()]
    return dump(
        {
            "dry_run": pruned.dry,
            "removed": removed,
            "dropped_jobs_removed": pruned.claims,
            "kept": pruned.kept,
            "left": left,
        },
        indent=2,
    )


def drills_json(drills: Sequence[DrillRow]) -> str:
    """Restore drills in the order given, and the trend of each job."""
    rows = [
        {
            field.name: whole_second(one.ended) if field.name == "ended" else getattr(one, field.name)
            for field in fields(one)
        }
        for one in drills
    ]
    trends = [
        {field.name: getattr(one, field.name) for field in fields(one)} | {"change": one.change}
        for one in drill_trends(drills)
    ]
    return dump({"drills": rows, "trends": trends}, indent=2)


def event_json(event: Event) -> str:
    """One line: `event` is the class name in snake_case, the other keys are the fields."""
    return dump(_event(event))


def status_json(snapshot: Snapshot) -> str:
    """Everything that the status page knows; the keys are the fields of `core.snapshot`, and those of events."""
    return dump(_plain(snapshot))


def _event(event: Event) -> dict[str, Any]:
    values = {field.name: _event_value(getattr(event, field.name)) for field in fields(event)}
    if "volumes" in values:
        values["volumes"] = dict(values["volumes"])
    return {"event": event_name(event), **values}


def event_name(event: Event) -> str:
    """`run_started`: the class name in snake_case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def _plain(value: Any) -> Any:
    """Values inside values, down to what JSON has."""
    match value:
        case datetime():
            return whole_second(value)
        case float():
            return round(value, 4)
        case tuple():
            return [_plain(one) for one in value]
        case Snapshot(recent=recent):
            return {**_fields(value), "recent": [_event(event) for event in recent]}
        case _ if is_dataclass(value):
            return _fields(value)
        case _:
            return value


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def dump(table: Mapping[str, Any], indent: int | None = None) -> str:
    """`table` as JSON: ASCII, and valid whatever the names in it hold."""
    return json.dumps(_valid(table), ensure_ascii=True, allow_nan=False, indent=indent)


def _event_value(value: Any) -> Any:
    match value:
        case datetime():
            return _utc(value, "milliseconds")
        case Enum():
            return value.value
        case Totals():
            return _totals(value)
        case _:
            return value


def _utc(at: datetime, precision: str) -> str:
    return at.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def whole_second(at: datetime | None) -> str | None:
    """`2026-11-20T06:00:00Z`."""
    return None if at is None else _utc(at, "seconds")


def _totals(totals: Totals) -> dict[str, int]:
    return {field.name: getattr(totals, field.name) for field in fields(totals)}


def _group(group: GroupReport) -> dict[str, Any]:
    return {
        "group": group.group,
        "vm": group.vm,
        "restore_point": group.restore_point,
        "created": whole_second(group.created),
        "backup_server": group.backup_server,
        "kind": group.kind,
        "instead_of": list(group.instead_of),
        "state": group.state,
        "message": group.message,
        "seconds": group.seconds,
        "destinations": list(group.destinations),
        "mounts": [{"href": one.href, "state": one.state, "host": one.host} for one in group.mounts],
        "totals": _totals(group.totals),
        "fidelity": card_table(group.fidelity),
    }


def _original(one: OriginalReport) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}


def _problem(problem: Problem) -> dict[str, Any]:
    return {field.name: getattr(problem, field.name) for field in fields(problem)}


def _left(mount: LeftMount) -> dict[str, Any]:
    table = {field.name: getattr(mount, field.name) for field in fields(mount)}
    return {**table, "created": whole_second(mount.created), "remedy": mount.remedy}


def _valid(value: Any) -> Any:
    """`value` with every string valid Unicode, and the exact bytes beside those that were not."""
    if isinstance(value, Mapping):
        return {_readable(key): one for name, inner in value.items() for key, one in _pair(name, inner)}
    if isinstance(value, str):
        return _readable(value)
    return [_valid(inner) for inner in value] if isinstance(value, list | tuple) else value


def _pair(key: str, value: Any) -> Iterable[tuple[str, Any]]:
    yield key, _valid(value)
    if isinstance(value, str) and _readable(value) != value:
        yield f"{key}_b64", base64.b64encode(_bytes(value)).decode()


def _readable(text: str) -> str:
    return text if text.isascii() else _bytes(text).decode("utf-8", "replace")


def _bytes(name: str) -> bytes:
    """The bytes that `name` was made of; half a surrogate pair gives the three bytes of WTF-8."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")
