"""What a fleet asks of its PostgreSQL: for a machine, for a file, while it idles, and to hand one unit out of many."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.fleet_stage import Count, Paid, Stage
from benchmarks.measuring import print_table
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.entry import Conflict
from orchestrator.core.fleet import Member, MemberKind, Unit, seats_of, unit_of
from orchestrator.core.limits import Limits
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.journal_postgres import Access, open_units

IDLE_WORKERS = 8
TURNS = 20
SERVERS = 20
"""Backup servers of the units that are only handed out."""


@dataclass(frozen=True, slots=True)
class Idle:
    """What idle workers have asked in so many seconds, all of them together, and their own processor time."""

    workers: int
    seconds: float
    had: Count
    processor: float


def idling(on: Stage, config: Path, seconds: float) -> Idle:
    """Let workers serve with nothing to do."""
    with on.workers(config, [f"idle-{number}" for number in range(IDLE_WORKERS)], mounts=4) as workers:
        time.sleep(2.0)  # what belongs to their start is over
        before, busy, begun = on.count(), sum(one.processor for one in workers), time.monotonic()
        time.sleep(seconds)
        had, busy = on.count() - before, sum(one.processor for one in workers) - busy
        return Idle(len(workers), time.monotonic() - begun, had, busy)


def print_database(counted: bool, paid: Sequence[Paid], units: int, full: Paid, files: int, idle: Idle) -> None:
    """`counted`: whether the server counts statements."""

    def row(title: str, hads: Sequence[Count], number: float, digits: int, busy: str) -> list[str]:
        def each(what: Callable[[Count], float]) -> float:
            return statistics.median(what(had) for had in hads) / number

        asked = [each(lambda had: had.statements), each(lambda had: had.transactions)]
        asks = [f"{one:,.{digits}f}" if counted else "not counted" for one in asked]
        written = [f"{each(lambda had: had.log):,.0f}", f"{each(lambda had: had.stored):,.0f}"]
        return [title, *asks, *written, busy.format(each(lambda had: had.processor) * 1e3)]

    rows = [
        row("a machine of one file", [one.had for one in paid], units, 1, "{:.1f} ms"),
        row("a file of 8 KiB", [full.had], files, 3, "{:.3f} ms"),
        row(f"a second of {idle.workers} idle workers", [idle.had], idle.seconds, 1, "{:.1f} ms"),
    ]
    head = ("PostgreSQL has of", "statements", "transactions", "bytes of log", "bytes stored", "processor")
    print_table("What the fleet asks of PostgreSQL", head, rows)
    print(f"  An idle worker itself takes {idle.processor / idle.seconds / idle.workers:.1%} of a core.")


def handing_out(new_database: Callable[[], str], waiting: Sequence[int]) -> float:
    """Seconds in which one unit is handed out while the most of them wait; prints those of each number."""
    rows, turn = [], 0.0
    member = Member("me", "bench", MemberKind.WORKER, "", 500, "here", "0", lease=3_600.0)
    for number in waiting:
        with closing(open_units(Access(new_database()))) as desk:
            desk.join(member)
            units = [_unit(place) for place in range(number)]
            submitting = _seconds(lambda desk=desk, units=units: desk.submit(units, "submitter"))  # type: ignore[misc]
            following = _seconds(lambda desk=desk: desk.follow("run-1"))  # type: ignore[misc]
            turns = [_seconds(lambda desk=desk: _given(desk.take(member.id))) for _ in range(TURNS)]  # type: ignore[misc]
        turn = statistics.median(turns)
        rows.append([f"{number:,}", f"{submitting:.2f} s", f"{following * 1e3:.1f} ms", f"{turn * 1e3:.2f} ms"])
    print_table("Units that wait", ("how many", "submitted, all", "a look of the submitter", "one handed out"), rows)
    return turn


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _given(taken: object) -> None:
    if taken is None:
        raise SystemExit("no unit was handed out")


def _unit(place: int) -> Unit:
    """A unit as a job of one path for each machine makes it."""
    server = f"vbr{place % SERVERS:02d}"
    point = RestorePoint(f"point-{place}", f"vm{place:05d}", datetime(2026, 11, 20, tzinfo=UTC), server, "/p", "/p")
    selection = Selection((GuestPath("C:\\Shares"),), (), (), "/restore", Conflict.SKIP, 1)
    group = MountGroup(f"g{place:05d}", point, None, (selection,))
    plan = Plan("run-1", "bench", (group,))
    return unit_of(plan, group, place, (), seats_of(group, Limits(1_000, default_per_server=100), (), ()))
