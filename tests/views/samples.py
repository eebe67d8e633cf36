"""Values that the views are shown: a small run in which most things went wrong, and hostile names."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator.core.catalog import GuestOs, RestorePoint
from orchestrator.core.drops import DrillRow
from orchestrator.core.entry import Conflict
from orchestrator.core.fidelity import Card
from orchestrator.core.ledger import RunRow, RunState, Totals
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import MountGroup, Plan, PlanProblem, Selection
from orchestrator.core.report import Change, GroupReport, LeftMount, MountReport, Problem, Report
from orchestrator.core.retention import Pruned

START = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
HOSTILE = 'C:\\x\x1b[2J\n\u202egnp.<script>alert(1)</script>"\x9b'
NOT_UNICODE = "/srv/caf\udce9"


def point(vm: str = "fs01", uid: str = "", server: str = "vbr01", created: datetime = START) -> RestorePoint:
    return RestorePoint(uid or f"uid-{vm}", vm, created, server, f"/api/{vm}/mounts", f"/api/{vm}/mounts?action=create")


def sample_plan() -> Plan:
    windows = Selection(
        (parse_guest_path("C:\\Shares\\Finance"), parse_guest_path("D:\\")),
        ("*.docx",),
        ("~$*", "**/Temp/"),
        "/restore/fs01",
        Conflict.SKIP,
        1,
    )
    again = replace(windows, include=(), exclude=(), on_conflict=Conflict.NEWER, entry=3, stage=1)
    linux = Selection((parse_guest_path("/srv/data"),), (), (), "/restore/web01", Conflict.RENAME, 2)
    return Plan(
        "20261120T220000Z-4711",
        "incident-4711",
        (
            MountGroup("g0001", point(), None, (windows, again)),
            MountGroup("g0002", point("web01", server="vbr02"), GuestOs.LINUX, (linux,)),
        ),
        (PlanProblem(4, "vm", "there is no machine 'fs09' with a restore point; check the spelling"),),
    )


def _groups() -> tuple[GroupReport, ...]:
    done = GroupReport(
        "g0001",
        "fs01",
        "uid-fs01",
        START - timedelta(hours=16),
        "vbr01",
        "done",
        "",
        1325.0,
        ("/restore/fs01",),
        (MountReport("/api/mounts/1", "confirmed", "vbr01"),),
        Totals(18211, 40, 2, 7, 48_318_382_080),
        Card.of([("mode:kept owner:sidecar", 18200), ("mode:kept owner:kept xattrs:lost", 11)]),
    )
    failed = GroupReport(
        "g0002",
        "web01",
        "uid-web01",
        START - timedelta(hours=15),
        "vbr02",
        "failed",
        "Mount of web01: the session ended",
        61.5,
        ("/restore/web01",),
        (MountReport("/api/mounts/2", "left", "mount02"),),
        Totals(),
    )
    return done, failed


def sample_report() -> Report:
    locked = tuple(
        Problem("fs01", f"C:\\Shares\\Finance\\book{number}.xlsx", "", "failed", "locked", "sharing violation")
        for number in range(1, 8)
    )
    others = (
        Problem("fs01", HOSTILE, "", "refused", "name-unusable", "the target cannot hold it"),
        Problem("fs01", NOT_UNICODE, "", "refused", "name-unusable", ""),
        Problem("", "restore[4]", "", "refused", "plan", "restore[4].vm: there is no machine 'fs09'"),
    )
    left = LeftMount(
        "web01",
        "uid-web01",
        START,
        "vbr02",
        "/api/mounts/2",
        "/mnt/vbr02",
        "web01_3c75de11",
        "no answer in 600 s",
        "mount02",
    )
    return Report(
        run="20261120T220000Z-4711",
        job="incident-4711",
        state="finished",
        started=START,
        ended=START + timedelta(minutes=24, seconds=5),
        exit_code=7,
        totals=Totals(18211, 40, 2, 7, 48_318_382_080),
        groups=_groups(),
        problems=(*locked, *others),
        problems_by_reason={"locked": 7, "name-unusable": 2, "plan": 1},
        mounts_opened=2,
        mounts_deleted=1,
        mounts_left=(left,),
        sessions=2,
        metadata=("full", "basic"),
        changes=(
            Change(START + timedelta(minutes=5), "bandwidth is 20 MB/s from now on, it was none (timetable)", ""),
            Change(START + timedelta(minutes=9), f"{HOSTILE} goes on", "uid 7 on the local socket"),
        ),
        files={"report": "/state/runs/4711/report.json", "manifest": "/state/runs/4711/manifest.b3"},
    )


def clean_report() -> Report:
    report = sample_report()
    return replace(
        report,
        exit_code=0,
        groups=(report.groups[0],),
        totals=Totals(3, 0, 0, 0, 2048),
        problems=(),
        problems_by_reason={},
        mounts_opened=1,
        mounts_left=(),
        sessions=1,
        changes=(),
    )


def sample_pruned() -> Pruned:
    ended = START + timedelta(minutes=3)
    old = RunRow("nightly-1", "nightly", RunState.FINISHED, START, "{}", ended, 0)
    partial = replace(
        old, id="nightly-2", started=START + timedelta(days=1), ended=ended + timedelta(days=1), exit_code=3
    )
    return Pruned((partial, old), 2, 12, dry=False, left={"caf\udce9-1": "Permission denied"})


def sample_drills() -> list[DrillRow]:
    """Newest first: a job that takes longer than it did, one with a single drill, one that has never worked."""
    took = [1300.0, 1250.0, 1400.0, 1280.0, 9000.0, 1000.0, 1100.0]
    first = DrillRow("monthly-9", "monthly", START, 12, 18_211, 48_318_382_080, 0.0, 812.5, "fs01", 400.0, 0, 18_211, 0)
    monthly = [
        replace(first, run=f"monthly-{9 - number}", ended=START - timedelta(days=30 * number), seconds=seconds)
        for number, seconds in enumerate(took)
    ]
    small = replace(first, run="small-1", job="small", seconds=4.2, slowest=4.2, slowest_vm="caf\udce9", differences=2)
    broken = replace(first, run="broken-1", job="broken", files=0, bytes=0, slowest=0.0, slowest_vm="", exit_code=4)
    return [*monthly, small, broken]
