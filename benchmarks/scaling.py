"""Whether ten times the entries take ten times as long, and no more memory."""

import statistics

from benchmarks.measuring import print_table
from benchmarks.memory import measured
from benchmarks.places import Places, remove

SIZES = (10_000, 100_000, 1_000_000)
ROUNDS = {10_000: 5, 100_000: 3, 1_000_000: 1}


def scaling(places: Places, quick: bool) -> None:
    """Processor time per entry of whole runs that find everything there already, and of the middle one = 1."""
    sizes = SIZES[:2] if quick else SIZES
    found = {}
    for count in sizes:
        runs = []
        for _ in range(1 if quick else ROUNDS[count]):
            runs.append(measured("present", count, places.fast / "scaling"))
            remove(places.fast / "scaling")
        found[count] = runs
    each = {count: statistics.median(run["worked"] for run in runs) / count for count, runs in found.items()}
    rows = [
        [
            f"{count:,}",
            f"{each[count] * 1e6:.1f} us",
            f"{each[count] / each[100_000]:.2f}",
            f"{statistics.median(run['seconds'] for run in runs):.2f} s",
            f"{max(run['peak'] for run in runs) / 1e6:.1f} MB",
        ]
        for count, runs in found.items()
    ]
    head = ("entries", "processor time each", "of 100,000 = 1", "whole run", "peak resident")
    print_table("Scaling of a whole run: walk, decision, journal, report; every file is there already", head, rows)
