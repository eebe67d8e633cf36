"""Rows of the journal as values of the core, and back.

File names may hold what UTF-8 cannot (bytes kept as surrogates). Such a text is stored as a BLOB of its UTF-8 with the
surrogates passed through; every other one as TEXT. So one name is always stored in one way, and can be a key.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.catalog import PointKind, RestorePoint
from orchestrator.core.drops import DrillRow, DropRow, DropState, ScheduleRow
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.fidelity import fidelity_code, fidelity_of
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, SessionRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.paths import TargetPath
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside, AsideState, Stood, UndoRow

Stored = str | bytes | int | float | None
Parameters = Mapping[str, Stored]
Row = Sequence[Any]


def store_text(text: str) -> str | bytes:
    """A text as it is stored; see above."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def load_text(stored: str | bytes) -> str:
    """The text that `store_text` stored."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def store_time(time: datetime) -> str:
    """ISO 8601 UTC, always with microseconds so that the texts sort like the times. ValueError without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone")
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _store_moment(time: datetime | None) -> str | None:
    return None if time is None else store_time(time)


def _load_moment(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)


def from_run(run: RunRow) -> Parameters:
    return {
        "id": run.id,
        "job": store_text(run.job),
        "state": run.state.value,
        "started": store_time(run.started),
        "plan": store_text(run.plan),
        "ended": _store_moment(run.ended),
        "exit_code": run.exit_code,
        "checksum": run.checksum,
    }


def to_run(row: Row) -> RunRow:
    name, job, state, started, plan, ended, exit_code, checksum = row
    return RunRow(
        name,
        load_text(job),
        RunState(state),
        datetime.fromisoformat(started),
        load_text(plan),
        _load_moment(ended),
        exit_code,
        checksum,
    )


def from_group(key: int, group: GroupRow) -> Parameters:
    return {
        "run": key,
        "group": store_text(group.group),
        "vm": store_text(group.vm),
        "state": group.state.value,
        "message": store_text(group.message),
        "seconds": group.seconds,
    }


def to_group(row: Row) -> GroupRow:
    run, group, vm, state, message, seconds = row
    return GroupRow(run, load_text(group), load_text(vm), GroupState(state), load_text(message), seconds)


def from_lease(key: int, lease: LeaseRow) -> Parameters:
    return {
        "id": lease.id,
        "run": key,
        "group": store_text(lease.group),
        "session": lease.session,
        "point": _store_point(lease.point),
        "state": lease.state.value,
        "opened": store_time(lease.opened),
        "before": json.dumps(lease.before),
        "task_href": lease.task_href,
        "mount_href": lease.mount_href,
        "share": store_text(lease.share),
        "folder": store_text(lease.folder),
        "ended": _store_moment(lease.ended),
        "note": store_text(lease.note),
        "host": store_text(lease.host),
    }


def to_lease(row: Row) -> LeaseRow:
    name, run, group, session, point, state, opened, before, task, mount, share, folder, ended, note, host = row
    return LeaseRow(
        id=name,
        run=run,
        group=load_text(group),
        session=session,
        point=_load_point(point),
        state=LeaseState(state),
        opened=datetime.fromisoformat(opened),
        before=tuple(json.loads(before)),
        task_href=task,
        mount_href=mount,
        share=load_text(share),
        folder=load_text(folder),
        ended=_load_moment(ended),
        note=load_text(note),
        host=load_text(host),
    )


def _store_point(point: RestorePoint) -> str:
    return json.dumps(
        {
            "uid": point.uid,
            "vm": point.vm,
            "created": store_time(point.created),
            "backup_server": point.backup_server,
            "mounts_href": point.mounts_href,
            "create_href": point.create_href,
            "kind": point.kind.value,
        }
    )


def _load_point(text: str) -> RestorePoint:
    fields = json.loads(text)
    created = datetime.fromisoformat(fields.pop("created"))
    return RestorePoint(created=created, kind=PointKind(fields.pop("kind")), **fields)


def from_session(session: SessionRow) -> Parameters:
    return {
        "id": session.id,
        "generation": session.generation,
        "em_url": session.em_url,
        "started": store_time(session.started),
        "sealed": session.sealed,
    }


def to_session(row: Row) -> SessionRow:
    name, generation, em_url, started, sealed = row
    return SessionRow(name, generation, em_url, datetime.fromisoformat(started), sealed)


def from_outcome(key: int, outcome: Outcome) -> Parameters:
    return {
        "run": key,
        "group": store_text(outcome.group),
        "guest_path": store_text(outcome.guest_path),
        "target_path": store_text(outcome.target_path),
        "verdict": outcome.verdict.value,
        "size": outcome.size,
        "mtime_ns": outcome.mtime_ns,
        "checksum": outcome.checksum,
        "reason": outcome.reason.slug if outcome.reason else None,
        "message": store_text(outcome.message),
        "stood": outcome.stood.value,
        "fidelity": fidelity_code(outcome.fidelity) if outcome.fidelity else "",
    }


def to_outcome(row: Row) -> Outcome:
    group, guest, target, verdict, size, mtime_ns, checksum, reason, message, stood, fidelity = row
    return Outcome(
        load_text(group),
        load_text(guest),
        load_text(target),
        Verdict(verdict),
        size,
        mtime_ns,
        checksum,
        Reason.of(reason) if reason else None,
        load_text(message),
        stood=Stood(stood),
        fidelity=fidelity_of(fidelity),
    )


def from_aside(key: int, aside: Aside) -> Parameters:
    return {
        "run": key,
        "root": store_text(aside.target.root),
        "held": store_text(aside.held.relative),
        "relative": store_text(aside.target.relative),
        "size": aside.size,
        "mtime_ns": aside.mtime_ns,
        "checksum": aside.checksum,
        "new_size": aside.new_size,
        "new_checksum": aside.new_checksum,
        "state": aside.state.value,
    }


def to_aside(row: Row) -> Aside:
    root, held, relative, size, mtime_ns, checksum, new_size, new_checksum, state = row
    return Aside(
        TargetPath(load_text(root), load_text(relative)),
        TargetPath(load_text(root), load_text(held)),
        size,
        mtime_ns,
        checksum,
        new_size,
        new_checksum,
        AsideState(state),
    )


def from_drop(drop: DropRow) -> Parameters:
    return {
        "id": drop.id,
        "file": store_text(drop.file),
        "taken": store_time(drop.taken),
        "state": drop.state.value,
        "digest": drop.digest,
        "owner": store_text(drop.owner),
        "job": store_text(drop.job),
        "run": drop.run,
        "attempts": drop.attempts,
        "next_try": _store_moment(drop.next_try),
        "due": _store_moment(drop.due),
        "ended": _store_moment(drop.ended),
        "exit_code": drop.exit_code,
        "line": store_text(drop.line),
    }


def to_drop(row: Row) -> DropRow:
    name, file, taken, state, digest, owner, job, run, attempts, next_try, due, ended, exit_code, line = row
    return DropRow(
        id=name,
        file=load_text(file),
        taken=datetime.fromisoformat(taken),
        state=DropState(state),
        digest=digest,
        owner=load_text(owner),
        job=load_text(job),
        run=run,
        attempts=attempts,
        next_try=_load_moment(next_try),
        due=_load_moment(due),
        ended=_load_moment(ended),
        exit_code=exit_code,
        line=load_text(line),
    )


def from_schedule(schedule: ScheduleRow) -> Parameters:
    return {"job": store_text(schedule.job), "seen": store_time(schedule.seen)}


def to_schedule(row: Row) -> ScheduleRow:
    job, seen = row
    return ScheduleRow(load_text(job), datetime.fromisoformat(seen))


def from_drill(drill: DrillRow) -> Parameters:
    return {
        "run": drill.run,
        "job": store_text(drill.job),
        "ended": store_time(drill.ended),
        "groups": drill.groups,
        "files": drill.files,
        "bytes": drill.bytes,
        "seconds": drill.seconds,
        "slowest": drill.slowest,
        "slowest_vm": store_text(drill.slowest_vm),
        "verify_seconds": drill.verify_seconds,
        "differences": drill.differences,
        "removed": drill.removed,
        "exit_code": drill.exit_code,
    }


def to_drill(row: Row) -> DrillRow:
    run, job, ended, groups, files, size, seconds, slowest, vm, verify_seconds, differences, removed, exit_code = row
    return DrillRow(
        run=run,
        job=load_text(job),
        ended=datetime.fromisoformat(ended),
        groups=groups,
        files=files,
        bytes=size,
        seconds=seconds,
        slowest=slowest,
        slowest_vm=load_text(vm),
        verify_seconds=verify_seconds,
        differences=differences,
        removed=removed,
        exit_code=exit_code,
    )


def to_undo(run: str, row: Row) -> UndoRow:
    started, ended, returned, removed, left = row
    return UndoRow(run, datetime.fromisoformat(started), _load_moment(ended), returned, removed, left)
