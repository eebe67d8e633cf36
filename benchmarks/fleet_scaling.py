"""Units that only wait for EM: until something else binds, twice the workers do twice as many."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.fleet_em import Machines, names
from benchmarks.fleet_stage import Stage, stage
from benchmarks.measuring import print_table
from benchmarks.places import Places

WAIT = 2.0
"""Seconds that EM takes for a mount."""

MOUNTS = 4
"""Of each worker at once."""

SERVERS = 4
BINDING = 2
"""Mounts at once of each backup server where its limit is to bind: 8 in all, the work of two workers."""


def scaling(places: Places, quick: bool) -> None:
    """Units per second by workers, without and with a limit that binds; and of one with the mounts of all of them."""
    counts, turns = ((1, 2), 1) if quick else ((1, 2, 4, 8), 3)
    most = counts[-1]
    with stage(places, "fleet-scaling", Machines(tiny=most * MOUNTS * turns, servers=SERVERS), WAIT) as on:
        wide, bound = on.config("wide", fleet=True), on.config("bound", fleet=True, max_mounts=BINDING)
        free: list[float] = []
        held: list[float] = []
        with ExitStack() as stack:
            for before, count in zip((0, *counts), counts, strict=False):
                stack.enter_context(on.workers(wide, [f"worker-{one}" for one in range(before, count)], MOUNTS))
                free.append(_rate(on, wide, count * MOUNTS * turns))
                held.append(_rate(on, bound, min(count * MOUNTS, SERVERS * BINDING) * turns))
        with on.workers(wide, ["broad"], most * MOUNTS):
            broad = _rate(on, wide, most * MOUNTS * turns)
    _print(counts, free, held, broad)


def _rate(on: Stage, config: Path, units: int) -> float:
    return units / on.run(config, names("tiny", units)).seconds


def _print(counts: Sequence[int], free: Sequence[float], held: Sequence[float], broad: float) -> None:
    rows = []
    for count, of, bound in zip(counts, free, held, strict=True):
        most = count * MOUNTS / WAIT
        rows.append(
            [f"{count}", f"{count * MOUNTS}", f"{of:.2f}", f"{of / free[0]:.2f}", f"{of / most:.0%}", f"{bound:.2f}"]
        )
    mounts = counts[-1] * MOUNTS
    rows.append(["1", f"{mounts}", f"{broad:.2f}", f"{broad / free[0]:.2f}", f"{broad * WAIT / mounts:.0%}", ""])
    head = ("workers", "mounts", "units/s", "of 1 = 1", "of what waits alone would give", "with a limit that binds")
    print_table(
        f"Units that only wait {WAIT:g} s for EM; the limit that binds is {SERVERS * BINDING} mounts", head, rows
    )
