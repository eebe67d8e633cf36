"""What a restore point holds, as a table and as JSON."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.paths import GuestPath
from orchestrator.views.units import size, visible

Entries = Sequence[tuple[GuestPath, Entry]]


def browsed_text(point: RestorePoint, entries: Entries, more: bool) -> str:
    """One line for each entry: kind or size, time in UTC, path."""
    created = f"{point.created.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    lines = [f"{visible(point.vm)} on {visible(point.backup_server)}, restore point of {created}"]
    lines += [f"{_size(one):>10}  {_time(one):16}  {visible(str(path))}{_end(path, one)}" for path, one in entries]
    if not entries:
        lines.append("nothing")
    if more:
        lines.append(f"and more: these are the first {len(entries):,} (--limit)")
    return "\n".join(lines)


def browsed_json(point: RestorePoint, entries: Entries, more: bool) -> str:
    """The same for programs: sizes in bytes, times in ISO 8601; null where they are not known."""
    head = {
        "vm": point.vm,
        "restore_point": point.uid,
        "created": point.created.isoformat(),
        "backup_server": point.backup_server,
        "kind": point.kind.value,
    }
    return json.dumps({**head, "entries": [_values(path, one) for path, one in entries], "more": more}, indent=2)


def _values(path: GuestPath, one: Entry) -> dict[str, object]:
    is_file = one.kind is EntryKind.FILE
    modified = _instant(one).isoformat() if one.mtime_ns else None
    values: dict[str, object] = {"path": str(path), "kind": one.kind.value, "size": one.size if is_file else None}
    return {**values, "modified": modified, **({"message": one.message} if one.message else {})}


def _size(one: Entry) -> str:
    return size(one.size) if one.kind is EntryKind.FILE else one.kind.value


def _time(one: Entry) -> str:
    return f"{_instant(one):%Y-%m-%d %H:%M}" if one.mtime_ns else ""


def _instant(one: Entry) -> datetime:
    return datetime.fromtimestamp(one.mtime_ns // 1_000_000_000, UTC)


def _end(path: GuestPath, one: Entry) -> str:
    return f": {visible(one.message)}" if one.message else ""
