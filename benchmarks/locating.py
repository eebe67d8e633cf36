"""What it costs to find a mount: all candidate shares are listed before it is made and after, and its volumes matched.

The real locator on real folders; the mount is there when it is looked for, so that work is measured and not waiting.
Beside what is looked for, each share may hold what failed clean-ups have left.
"""

import os
import random
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from benchmarks.measuring import print_table
from benchmarks.places import Places
from orchestrator.core.catalog import Listed, Listing, Mount, MountRoot
from orchestrator.core.limits import Limits
from orchestrator.engine.locating import Locator
from orchestrator.engine.matching import Sought
from orchestrator.engine.rooms import EngineSettings, Reach
from orchestrator.files import LocalSource

SHARES = (1, 4, 16)
STALE = (0, 1_000)
VOLUMES = 4
ENTRIES = 60
"""Names at the root of each volume."""

VM = "fs01"
TIMES = 40


@dataclass(frozen=True, slots=True)
class _Browsed:
    """EM's listings of the roots of one mount; two names in three are on every volume."""

    roots: dict[str, dict[str, int]]

    async def listing(self, root: MountRoot, generation: int) -> Listing:
        return {name: Listed(False, size) for name, size in self.roots[root.name].items()}

    @property
    def mount(self) -> Mount:
        return Mount("/mounts/1", tuple(MountRoot(name, f"/mounts/1/{name}") for name in self.roots))


def locating(found: Places, quick: bool) -> None:
    """Print how long one mount takes, by shares, by what lies there besides, and by what is known."""
    rng, times = random.Random(1), TIMES // 10 if quick else TIMES
    roots = {
        f"{chr(ord('C') + number)}:": {
            f"{'common' if entry % 3 else f'own{number}'} {entry}.dat": rng.randrange(200) for entry in range(ENTRIES)
        }
        for number in range(VOLUMES)
    }
    rows = []
    for stale in STALE:
        for by_id in (False, True):
            with_one = 0.0
            for shares in SHARES:
                took = _measure(found.fast / "locating", _Browsed(roots), shares, stale, by_id, times)
                with_one = with_one or took
                name = f"{'Linux' if by_id else 'Windows'} mount hosts, {stale:,} stale folders on each share"
                rows.append([name, str(shares), f"{took * 1000:.1f} ms", f"{took / with_one:.1f}"])
    print_table(
        f"Locating: a mount of {VOLUMES} volumes on the last share, {times} times, median",
        ["", "shares", "before and after", "times one share"],
        rows,
    )


def _measure(below: Path, browsed: _Browsed, shares: int, stale: int, by_id: bool, times: int) -> float:
    """The median of the seconds of one mount."""
    places = [below / f"share{number:02}" for number in range(shares)]
    for place in places:
        for number in range(stale):
            name = f"{number:032x}" if by_id else f"{VM if number % 2 else f'vm{number}'}_{number:08x}"
            (place / name / "Volume1").mkdir(parents=True)
        place.mkdir(parents=True, exist_ok=True)
    mount = below / "mount"
    for number, entries in enumerate(browsed.roots.values(), 1):
        (mount / f"Volume{number}").mkdir(parents=True)
        for name, size in entries.items():
            (mount / f"Volume{number}" / name).write_bytes(b"x" * size)
    try:
        return statistics.median(anyio.run(_locate, browsed, places, mount, by_id, times))
    finally:
        shutil.rmtree(below)


async def _locate(browsed: _Browsed, places: Sequence[Path], mount: Path, by_id: bool, times: int) -> list[float]:
    shares = tuple(map(str, places))
    reach = Reach(shares, by_id=frozenset(shares) if by_id else frozenset())
    locator = Locator(LocalSource(), browsed, EngineSettings(Limits(4), lambda server: reach, poll_first=0.001))
    taken = []
    for number in range(times):
        begun = time.perf_counter()
        before = await locator.folders("vbr01", reach)
        half = time.perf_counter() - begun
        shown = places[-1] / (f"{number + 100_000:032x}" if by_id else f"{VM}_{number + 100_000:08x}")
        os.rename(mount, shown)
        begun = time.perf_counter()
        sought = Sought(browsed.mount, 1, VM, "vbr01", reach, tuple(browsed.roots), before)
        located = await locator.locate(sought)
        taken.append(half + time.perf_counter() - begun)
        assert len(located.volumes) == VOLUMES  # noqa: S101 - a wrong answer is no figure
        os.rename(shown, mount)
    return taken
