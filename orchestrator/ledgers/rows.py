"""Rows of a journal as values of the core, and back.

What is written here is what is meant: texts that may hold what UTF-8 cannot (bytes kept as surrogates) or NUL, and
times. Each store writes them in its own way, always one name in one way, so that it can be a key. Read, a text may
come as the bytes of its UTF-8 with the surrogates passed through, and a time as ISO 8601.
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

Stored = str | bytes | int | float | datetime | None
Parameters = Mapping[str, Stored]
Row = Sequence[Any]


def load_text(stored: str | bytes) -> str:
    """A text as it is read."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def load_time(stored: str | datetime) -> datetime:
    """A time as it is read."""
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)


def _load_moment(stored: str | datetime | None) -> datetime | None:
    return None if stored is None else load_time(stored)


def iso_time(time: datetime) -> str:
    """ISO 8601 UTC, always with microseconds so that the texts sort like the times. ValueError without a zone."""
    return zoned(time).astimezone(UTC).isoformat(timespec="microseconds")


def zoned(time: datetime) -> datetime:
    """`time`, when it has a time zone; else ValueError."""
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone")
    return time


def from_run(run: RunRow) -> Parameters:
    return {
        "id": run.id,
        "job": run.job,
        "state": run.state.value,
        "started": run.started,
        "plan": run.plan,
        "ended": run.ended,
        "exit_code": run.exit_code,
        "checksum": run.checksum,
    }


def to_run(row: Row) -> RunRow:
    name, job, state, started, plan, ended, exit_code, checksum = row
    return RunRow(
        name,
        load_text(job),
        RunState(state),
        load_time(started),
        load_text(plan),
        _load_moment(ended),
        exit_code,
        checksum,
    )


def from_group(key: int, group: GroupRow) -> Parameters:
    return {
        "run": key,
        "group": group.group,
        "vm": group.vm,
        "state": group.state.value,
        "message": group.message,
        "seconds": group.seconds,
    }


def to_group(row: Row) -> GroupRow:
    run, group, vm, state, message, seconds = row
    return GroupRow(run, load_text(group), load_text(vm), GroupState(state), load_text(message), seconds)


def from_lease(key: int, lease: LeaseRow) -> Parameters:
    return {
        "id": lease.id,
        "run": key,
        "group": lease.group,
        "session": lease.session,
        "point": _store_point(lease.point),
        "state": lease.state.value,
        "opened": lease.opened,
        "before": json.dumps(lease.before),
        "task_href": lease.task_href,
        "mount_href": lease.mount_href,
        "share": lease.share,
        "folder": lease.folder,
        "ended": lease.ended,
        "note": lease.note,
        "host": lease.host,
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
        opened=load_time(opened),
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
            "created": iso_time(point.created),
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
        "started": session.started,
        "sealed": session.sealed,
    }


def to_session(row: Row) -> SessionRow:
    name, generation, em_url, started, sealed = row
    return SessionRow(name, generation, em_url, load_time(started), sealed)


def from_outcome(key: int, outcome: Outcome) -> Parameters:
    return {
        "run": key,
        "group": outcome.group,
        "guest_path": outcome.guest_path,
        "target_path": outcome.target_path,
        "verdict": outcome.verdict.value,
        "size": outcome.size,
        "mtime_ns": outcome.mtime_ns,
        "checksum": outcome.checksum,
        "reason": outcome.reason.slug if outcome.reason else None,
        "message": outcome.message,
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
        "root": aside.target.root,
        "held": aside.held.relative,
        "relative": aside.target.relative,
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
        "file": drop.file,
        "taken": drop.taken,
        "state": drop.state.value,
        "digest": drop.digest,
        "owner": drop.owner,
        "job": drop.job,
        "run": drop.run,
        "attempts": drop.attempts,
        "next_try": drop.next_try,
        "due": drop.due,
        "ended": drop.ended,
        "exit_code": drop.exit_code,
        "line": drop.line,
    }


def to_drop(row: Row) -> DropRow:
    name, file, taken, state, digest, owner, job, run, attempts, next_try, due, ended, exit_code, line = row
    return DropRow(
        id=name,
        file=load_text(file),
        taken=load_time(taken),
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
    return {"job": schedule.job, "seen": schedule.seen}


def to_schedule(row: Row) -> ScheduleRow:
    job, seen = row
    return ScheduleRow(load_text(job), load_time(seen))


def from_drill(drill: DrillRow) -> Parameters:
    return {
        "run": drill.run,
        "job": drill.job,
        "ended": drill.ended,
        "groups": drill.groups,
        "files": drill.files,
        "bytes": drill.bytes,
        "seconds": drill.seconds,
        "slowest": drill.slowest,
        "slowest_vm": drill.slowest_vm,
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
        ended=load_time(ended),
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
    return UndoRow(run, load_time(started), _load_moment(ended), returned, removed, left)
