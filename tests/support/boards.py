"""A board as it looks in a bad night: two runs going on, a mount left, jobs that wait; and one where all is well."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from orchestrator.core.board import Board
from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    DeadlineInDanger,
    Event,
    FileProblem,
    FilesDone,
    FilesScanned,
    GroupEnded,
    GroupStarted,
    JobEnded,
    JobRejected,
    MountDeleted,
    MountLeft,
    MountOpened,
    Notice,
    RunEnded,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.snapshot import Ended, Outlook, Upcoming, Waiting

NOW = datetime(2026, 11, 24, 3, 14, 7, tzinfo=UTC)
FILE_SERVERS = "incident-4711-20261124T023000Z"
HR = "hr-archive-20261124T030000Z"
MIB, GIB = 1 << 20, 1 << 30


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def history() -> list[Ended]:
    """What earlier processes did, newest first."""
    day = timedelta(days=1)
    return [
        Ended(
            "nightly-drill",
            f"nightly-drill-{number}",
            NOW - number * day,
            NOW - number * day + timedelta(minutes=14),
            0,
        )
        for number in range(1, 8)
    ]


UPCOMING = (
    Upcoming("nightly-drill", NOW.replace(hour=4, minute=0, second=0), "schedule 0 4 * * *"),
    Upcoming("finance-report", NOW.replace(hour=22, minute=0, second=0), "schedule 0 22 * * 1-5"),
)
QUEUE = (
    Waiting(
        "d1", "finance-mirror", ago(minutes=26), "finance.toml", "svc-restore",
        NOW.replace(hour=22, minute=0), "its windows are closed",
    ),
    Waiting("d2", "web-tier", ago(minutes=3), "web.toml", "ann"),
)  # fmt: skip


def well_board() -> Board:
    """One run that goes on as it should."""
    board = Board(ago(days=12), history(), outlook=lambda now: Outlook(upcoming=UPCOMING))
    for event in [*first_run(), *(one for one in work("g0005", "db-crm-02", "vbr02", 0.41, 8200, 52 * GIB))]:
        board.add(event)
    return board


def sites() -> Iterator[Event]:
    """A fleet over two sites, one of which nobody serves just now."""
    yield SitePace(NOW, "berlin", 3, 8, 1340.0, 412 * MIB)
    yield SitePace(NOW, "frankfurt-am-main", 0, 0, 0.0, 0.0)


def busy_board() -> Board:
    """Everything at once, hostile names too."""
    board = Board(ago(days=12), history(), outlook=lambda now: Outlook(QUEUE, 2, UPCOMING))
    for event in sorted([*night(), *first_run(), *troubles(), *second_run(), *sites()], key=lambda event: event.at):
        board.add(event)
    return board


def night() -> Iterator[Event]:
    """What came before."""
    yield ScheduleMissed(ago(hours=5), "nightly-verify", ago(hours=5), "orchestrator was not running")
    yield JobRejected(ago(hours=2), "restore.toml", "00", "ann", "restore[2].vm: missing")
    yield RunStarted(ago(minutes=95), "mail-20261124T013900Z", "mail", 1)
    yield MountOpened(ago(minutes=94), "mail-20261124T013900Z", "g0001", "mail01", "vbr03", "/api/mounts/77", 12)
    yield MountLeft(
        ago(minutes=81), "mail-20261124T013900Z", "g0001", "mail01", "vbr03", "/api/mounts/77", "no answer within 600 s"
    )
    yield RunEnded(ago(minutes=80), "mail-20261124T013900Z", 7, Totals(18211, 40, 0, 0, 9 * GIB), 1, 0, 1)
    yield JobEnded(ago(minutes=80), "d0", "mail", "mail-20261124T013900Z", 7, "failed", "1 mount may be left behind")


def first_run() -> Iterator[Event]:
    """Twelve restore points, seven of them done, four at work."""
    yield RunStarted(ago(minutes=44), FILE_SERVERS, "incident-4711", 12)
    for number in range(7):
        vm = f"fs{number + 1:02d}"
        yield from work(f"h{number}", vm, "vbr01", 1.0, 3100, 6 * GIB, minutes=40)
        yield MountDeleted(ago(minutes=5), FILE_SERVERS, f"h{number}", vm, "vbr01", f"/api/mounts/h{number}", 900)
        yield GroupEnded(ago(minutes=5), FILE_SERVERS, f"h{number}", vm, "done", Totals(3100), 900)
    yield from work("g0001", "fs08", "vbr01", 0.78, 18211, 41 * GIB)
    yield from work("g0002", "fs09", "vbr01", 0.33, 12480, 22 * GIB, minutes=9)
    yield from work("g0003", "db-crm-01", "vbr02", 0.06, 640, 118 * GIB, minutes=3)
    yield GroupStarted(ago(seconds=20), FILE_SERVERS, "g0004", "web01", "vbr03", "u", NOW)


def work(
    group: str, vm: str, server: str, share: float, files: int, size: int, minutes: float = 21, run: str = FILE_SERVERS
) -> Iterator[Event]:
    """A mount group that is as far as `share`, with a steady pace over the last half minute."""
    began = ago(minutes=minutes)
    yield GroupStarted(began, run, group, vm, server, "u", began)
    yield MountOpened(began + timedelta(seconds=14), run, group, vm, server, f"/api/mounts/{group}", 14)
    yield FilesScanned(began, run, group, files, size, complete=True)
    done, through = int(files * share), int(size * share)
    late = 30 if share < 1 else 0
    before = Totals(max(0, done - late * 8), 0, 0, 0, max(0, through - late * 30 * MIB))
    yield FilesDone(began, run, group, before, before.bytes)
    for second in range(late):
        yield FilesDone(ago(seconds=late - second), run, group, Totals(8, 0, 0, 0, 30 * MIB), 30 * MIB)


def troubles() -> Iterator[Event]:
    """What goes wrong in the first run."""
    said = "it is being used by another process"
    for number in range(6):
        path = f"C:\\Shares\\Finance\\2025\\Quarter {number}\\Forecast (final).xlsx"
        yield FilesDone(NOW, FILE_SERVERS, "g0001", Totals(failed=1), 0)
        yield FileProblem(ago(minutes=6), FILE_SERVERS, "g0001", path, Verdict.FAILED, "locked", said)
    yield FilesDone(NOW, FILE_SERVERS, "g0002", Totals(refused=1), 0)
    yield FileProblem(NOW, FILE_SERVERS, "g0002", "C:\\Users\\All Users", Verdict.REFUSED, "link", "a junction")
    yield SessionRenewed(ago(minutes=31), 2, "Enterprise Manager no longer knew the session")
    yield Notice(ago(minutes=12), "vbr03 is paused for 60 s: its mounts keep failing, last: the host is busy")
    yield DeadlineInDanger(
        ago(minutes=2),
        FILE_SERVERS,
        "incident-4711",
        NOW.replace(hour=3, minute=30, second=0),
        NOW + timedelta(hours=2),
    )


def second_run() -> Iterator[Event]:
    """A small run beside it, with a machine that could not be mounted and one that is still being listed."""
    yield RunStarted(ago(minutes=14), HR, "hr-archive", 3, resumed=True, done=1)
    yield GroupStarted(ago(minutes=14), HR, "g0002", "hr02", "vbr03", "u", NOW)
    yield GroupEnded(
        ago(minutes=13), HR, "g0002", "hr02", "failed", Totals(), 41, "The mount of hr02 failed: host is busy"
    )
    yield GroupStarted(ago(minutes=1), HR, "g0003", "hr01", "vbr02", "u", NOW)
    yield MountOpened(ago(seconds=48), HR, "g0003", "hr01", "vbr02", "/api/mounts/hr", 12)
    yield FilesScanned(ago(seconds=5), HR, "g0003", 2400, 3 * GIB)
    yield FilesDone(ago(seconds=5), HR, "g0003", Totals(310, 0, 0, 0, 200 * MIB), 200 * MIB)
