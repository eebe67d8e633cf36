"""Every selector of machines and restore points in the reference is executed: read as a job, and planned."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from orchestrator.core.catalog import PointKind, RestorePoint
from orchestrator.core.entry import Restore
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.resolve import plan
from orchestrator.core.roads import Road
from orchestrator.enterprise_manager import Client
from orchestrator.planning import refresh
from tests.docs.reading import REFERENCE, codes, section, table

FRIDAY = datetime(2026, 11, 20, 6, tzinfo=UTC)
UID = "urn:veeam:VmRestorePoint:a8b2ce40-02dd-568a-9f84-ac9ebda40327"
ROWS = table(section(REFERENCE, "Which restore point").split("\n\n")[1])
TAKEN = {
    "as_of = 2026-11-20T06:00:00Z": {"fs01": [0]},
    'not_before = 2026-11-18T00:00:00Z with point = "oldest"': {"fs01": [-2]},
    'vm = "fs*"': {"fs01": [1], "fs02": [1]},
    'vms = ["fs01", "web*"]': {"fs01": [1], "web01": [1]},
    'as_of = 2026-11-20T07:00:00 with time_zone = "Europe/Berlin"': {"fs01": [0]},
    f'restore_point = "{UID}"': {"fs01": [-3]},
}
"""Days from Friday of the restore points that are taken, where it is not the newest of `fs01`."""

OTHERS = [(PointKind.VM, 0), (PointKind.VM, -1), (PointKind.VM, -2), (PointKind.REPLICA, 1)]
"""What is mounted when the newest cannot be, with `older` and then `replica`."""

SHOWN = {key for row in ROWS for code in codes(row[0]) if " = " in code for key in tomllib.loads(code)}
"""The keys that the rows give an example of."""


def inventory() -> list[RestorePoint]:
    found = []
    for vm in ("fs01", "fs02", "web01"):
        for kind in PointKind:
            for day in (-3, -2, -1, 0, 1):
                uid = UID if (vm, kind, day) == ("fs01", PointKind.VM, -3) else f"{vm}-{kind.value}-{day}"
                one = RestorePoint(uid, vm, FRIDAY + timedelta(days=day), "vbr01", "/m", "/m", kind)
                found.append(replace(one, hierarchy="urn:VMware:Vm:<host>.vm-4711", backup_job="Nightly"))
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_selector_takes_the_restore_points_that_the_reference_says(row: tuple[str, ...]) -> None:
    said = [code for code in codes(row[0]) if " = " in code]
    keys = tomllib.loads("\n".join(said))
    if not {"vm", "vms", "vms_from", "restore_point"} & set(keys):
        keys["vm"] = "fs01"
    if keys.pop("vms_from", None):  # executed with its list among the examples of lists
        keys["vms"] = ["fs01"]
    whole = {key: keys.pop(key) for key in ("time_zone",) if key in keys}
    to = "/restore/{vm}" if "fall_back" in keys else "/restore/{vm}/{point}"
    job = Job.model_validate({"name": "j", **whole, "restore": [{**keys, "paths": ["C:\\a"], "to": to}]})
    found = plan(job, Inventory(inventory()), run="r", allow=["/restore"], now=FRIDAY + timedelta(days=2))
    assert not found.problems
    taken: dict[str, list[int]] = {}
    for group in found.groups:
        taken.setdefault(group.vm, []).append((group.point.created - FRIDAY).days)
    everything = keys.get("point") == "all"
    expected = {"fs01": [-3, -2, -1, 0, 1]} if everything else TAKEN.get(" with ".join(said), {"fs01": [1]})
    assert {vm: sorted(days) for vm, days in taken.items()} == expected
    others = [(one.kind, (one.created - FRIDAY).days) for group in found.groups for one in group.others]
    assert others == (OTHERS if "fall_back" in keys else [])
    assert {group.road for group in found.groups} == {Road(keys["road"]) if "road" in keys else None}


@pytest.mark.parametrize("server", [None, "vbr01"])
async def test_the_selector_that_has_em_collect_first_does_so(server: str | None) -> None:
    asked: list[str | None] = []

    class Collecting:
        async def refresh(self, server: str | None) -> None:
            asked.append(server)

    for row in ROWS:
        keys = tomllib.loads("\n".join(code for code in codes(row[0]) if code.startswith("refresh = ")))
        entry = Restore.model_validate({"vm": "fs01", "paths": ["C:\\a"], "backup_server": server, **keys})
        await refresh(cast("Client", Collecting()), [entry])
    assert asked == [server]


def test_the_selectors_are_found() -> None:
    assert len(ROWS) >= 15
