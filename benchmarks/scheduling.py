"""How near the order of mounts comes to the best there can be: 1,000 restore points of 20 backup servers.

The real dispatcher and the real seats decide, in virtual time; a group only sleeps as long as its mount and its copying
would take. What is told is the length of the run over the lower bound, which no order can beat: the largest of all work
over all mounts, the longest group, and of each backup server its work over its mounts.
"""

import asyncio
import random
import selectors
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio

from benchmarks.measuring import print_table
from benchmarks.places import Places
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.limits import Limits
from orchestrator.core.plan import MountGroup, Plan
from orchestrator.engine.controls import RunControl
from orchestrator.engine.dispatching import EmbeddedDispatcher
from orchestrator.engine.ports_dispatch import Turn
from orchestrator.engine.rooms import EngineSettings, Reach
from orchestrator.engine.seats import Seats
from orchestrator.engine.stopping import Stop
from orchestrator.opening import now

POINTS = 1_000
SERVERS = 20
SEEDS = range(9)
TAKEN = datetime(2026, 11, 20, 2, tzinfo=UTC)


class _Jumping(selectors.DefaultSelector):
    """Does not wait: the time jumps to where the wait would have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


@dataclass(frozen=True, slots=True)
class Length:
    """Seconds that one group takes."""

    mount: float
    copy: float

    @property
    def whole(self) -> float:
        return self.mount + self.copy


@dataclass(frozen=True, slots=True)
class Shape:
    """How work lies among the backup servers: `share` gives the weight of each, `copy` the seconds of one group."""

    name: str
    share: Callable[[int], float]
    copy: Callable[[random.Random], float]
    mounts: int = 20
    per_server: int = 4
    per_host: int = 0
    """Mounts of each of the two mount hosts that every backup server has; without, nothing is known of any."""
    learned: bool = True
    """Whether earlier runs have seen which machine is mounted on which."""


SHAPES = (
    Shape("alike", lambda server: 1.0, lambda rng: rng.uniform(60, 600)),
    Shape("few long groups", lambda server: 1.0, lambda rng: min(rng.paretovariate(1.3) * 60, 7_200)),
    Shape("one server has a fifth", lambda server: 4.75 if server == 0 else 1.0, lambda rng: rng.uniform(60, 600)),
    Shape("one server has half", lambda server: 19.0 if server == 0 else 1.0, lambda rng: rng.uniform(60, 600)),
    Shape("each half of the one before", lambda server: 0.5**server, lambda rng: rng.lognormvariate(5, 1)),
    Shape("two mount hosts each", lambda server: 1.0, lambda rng: rng.lognormvariate(5, 1), 100, 4, 2),
    Shape("the same, in the first run", lambda server: 1.0, lambda rng: rng.lognormvariate(5, 1), 100, 4, 2, False),
    Shape("servers are the limit", lambda server: 1.0, lambda rng: rng.lognormvariate(5, 1), 100, 2),
)
KNOWN = {"known": 0.0, "known within a third": 1 / 3, "not known": None}


def scheduling(found: Places, quick: bool) -> None:
    """Print length over lower bound for each shape, by what is known of the lengths before."""
    del found
    seeds = SEEDS[:3] if quick else SEEDS
    rows = []
    for shape in SHAPES:
        ratios = {name: [over_bound(shape, seed, error) for seed in seeds] for name, error in KNOWN.items()}
        rows.append([shape.name, *(f"{statistics.median(one):.3f} ({max(one):.3f})" for one in ratios.values())])
    print_table(
        f"Scheduling: {POINTS} restore points, {SERVERS} backup servers, {len(seeds)} seeds, length / lower bound:"
        " median (worst)",
        ["lengths are", *KNOWN],
        rows,
    )


def over_bound(shape: Shape, seed: int, error: float | None) -> float:
    rng = random.Random(seed)
    weights = [shape.share(server) for server in range(SERVERS)]
    groups, lengths = [], {}
    for number in range(POINTS):
        server = f"vbr{rng.choices(range(SERVERS), weights)[0]:02}"
        length = Length(rng.uniform(10, 60), shape.copy(rng))
        expected = 1.0 if error is None else length.whole * rng.uniform(1 - error, 1 + error)
        point = RestorePoint(f"point-{number}", f"vm{number:04}", TAKEN, server, "", "")
        groups.append(MountGroup(f"g{number:04}", point, None, (), expected))
        lengths[groups[-1].id] = length
    groups.sort(key=lambda group: (-group.weight, group.vm))
    servers = {group.point.backup_server for group in groups}
    budgets = {host: shape.per_host for server in servers for host in _hosts(server).values()} if shape.per_host else {}
    limits = Limits(shape.mounts, default_per_server=shape.per_server, per_host=budgets)
    shares = {group.id: rng.choice(list(_hosts(group.point.backup_server))) for group in groups}
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        taken = runner.run(_run(groups, lengths, limits, shares, shape.learned))
    return taken / _lower_bound(groups, lengths, limits, shares)


def _hosts(server: str) -> dict[str, str]:
    """The two shares of a backup server, and the mount host behind each."""
    return {f"/mnt/{server}-{number}": f"{server}-{number}" for number in (1, 2)}


async def _run(
    groups: Sequence[MountGroup], lengths: dict[str, Length], limits: Limits, shares: dict[str, str], learned: bool
) -> float:
    settings = EngineSettings(limits, lambda server: Reach(tuple(_hosts(server)), hosts=_hosts(server)))
    seats = Seats(settings, lambda event: None, now)
    for group in groups if learned else ():
        seats.whereabouts.learn(group, shares[group.id])

    async def work(group: MountGroup, turn: Turn) -> None:
        length = lengths[group.id]
        await anyio.sleep(length.mount)
        seats.mounted(group.point.backup_server, length.mount)
        seats.learn(group, shares[group.id])
        await anyio.sleep(length.copy)

    plan, stop = Plan("run", "bench", tuple(groups)), Stop(lambda event: None, now)
    begun = anyio.current_time()
    await EmbeddedDispatcher(seats, stop, RunControl(plan)).dispatch(groups, work)
    return anyio.current_time() - begun


def _lower_bound(
    groups: Sequence[MountGroup], lengths: dict[str, Length], limits: Limits, shares: dict[str, str]
) -> float:
    of_server: dict[str, float] = {}
    of_host: dict[str, float] = {}
    for group in groups:
        server = group.point.backup_server
        of_server[server] = of_server.get(server, 0.0) + lengths[group.id].whole
        host = _hosts(server)[shares[group.id]]
        of_host[host] = of_host.get(host, 0.0) + lengths[group.id].whole
    return max(
        sum(of_server.values()) / limits.mounts,
        max(length.whole for length in lengths.values()),
        max(work / limits.of_server(server) for server, work in of_server.items()),
        max((work / limits.per_host[host] for host, work in of_host.items() if host in limits.per_host), default=0.0),
    )
