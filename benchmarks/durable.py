"""What the promises of [copy] durable cost on a disk."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from benchmarks.engine import Durable, Share, forget, real_share
from benchmarks.local_copy import COPIES, whole_engine
from benchmarks.measuring import Contestant, print_table, side_by_side
from benchmarks.places import Places, file_system
from benchmarks.trees import large_files, small_files

MODES: tuple[Durable, ...] = get_args(Durable)


def durable(places: Places, quick: bool) -> None:
    """Runs of the whole engine with durable = none, batch and file, side by side."""
    count, size = (500, 32 << 20) if quick else (5_000, 256 << 20)
    trees: list[tuple[str, Callable[[Path], int]]] = [
        (f"{count:,} small files", lambda tree: small_files(tree, count, (1 << 10, 64 << 10))),
        (f"2 x {size >> 20} MiB", lambda tree: large_files(tree, 2, size)),
    ]
    rows = []
    for name, make in trees:
        tree = places.disk / "durable"
        total = make(tree)
        share = real_share(tree)
        rounds = side_by_side([_with(share, mode) for mode in MODES], places.disk, 3)
        for mode in MODES:
            seconds = rounds.median(mode)
            speed = f"{total / 1e6 / seconds:,.0f}"
            rows.append([f"{name}, {mode}", f"{seconds:.2f}", speed, rounds.ratio(mode, "none")])
        forget(tree)
    head = ("durable", "s (median)", "MB/s", "speed of none = 1")
    print_table(f"Price of durable, {file_system(places.disk)} to {file_system(places.disk)}", head, rows)


def _with(share: Share, mode: Durable) -> Contestant:
    return Contestant(mode, lambda to: whole_engine(share, to, COPIES, mode))
