"""Rows for tests of the journal and of what stands in for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.core.catalog import GuestOs, PointKind, RestorePoint
from orchestrator.core.drops import DrillRow, DropRow, ScheduleRow
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, SessionRow
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.originals import OriginalRow, OriginalState, Standing
from orchestrator.core.paths import TargetPath
from orchestrator.core.replaced import Aside, held_path
from orchestrator.core.whereabouts import Answer

START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """A time after START."""
    return START + timedelta(seconds=seconds)


def make_run(name: str = "r1", **fields: Any) -> RunRow:
    return replace(RunRow(name, "incident-4711", RunState.RUNNING, START, '{"groups": []}'), **fields)


def make_group(run: str = "r1", group: str = "g1", **fields: Any) -> GroupRow:
    return replace(GroupRow(run, group, "fs01", GroupState.RUNNING), **fields)


def make_point(**fields: Any) -> RestorePoint:
    point = RestorePoint(
        "urn:veeam:VmRestorePoint:1", "fs01", later(-3600.25), "vbr01", "/mounts", "/mounts?action=mount"
    )
    return replace(point, **fields)


def make_lease(name: str = "l1", run: str = "r1", **fields: Any) -> LeaseRow:
    row = LeaseRow(name, run, "g1", "s1", make_point(kind=PointKind.AGENT), LeaseState.INTENDED, START)
    return replace(row, **fields)


def make_original(path: str = "C:\\a", run: str = "r1", **fields: Any) -> OriginalRow:
    row = OriginalRow(run, "g1", path, "fs01", Standing.KEEP, OriginalState.INTENDED, "s1", START)
    return replace(row, **fields)


def make_session(name: str = "s1", **fields: Any) -> SessionRow:
    return replace(SessionRow(name, 1, "https://em.example.com:9398", START, b"\x00sealed\xff"), **fields)


def make_outcome(path: str = "C:\\a.txt", verdict: Verdict = Verdict.RESTORED, **fields: Any) -> Outcome:
    row = Outcome("g1", path, "/restore/fs01/C/a.txt", verdict, size=7, mtime_ns=1_600_000_000_123_456_789)
    return replace(row, **fields)


def make_answer(chain: str = "nightly", **fields: Any) -> Answer:
    return replace(Answer("vbr01", PointKind.VM, GuestOs.WINDOWS, chain, "/mnt/mount02"), **fields)


def make_drop(name: str = "d1", **fields: Any) -> DropRow:
    return replace(DropRow(name, "incident-4711.toml", START), **fields)


def make_schedule(job: str = "nightly", **fields: Any) -> ScheduleRow:
    return replace(ScheduleRow(job, START), **fields)


def make_drill(run: str = "r1", **fields: Any) -> DrillRow:
    row = DrillRow(run, "monthly", START, 12, 5000, 7_000_000_000, 600.5, 90.25, "fs01", 200.125, 0, 5000, 0)
    return replace(row, **fields)


def make_aside(relative: str = "C/a", root: str = "/restore/fs01", run: str = "r1", **more: Any) -> Aside:
    target = TargetPath(root, relative)
    values = {"size": 5, "mtime_ns": 17, "checksum": "ab12", "new_size": 7, "new_checksum": "cd34"} | more
    return Aside(target, held_path(run, target), **values)
