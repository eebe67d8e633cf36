"""Rows and values: what a column holds, and the value it becomes.

Guest and target paths are stored as bytes, because a name that is not valid Unicode (a lone surrogate of NTFS, any
bytes of a Linux guest) must come back as it went in.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from orchestrator.core.catalog import PointKind, RestorePoint
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, SessionRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.reasons import Reason

Columns = Mapping[str, object]


def instant(at: datetime | None) -> str | None:
    """An instant as ISO 8601 text in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def parsed(text: str | None) -> datetime | None:
    """The instant in a column."""
    return None if text is None else datetime.fromisoformat(text)


def path_bytes(path: str) -> bytes:
    """A path as it is stored; the order of the bytes is the order of the code points."""
    return path.encode("utf-8", "surrogatepass")


def path_text(stored: bytes) -> str:
    """A stored path as it was."""
    return stored.decode("utf-8", "surrogatepass")


def text_bytes(message: str) -> str:
    """A message that SQLite can hold as text: a name in it may not be valid Unicode."""
    return message.encode("utf-8", "backslashreplace").decode("utf-8")


def run_columns(row: RunRow) -> Columns:
    return {
        "id": row.id,
        "job": row.job,
        "state": row.state.value,
        "started": instant(row.started),
        "ended": instant(row.ended),
        "exit_code": row.exit_code,
        "plan": row.plan,
    }


def run_row(row: sqlite3.Row) -> RunRow:
    return RunRow(
        id=row["id"],
        job=row["job"],
        state=RunState(row["state"]),
        started=datetime.fromisoformat(row["started"]),
        plan=row["plan"],
        ended=parsed(row["ended"]),
        exit_code=row["exit_code"],
    )


def group_columns(row: GroupRow) -> Columns:
    return {
        "run": row.run,
        "id": row.group,
        "vm": row.vm,
        "state": row.state.value,
        "message": text_bytes(row.message),
        "seconds": row.seconds,
    }


def group_row(row: sqlite3.Row) -> GroupRow:
    return GroupRow(row["run"], row["id"], row["vm"], GroupState(row["state"]), row["message"], row["seconds"])


def lease_columns(row: LeaseRow) -> Columns:
    point = asdict(row.point) | {"created": instant(row.point.created), "kind": row.point.kind.value}
    return {
        "id": row.id,
        "run": row.run,
        "mount_group": row.group,
        "session": row.session,
        "point": json.dumps(point),
        "state": row.state.value,
        "opened": instant(row.opened),
        "before": json.dumps(row.before),
        "task_href": row.task_href,
        "mount_href": row.mount_href,
        "share": row.share,
        "folder": row.folder,
        "ended": instant(row.ended),
        "note": text_bytes(row.note),
    }


def lease_row(row: sqlite3.Row) -> LeaseRow:
    point = json.loads(row["point"])
    point |= {"created": datetime.fromisoformat(point["created"]), "kind": PointKind(point["kind"])}
    return LeaseRow(
        id=row["id"],
        run=row["run"],
        group=row["mount_group"],
        session=row["session"],
        point=RestorePoint(**point),
        state=LeaseState(row["state"]),
        opened=datetime.fromisoformat(row["opened"]),
        before=tuple(json.loads(row["before"])),
        task_href=row["task_href"],
        mount_href=row["mount_href"],
        share=row["share"],
        folder=row["folder"],
        ended=parsed(row["ended"]),
        note=row["note"],
    )


def session_columns(row: SessionRow) -> Columns:
    return asdict(row) | {"started": instant(row.started)}


def session_row(row: sqlite3.Row) -> SessionRow:
    started = datetime.fromisoformat(row["started"])
    return SessionRow(row["id"], row["generation"], row["em_url"], started, row["sealed"])


def outcome_columns(run: str, outcome: Outcome) -> Columns:
    return {
        "run": run,
        "mount_group": outcome.group,
        "guest_path": path_bytes(outcome.guest_path),
        "target_path": path_bytes(outcome.target_path),
        "verdict": outcome.verdict.value,
        "size": outcome.size,
        "mtime_ns": outcome.mtime_ns,
        "checksum": outcome.checksum,
        "reason": outcome.reason.slug if outcome.reason else None,
        "message": text_bytes(outcome.message),
    }


def outcome_row(row: sqlite3.Row) -> Outcome:
    return Outcome(
        group=row["mount_group"],
        guest_path=path_text(row["guest_path"]),
        target_path=path_text(row["target_path"]),
        verdict=Verdict(row["verdict"]),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        checksum=row["checksum"],
        reason=Reason.of(row["reason"]) if row["reason"] else None,
        message=row["message"],
    )
