"""Short ways to make the values that the tests of the ground floor are about."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.entry import Conflict
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.resolve import plan

AT = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 25, 21, 0, tzinfo=UTC)


def point(vm: str, uid: str = "", created: datetime = AT, server: str = "vbr01") -> RestorePoint:
    return RestorePoint(uid or f"uid-{vm}", vm, created, server, f"/{vm}/mounts", f"/{vm}/mounts?action=create")


def job(*entries: Mapping[str, Any], to: str = "/restore/{vm}") -> Job:
    """A job of entries that restore `C:\\a` unless they say otherwise."""
    tables = [{"paths": ["C:\\a"], **entry} for entry in entries]
    return Job.model_validate({"name": "j", "defaults": {"to": to}, "restore": tables})


def planned(
    restore: Job, points: Sequence[RestorePoint], history: Mapping[str, float] | None = None, allow: str = "/restore"
) -> Plan:
    """The plan of a job when EM answers every question with `points`."""
    return plan(restore, Inventory(points), run="r1", allow=[allow], now=NOW, history=history)


def group(vm: str, server: str = "vbr01", uid: str = "") -> MountGroup:
    one = Selection((parse_guest_path("C:\\a"),), (), (), f"/restore/{vm}", Conflict.SKIP, 1)
    return MountGroup(uid or f"g-{vm}-{server}", point(vm, uid, server=server), None, (one,))
