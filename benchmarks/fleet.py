"""What a fleet costs and what it gives: against one process alone, by the number of workers, and when a worker dies.

Everything is a process of its own on this machine: PostgreSQL, a simulated Enterprise Manager over TLS, the workers,
and the job that is submitted. So they share its cores, and with more workers here only waiting gets shorter. That more
network cards carry more, no single machine can show: see `fleet_estimate`.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks.fleet_database import handing_out, idling, print_database
from benchmarks.fleet_dying import dying
from benchmarks.fleet_em import Machines, names
from benchmarks.fleet_estimate import Costs, print_estimate
from benchmarks.fleet_scaling import scaling
from benchmarks.fleet_stage import Paid, Stage, Worker, stage
from benchmarks.measuring import Rounds, print_table
from benchmarks.places import Places

MOUNTS = 8
"""Mounts at once, of the process alone and of the worker beside it."""

MOUNTING = 0.1
"""Seconds that EM takes for each."""


def fleet(places: Places, quick: bool) -> None:
    """Prints what a unit costs, how it scales, what a dead worker costs, and the estimate that follows."""
    try:
        costs = overhead(places, quick)
    except pytest.skip.Exception as why:
        print(f"The fleet is left out: {why}")
        return
    scaling(places, quick)
    dying(places, quick)
    print_estimate(costs)


def overhead(places: Places, quick: bool) -> Costs:
    """The same job by one process alone and over the fleet with one worker, in turn; and what PostgreSQL had of it."""
    units, files, rounds = (40, 400, 1) if quick else (200, 4_000, 3)
    with stage(places, "fleet-overhead", Machines(tiny=units, files=files), MOUNTING) as on:
        alone, shared = on.config("alone", fleet=False, mounts=MOUNTS), on.config("shared", fleet=True)
        found = Rounds({"alone": [], "fleet": []}, {"alone": [], "fleet": []})
        with on.workers(shared, ["solo"], MOUNTS) as [worker]:
            for config in (alone, shared):  # what is done once, such as a logon and a schema, is over
                on.run(config, names("tiny", MOUNTS))
            paid = [_pair(on, worker, alone, shared, names("tiny", units), found) for _ in range(rounds)]
            full = on.paid(worker, shared, names("full", 1))
        _print_overhead(found, paid, units)
        idle = idling(on, shared, 3 if quick else 10)
        print_database(on.counts, paid, units, full, files, idle)
        turn = handing_out(on.new_database, (20, 200) if quick else (100, 1_000, 10_000))
    return _costs(paid, units, full, files, turn)


def _pair(on: Stage, worker: Worker, alone: Path, shared: Path, machines: Sequence[str], found: Rounds) -> Paid:
    single, many = on.run(alone, machines), on.paid(worker, shared, machines)
    found.seconds["alone"].append(single.seconds)
    found.processor["alone"].append(single.processor)
    found.seconds["fleet"].append(many.ran.seconds)
    found.processor["fleet"].append(many.ran.processor + many.worker + many.had.processor)
    return many


def _print_overhead(found: Rounds, paid: Sequence[Paid], units: int) -> None:
    rows = [
        ["one process alone", _ms(found.median("alone") / units), _ms(found.busy("alone") / units), "1", "1"],
        [
            "over the fleet, one worker",
            _ms(found.median("fleet") / units),
            _ms(found.busy("fleet") / units),
            _to_alone(found.seconds),
            _to_alone(found.processor),
        ],
        ["  of it the submitter", "", _ms(_of(paid, lambda one: one.ran.processor) / units), "", ""],
        ["  of it the worker", "", _ms(_of(paid, lambda one: one.worker) / units), "", ""],
        ["  of it PostgreSQL", "", _ms(_of(paid, lambda one: one.had.processor) / units), "", ""],
    ]
    title = f"{units} machines of one small file, {MOUNTS} mounts at once that take {MOUNTING:g} s, {len(paid)} rounds"
    print_table(title, ("for a machine", "clock", "processor", "clock, alone = 1", "processor, alone = 1"), rows)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _to_alone(of: dict[str, list[float]]) -> str:
    """The median of the rounds, the smallest and the largest."""
    found = [many / single for many, single in zip(of["fleet"], of["alone"], strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


def _of(paid: Sequence[Paid], what: Callable[[Paid], float]) -> float:
    return statistics.median(what(one) for one in paid)


def _costs(paid: Sequence[Paid], units: int, full: Paid, files: int, turn: float) -> Costs:
    """What one unit and one file cost. The one machine of the full one is taken off again."""
    worker, database = _of(paid, lambda one: one.worker) / units, _of(paid, lambda one: one.had.processor) / units
    stored = _of(paid, lambda one: one.had.stored) / units
    return Costs(
        worker=worker,
        database=database,
        submitter=_of(paid, lambda one: one.ran.processor) / units,
        file_worker=max(full.worker - worker, 0) / files,
        file_database=max(full.had.processor - database, 0) / files,
        turn=turn,
        requests=_of(paid, lambda one: one.requests) / units,
        unit_bytes=stored,
        file_bytes=max(full.had.stored - stored, 0) / files,
    )
