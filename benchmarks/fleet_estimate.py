"""A paper estimate: how long the restore of many machines over several sites takes, from what small ones have cost.

What carries the work is listed with the time that it would need by itself. All of it goes on at the same time, so the
run takes as long as the longest. What nobody knows before is left out: failures, others on the line, slow storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measuring import print_table

MIB_SECONDS = 0.00075
"""Processor time of a worker for a MiB of a large file, as measured over SMB (docs/performance.md)."""


@dataclass(frozen=True, slots=True)
class Costs:
    """As measured. Processor seconds for a unit (a machine with its mount) and for a small file, of the worker and of
    PostgreSQL; `submitter` of the process that submits, planning included. `turn`: seconds by the clock in which one
    unit is handed out and nobody else gets one, while all of them wait. `requests` to EM for a unit; bytes that
    PostgreSQL stores."""

    worker: float
    database: float
    submitter: float
    file_worker: float
    file_database: float
    turn: float
    requests: float
    unit_bytes: float
    file_bytes: float


@dataclass(frozen=True, slots=True)
class Estate:
    """As assumed. Mounts that one backup server carries; seconds that a mount and its deletion take at EM; bytes a
    second of a network card, and of what one mount gives; requests a second of one logon session."""

    machines: int = 10_000
    sites: int = 5
    servers: int = 4
    mounts: int = 4
    mounting: float = 35.0
    card: float = 1.1e9
    stream: float = 100e6
    requests: float = 50.0

    @property
    def all_mounts(self) -> int:
        return self.sites * self.servers * self.mounts


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is restored of each machine, and by how many workers at each site. Each has a network card, and one
    interpreter, which is one core. With `alone` it is one machine for all sites, embedded or not."""

    files: int
    size: float
    workers: int = 1
    alone: bool = field(default=False, kw_only=True)


def times(costs: Costs, estate: Estate, wanted: Wanted) -> dict[str, float]:
    """Seconds that each of those who carry it would need by itself."""
    workers = 1 if wanted.alone else wanted.workers * estate.sites
    copying = wanted.size / estate.stream + wanted.files * costs.file_worker
    processor = costs.worker + wanted.files * costs.file_worker + wanted.size / (1 << 20) * MIB_SECONDS
    each = {
        "mounts, as many as EM's servers carry": (estate.mounting + copying) / estate.all_mounts,
        "network cards": wanted.size / estate.card / workers,
        "processors of the workers": processor / workers,
        "requests to EM": costs.requests / estate.requests / workers,
        "units handed out, one at a time": 0.0 if wanted.alone else costs.turn,
        "one processor of PostgreSQL": 0.0 if wanted.alone else costs.database + wanted.files * costs.file_database,
        "processor of the submitter": 0.0 if wanted.alone else costs.submitter,
    }
    return {name: seconds * estate.machines for name, seconds in each.items()}


def print_estimate(costs: Costs) -> None:
    """For some amounts, by the number of workers."""
    estate = Estate()
    for title, files, size in (
        ("20 files of 5 MB in all", 20, 5e6),
        ("2,000 files of 2 GB in all", 2_000, 2e9),
        ("5,000 files of 50 GB in all", 5_000, 50e9),
    ):
        columns = {"one machine": Wanted(files, size, alone=True)}
        columns |= {f"{estate.sites} x {workers}": Wanted(files, size, workers) for workers in (1, 2, 4, 8)}
        found = [times(costs, estate, wanted) for wanted in columns.values()]
        rows = [[name, *(clock(one[name]) if one[name] else "" for one in found)] for name in found[0]]
        rows.append(["the longest of them", *(clock(max(one.values())) for one in found)])
        what = f"{estate.machines:,} machines at {estate.sites} sites, of each {title}"
        print_table(f"On paper: {what}", ("needs by itself", *columns), rows)
    print(
        f"  Assumed: {estate.servers} backup servers at each site with {estate.mounts} mounts each, "
        f"{estate.mounting:g} s for a mount and its deletion, {estate.stream / 1e6:,.0f} MB/s from a mount,\n"
        f"  {estate.card / 1e9:g} GB/s through a card, {estate.requests:g} requests/s of each worker; "
        "each worker on a core and a card of its own."
    )
    stored = estate.machines * (costs.unit_bytes + 2_000 * costs.file_bytes)
    print(f"  PostgreSQL stores {stored / 1e9:,.1f} GB for 2,000 files of each machine.")


def clock(seconds: float) -> str:
    """Short, for people."""
    steps: Sequence[tuple[float, str]] = ((2, "s"), (120, "min"), (7_200, "h"), (172_800, "days"))
    sizes = {"s": 1, "min": 60, "h": 3_600, "days": 86_400}
    unit = next((name for least, name in reversed(steps) if seconds >= least), "s")
    return f"{seconds / sizes[unit]:.3g} {unit}"
