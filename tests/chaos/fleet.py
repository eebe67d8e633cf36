# ruff: noqa: T201 - prints what it finds
"""Chaos over the fleet: one job over 200 machines and four workers, that are killed, frozen, asked to leave and started
anew, while PostgreSQL is restarted and the way of one of them to it is cut.

    python -m tests.chaos.fleet                 # what `make chaos-fleet` does
    python -m tests.chaos.fleet --seed 7        # other moments, other blows
    python -m tests.chaos.fleet --runs 10 --units 60

PostgreSQL, the workers and who submits the job are real processes; Enterprise Manager is the simulated one, over TLS;
the folders are real. A seed fixes what is done to whom, after how many units; not the order in which processes run.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.postgres import postgres
from tests.support.rough import KINDS, NAMES, Spec, Told, blows_of, story
from tests.support.warm import WARM

LEASE = 5.0
SHOWN = 5
"""Of each kind of fault so many are told one by one."""

Row = tuple[str, object]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="what is done to whom and when")
    parser.add_argument("--runs", type=int, default=1, help="so many seeds, one after the other")
    parser.add_argument("--units", type=int, default=200, help="machines of the job")
    parser.add_argument("--workers", type=int, default=4, choices=range(2, len(NAMES) + 1), help="at once")
    words = parser.parse_args()
    if not WARM:
        print("this needs Linux: nobody would see who writes which file")
        return 1
    bad = []
    for seed in range(words.seed, words.seed + words.runs):
        spec = Spec(seed, blows_of(seed, words.units, words.workers, LEASE), words.units, words.workers, LEASE)
        print(f"seed {seed}\n" + "\n".join(f"    {blow}" for blow in spec.blows), flush=True)
        with postgres() as server, tempfile.TemporaryDirectory(prefix="chaos-fleet-") as folder:
            told = asyncio.run(story(Path(folder), server, spec))
        _print(told)
        if any(told.faults.values()):
            bad.append(seed)
    if words.runs > 1:
        print(f"{words.runs} runs, {len(bad)} with a fault{': seeds ' + ', '.join(map(str, bad)) if bad else ''}")
    return int(bool(bad))


def _print(told: Told) -> None:
    for name, value in _rows(told):
        print(f"{name:44} {value}")
    for name, found in {
        "wrong": told.wrong,
        "missing": told.missing,
        "visible": told.visible_halves,
        "partial": told.partial,
        "written by two": told.writers.at_once,
        "demand": told.broken,
    }.items():
        for one in found[:SHOWN]:
            print(f"{name}: {one}")
    print(flush=True)


def _rows(told: Told) -> Iterator[Row]:
    spec, struck = told.spec, told.struck
    yield "units", spec.units
    yield "the network was cut", "at a proxy of the test's own between one worker and PostgreSQL"
    yield "seconds", f"{told.seconds:.0f}"
    yield "workers started", f"{told.started}, {spec.workers} at a time"
    for kind, what in KINDS.items():
        yield f"... {what}", struck[kind]
    yield "... that ended themselves, their lease lost", told.perished
    yield "... that could not begin without PostgreSQL", told.unreached
    yield "... exit codes", ", ".join(f"{code}: {count}" for code, count in sorted(told.codes.items()))
    if told.not_struck:
        yield "blows that came too late", len(told.not_struck)
    yield "mounts made", f"{told.mounts_made}, {told.mounts_made - spec.units} of them again"
    yield "units that were done twice", told.twice
    yield "files copied by more than one worker", told.writers.again
    yield "pieces written late, into what nobody sees", len(told.writers.late)
    yield "units whose end nobody told", told.untold
    yield "units done", told.done
    yield (
        "files restored, found there, failed",
        ", ".join(str(told.totals.get(name, 0)) for name in ("restored", "skipped", "failed")),
    )
    for one in told.carried:
        kind = f"at once {'in all' if one.kind == 'in all' else f'on {one.kind} {one.name}'}"
        yield kind, f"{one.most} of {one.limit}; exceeded {one.exceeded}"
    yield from told.faults.items()


if __name__ == "__main__":
    sys.exit(main())
