"""The journal on a disk: outcomes written behind in batches, leases written ahead one by one."""

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.engine import POINT
from benchmarks.measuring import print_table
from benchmarks.places import Places
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.lifecycle import LeaseState
from orchestrator.journal import Journal, open_journal

BATCHES = (64, 200, 2_000)
WHEN = datetime(2026, 11, 20, tzinfo=UTC)
CHECKSUM = "5e" * 32


def journal(places: Places, quick: bool) -> None:
    """Outcomes per second by the size of the batch; the time one lease takes to be on the disk."""
    count = 20_000 if quick else 200_000
    rows = []
    for size in BATCHES:
        seconds = _batches(places.disk / f"journal-{size}", count, size)
        one = f"{seconds / count * size * 1e3:.2f} ms"
        rows.append([f"outcomes in batches of {size:,}", f"{count / seconds:,.0f}/s", one, f"{count:,}"])
    leases = 20 if quick else 100
    times = _leases(places.disk / "journal-leases", leases)
    median = statistics.median(times)
    shown = f"{median * 1e3:.2f} ms ({min(times) * 1e3:.2f}-{max(times) * 1e3:.2f})"
    rows.append(["leases, each flushed", f"{1 / median:,.0f}/s", shown, f"{leases:,}"])
    print_table("Journal on the disk", ("journal", "rate", "one write", "written"), rows)


def _batches(folder: Path, count: int, size: int) -> float:
    batches = [[_outcome(start + number) for number in range(size)] for start in range(0, count, size)]
    with open_journal(folder) as opened:
        _begin(opened)
        begun = time.perf_counter()
        for batch in batches:
            opened.record("run-1", batch)
        return time.perf_counter() - begun


def _leases(folder: Path, count: int) -> list[float]:
    times = []
    with open_journal(folder) as opened:
        _begin(opened)
        for number in range(count):
            row = LeaseRow(f"lease-{number}", "run-1", "group-1", "session", POINT, LeaseState.INTENDED, WHEN)
            begun = time.perf_counter()
            opened.write_lease(row)
            times.append(time.perf_counter() - begun)
    return times


def _begin(opened: Journal) -> None:
    opened.begin(RunRow("run-1", "bench", RunState.RUNNING, WHEN, "{}"))


def _outcome(number: int) -> Outcome:
    below = f"Project folder {number // 100:06d}/Report number {number:08d}.docx"
    guest = "C:\\Shares\\" + below.replace("/", "\\")
    return Outcome("group-1", guest, f"/restore/fs01/C/Shares/{below}", Verdict.RESTORED, 4096, 17, CHECKSUM)
