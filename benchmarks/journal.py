"""Both journals on a disk: outcomes written behind in batches, leases written ahead one by one."""

import signal
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from benchmarks.engine import POINT
from benchmarks.measuring import print_table
from benchmarks.places import Places
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.lifecycle import LeaseState
from orchestrator.journal import Journal
from orchestrator.journal import open_journal as open_in_sqlite
from orchestrator.journal_postgres import Access, open_journal
from tests.support.postgres import postgres

BATCHES = (64, 200, 2_000)
WHEN = datetime(2026, 11, 20, tzinfo=UTC)
CHECKSUM = "5e" * 32

Open = Callable[[str], Journal]
"""Opens a new journal of that name."""


def journal(places: Places, quick: bool) -> None:
    """Outcomes per second by the size of the batch; the time one lease takes to be on the disk."""
    count = 20_000 if quick else 200_000
    leases = 20 if quick else 100
    _measure("Journal on the disk", lambda name: open_in_sqlite(places.disk / name), count, leases)
    try:
        _shared(count, leases)
    except pytest.skip.Exception as why:
        print(f"The shared journal is left out: {why}")


def _shared(count: int, leases: int) -> None:
    """A server that flushes as one of its kind does; those of the tests need not."""
    with postgres(fsync="on", full_page_writes="on") as running:
        title = "Shared journal, PostgreSQL on the same machine"
        _measure(title, lambda name: open_journal(Access(running.dsn, schema=name.replace("-", "_"))), count, leases)
        running.stop(signal.SIGQUIT)  # in order would be a flush of everything that is removed next


def _measure(title: str, opened: Open, count: int, leases: int) -> None:
    rows = []
    for size in BATCHES:
        with opened(f"journal-{size}") as one:
            seconds = _batches(one, count, size)
        each = f"{seconds / count * size * 1e3:.2f} ms"
        rows.append([f"outcomes in batches of {size:,}", f"{count / seconds:,.0f}/s", each, f"{count:,}"])
    with opened("journal-leases") as one:
        times = _leases(one, leases)
    median = statistics.median(times)
    shown = f"{median * 1e3:.2f} ms ({min(times) * 1e3:.2f}-{max(times) * 1e3:.2f})"
    rows.append(["leases, each flushed", f"{1 / median:,.0f}/s", shown, f"{leases:,}"])
    print_table(title, ("journal", "rate", "one write", "written"), rows)


def _batches(opened: Journal, count: int, size: int) -> float:
    batches = [[_outcome(start + number) for number in range(size)] for start in range(0, count, size)]
    _begin(opened)
    begun = time.perf_counter()
    for batch in batches:
        opened.record("run-1", batch)
    return time.perf_counter() - begun


def _leases(opened: Journal, count: int) -> list[float]:
    times = []
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
