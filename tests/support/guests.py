"""A guest's files on a share, and where the walk of a job would put each of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.core.catalog import GuestOs, RestorePoint
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.locate import Volume, roots_for
from orchestrator.core.paths import SourcePath, parse_guest_path
from orchestrator.core.plan import Plan
from orchestrator.core.resolve import plan
from orchestrator.core.select import Selector
from orchestrator.engine.walking import Walk, in_walks, watching_crossings
from orchestrator.files.local import LocalSource

TAKEN = datetime(2026, 11, 20, 2, 0, 26, tzinfo=UTC)
"""The time of the restore point."""


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file in the guest: its size in bytes and when it was changed."""

    size: int = 1
    changed: datetime = datetime(2026, 1, 1, tzinfo=UTC)


def planned(job: Job, vms: Sequence[str] = ("fs01",), allow: tuple[str, ...] = ("/restore",), run: str = "r1") -> Plan:
    """The plan of a job when EM has one restore point of each machine."""
    uid = next((one.restore_point for one in job.restore if one.restore_point), None)
    points = [
        RestorePoint(uid or f"uid-{vm}", vm, TAKEN, "vbr01", "/api/mounts", "/api/mounts?action=create") for vm in vms
    ]
    return plan(job, Inventory(points), run=run, allow=list(allow), now=TAKEN)


def walked(
    job: Job, share: Path, files: Mapping[str, GuestFile], vms: Sequence[str] = ("fs01",), run: str = "r1"
) -> dict[str, list[str]]:
    """For each file by its guest path: where the copies go, or the message of what became of it instead. Every machine
    has the same files."""
    volumes = _made(share, files)
    found: dict[str, list[str]] = {}
    planned_job = planned(job, vms, run=run)
    assert not planned_job.problems, planned_job.problems
    for group in planned_job.groups:
        stages: dict[int, list[Walk]] = {}
        for one in group.selections:
            choose = Selector(one.include, one.exclude, ignore_case=group.os is not GuestOs.LINUX, bounds=one.bounds)
            starts: dict[str, list[tuple[str, ...]]] = {}
            for path in one.paths:
                for root, below in roots_for(path, volumes):
                    starts.setdefault(root, []).append(below)
            for root, below_all in starts.items():
                walks = [Walk(LocalSource(), group, one, choose, volumes[root], some) for some in in_walks(below_all)]
                stages.setdefault(one.stage, []).extend(walks)
        for walks in watching_crossings([stage for _, stage in sorted(stages.items())]):
            for walk in walks:
                _told(walk, found)
    return found


def _told(walk: Walk, found: dict[str, list[str]]) -> None:
    while (batch := walk.next_batch(lambda: None)) is not None:
        for work in batch.works:
            if work.entry.kind.value == "file":
                found.setdefault(work.guest_path, []).append(f"{work.target.root}/{work.target.relative}")
        for outcome in batch.outcomes:
            found.setdefault(outcome.guest_path, []).append(outcome.message)


def _made(share: Path, files: Mapping[str, GuestFile]) -> dict[str, Volume]:
    """The files on disk, a folder for each volume."""
    volumes: dict[str, Volume] = {}
    for text, file in files.items():
        path = parse_guest_path(text)
        folder = share / f"Volume{len(volumes) + 1}"
        volume = volumes.setdefault(path.volume, Volume(path.volume, path.volume, (), SourcePath(str(folder), "")))
        place = Path(volume.folder.root, *path.parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        os.truncate(place, file.size)
        os.utime(place, (file.changed.timestamp(),) * 2)
    return volumes
