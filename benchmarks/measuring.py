"""Runs side by side: each contestant once in each round, medians of paired ratios, with the smallest and the largest.

Absolute figures of a shared machine drift by a factor of two within minutes; two runs that follow each other meet
the same weather.
"""

import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.places import remove


@dataclass(frozen=True, slots=True)
class Contestant:
    """`run` is timed; it is given a folder that is not there yet, and what it leaves there is removed afterwards."""

    name: str
    run: Callable[[Path], None]


@dataclass(slots=True)
class Rounds:
    """The seconds of each contestant, round by round: by the clock, and of processor time, its processes together."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    processor: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def busy(self, name: str) -> float:
        """The median of its processor time."""
        return statistics.median(self.processor[name])

    def ratio(self, name: str, reference: str) -> str:
        """How many times as fast as `reference`: the median of the rounds, the smallest and the largest."""
        found = [theirs / ours for ours, theirs in zip(self.seconds[name], self.seconds[reference], strict=True)]
        return f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


def side_by_side(contestants: Sequence[Contestant], below: Path, rounds: int) -> Rounds:
    """Let each run once per round, in the same order. Before each the disk is given time to finish what it holds."""
    found = Rounds({one.name: [] for one in contestants}, {one.name: [] for one in contestants})
    for number in range(rounds):
        for place, one in enumerate(contestants):
            folder = below / f"round-{number}-{place}"
            os.sync()
            begun, busy = time.perf_counter(), _processor_time()
            one.run(folder)
            found.seconds[one.name].append(time.perf_counter() - begun)
            found.processor[one.name].append(_processor_time() - busy)
            remove(folder)
    return found


def _processor_time() -> float:
    """Seconds of this process, and of those that it has started and that have ended."""
    return sum(sum(resource.getrusage(whose)[:2]) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; the first column is left-aligned, the others right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}")
    for row in (head, ["-" * width for width in widths], *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  " + "  ".join(cells))


def mib(count: float) -> str:
    return f"{count / (1 << 20):,.0f} MiB"
