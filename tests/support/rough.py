"""A fleet that is beaten: workers are killed, frozen, asked to leave and started anew, PostgreSQL is restarted, and the
way of one worker to it is cut, all at moments that a seed fixes, while one job over many machines has to come to its
end.

Moments are counted in units that are over, so that a busy machine changes nothing of them. Each worker leaves a trace
of what it writes (`writers`), and Enterprise Manager's own log tells what it carried at once (`mount_log`).
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psycopg
from anyio import to_thread
from anyio.abc import TaskGroup

from orchestrator.simulator import Estate, Machine
from tests.support.flow import PARTIAL, Command, Done, Flow, Tree, flow
from tests.support.lossy import CutWay, cut_way
from tests.support.mount_log import Carried, Resource, carried
from tests.support.postgres import Postgres
from tests.support.writers import Meetings, meetings, patch

NAMES = ("anna", "bert", "carl", "dora", "emil", "fritz", "greta", "hans")
"""The places of workers; a worker that is started anew in one gets a new name. The first reaches the database by a way
that can be cut."""

KINDS = {
    "kill": "killed (SIGKILL)",
    "rout": "all of them killed at once",
    "freeze": "frozen for longer than the lease",
    "doze": "frozen for less than the lease",
    "drain": "asked to leave (SIGTERM)",
    "cut": "network cut for longer than the lease",
    "flicker": "network cut for less than the lease",
    "restart": "PostgreSQL restarted",
    "crash": "PostgreSQL killed and started anew",
}
GLANCE = 0.02
LOOK_EVERY = 0.5
MOUNTS = 4
"""Mounts of each worker."""

IN_ALL = 12
SERVERS: dict[str, dict[str, Any]] = {
    "vbr01": {"max_mounts": 3},
    "vbr02": {"max_mounts": 4, "max_mounts_per_chain": 2},
    "vbr03": {"max_mounts": 3},
    "vbr04": {"max_mounts": 3},
    "vbr05": {"max_mounts": 4},
}
SHARED_HOST, ON_SHARED_HOST, HOST_CARRIES = "mh01", ("vbr03", "vbr04"), 4
"""The mount host of two backup servers. The machines of each backup server are of one chain of backup files."""


@dataclass(frozen=True)
class Blow:
    """When `at` units are over, something is done to place number `place`, and undone after `seconds`."""

    at: int
    kind: str
    place: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        whom = f" {NAMES[self.place]}" if self.kind in ("kill", "freeze", "doze", "drain", "cut", "flicker") else ""
        long = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"at {self.at:3} units: {self.kind}{whom}{long}"


@dataclass(frozen=True)
class Spec:
    """One story. `lease` in seconds; it may take `longest`."""

    seed: int
    blows: tuple[Blow, ...]
    units: int = 200
    workers: int = 4
    lease: float = 5.0
    longest: float = 600.0


def blows_of(seed: int, units: int, workers: int, lease: float) -> tuple[Blow, ...]:
    """What a seed stands for: everything that can happen, at least once."""
    rng = random.Random(seed)
    kinds = [*KINDS, *["kill"] * 6, *["freeze"] * 2, "doze", *["drain"] * 2]
    kinds.remove(rng.choice(("restart", "crash")))  # once
    rng.shuffle(kinds)
    while {*kinds[: len(kinds) * 3 // 4]} != {*KINDS} & {*kinds}:  # a run may be over before the last ones
        rng.shuffle(kinds)
    moments = sorted(rng.sample(range(2, units * 17 // 20), len(kinds)))
    long, short = {"freeze", "cut"}, {"doze", "flicker"}
    return tuple(
        Blow(
            at,
            kind,
            0 if kind in ("cut", "flicker") else rng.randrange(workers),
            lease * (rng.uniform(1.3, 2.2) if kind in long else rng.uniform(0.2, 0.5) if kind in short else 0.0),
        )
        for at, kind in zip(moments, kinds, strict=True)
    )


def estate_of(spec: Spec) -> Callable[[Path], Estate]:
    """Builds the machines: every file has content of its own, and every fourth machine one that takes a while."""

    def build(folder: Path) -> Estate:
        rng = random.Random(spec.seed)
        estate = Estate.empty(folder, tuple(SERVERS))
        estate.add_mount_host(SHARED_HOST)
        for number in range(spec.units):
            files: dict[str, bytes | None] = {
                f"Data/{place:02d}.bin": rng.randbytes(rng.randrange(1, 16 << 10)) for place in range(8)
            }
            files["Data/large.bin"] = rng.randbytes(3 << 20 if number % 4 == 0 else 300 << 10)
            server = list(SERVERS)[number % len(SERVERS)]
            name = f"vm{number:03d}"
            estate.add_machine(name, backup_server=server, points=[{"C:": files}])
            if server in ON_SHARED_HOST:
                estate.mounted_on[name] = SHARED_HOST
        return estate

    return build


def resources_of(machine: Machine) -> Iterator[Resource]:
    """What a mount of a machine takes a part of."""
    server = machine.backup_server
    yield "in all", "", IN_ALL
    yield "backup server", server, SERVERS[server]["max_mounts"]
    if server in ON_SHARED_HOST:
        yield "mount host", SHARED_HOST, HOST_CARRIES
    if "max_mounts_per_chain" in SERVERS[server]:
        yield "backup file", f"of {server}", SERVERS[server]["max_mounts_per_chain"]


class Tail:
    """The events of a process that are new since they were last asked for."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at = 0

    def fresh(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


@dataclass
class Place:
    """Where one worker serves at a time. `frozen` until it may go on, `asked` to leave."""

    name: str
    config: str
    command: Command | None = None
    started: int = 0
    frozen: bool = False
    asked: bool = False

    @property
    def serves(self) -> bool:
        """Whether a worker runs here that nothing is being done to."""
        return self.command is not None and not self.frozen and not self.asked


@dataclass
class Told:
    """What a story has to tell."""

    spec: Spec
    seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    not_struck: list[Blow] = field(default_factory=list)
    started: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    perished: int = 0
    unreached: int = 0
    exit_code: int | None = None
    totals: dict[str, int] = field(default_factory=dict)
    done: int = 0
    untold: int = 0
    twice: int = 0
    mounts_made: int = 0
    carried: list[Carried] = field(default_factory=list)
    mounts_at_end: int = 0
    mounts_left: int = 0
    sessions_left: int = 0
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    visible_halves: list[str] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    writers: Meetings = field(default_factory=lambda: Meetings([], [], 0, 0))
    rows_left: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def exceeded(self) -> int:
        """Mounts that were one too many, each counted for everything that was full."""
        return sum(one.exceeded for one in self.carried)

    @property
    def faults(self) -> dict[str, int]:
        """Everything that must be zero."""
        return {
            "units not done": self.spec.units - self.done,
            "exit code of the submitter": 1 if self.exit_code is None else self.exit_code,
            "limits exceeded": self.exceeded,
            "mounts left when the run had ended": self.mounts_at_end,
            "mounts left": self.mounts_left,
            "sessions left": self.sessions_left,
            "files with wrong bytes": len(self.wrong),
            "files missing": len(self.missing),
            "partial files visible": len(self.visible_halves),
            "partial files left": len(self.partial),
            "files written by two at once": len(self.writers.at_once),
            "rows left in the tables of the fleet": sum(self.rows_left.values()),
            "demands broken": len(self.broken),
        }


class Crew:
    """The workers, each started anew when it ends, as a service is; and what is done to them."""

    def __init__(self, em: Flow, server: Postgres, way: CutWay, spec: Spec, told: Told, traces: Path) -> None:
        self.places = [Place(name, f"{name}.toml") for name in NAMES[: spec.workers]]
        self.ended: dict[int, float] = {}
        self._em = em
        self._server = server
        self._way = way
        self._told = told
        self._rng = random.Random(spec.seed + 1)
        self._closing = anyio.Event()
        self._patch = em.folder / "watched.py"
        self._patch.write_text(patch(traces))

    async def serve(self) -> None:
        """Keep a worker in every place, until `close`."""
        async with anyio.create_task_group() as tasks:
            for place in self.places:
                tasks.start_soon(self._keep, place)

    def close(self) -> None:
        """Nothing is undone any later, and everybody is asked to leave."""
        self._closing.set()
        self._way.heal()
        for place in self.places:
            self._signal(place, signal.SIGCONT, signal.SIGTERM)

    async def strike(self, blow: Blow, beside: TaskGroup) -> None:
        """Wait until it can be done, and do it; what is to be undone is undone in `beside`. A place where nobody serves
        just now gives way to the next one; somebody else always goes on."""
        while (place := self._ready_for(blow)) is None:  # noqa: ASYNC110 - processes are watched
            await anyio.sleep(GLANCE)
        await anyio.sleep(self._rng.uniform(0.0, 0.3))
        self._told.struck[blow.kind] += 1
        match blow.kind:
            case "kill":
                self._signal(place, signal.SIGKILL)
            case "rout":
                for one in self.places:
                    self._signal(one, signal.SIGKILL)
            case "drain":
                place.asked = True
                self._signal(place, signal.SIGTERM)
            case "freeze" | "doze":
                place.frozen = True
                self._signal(place, signal.SIGSTOP)
                beside.start_soon(self._thaw, place, place.command, blow.seconds)
            case "cut" | "flicker":
                self._way.cut()
                beside.start_soon(self._heal, blow.seconds)
            case "restart" | "crash":
                how = signal.SIGINT if blow.kind == "restart" else signal.SIGQUIT
                await to_thread.run_sync(self._server.restart, how)

    def _ready_for(self, blow: Blow) -> Place | None:
        serving = [one for one in self.places[blow.place :] + self.places[: blow.place] if one.serves]
        if len(serving) < 2 or (blow.kind in ("cut", "flicker") and serving[0] is not self.places[0]):
            return None
        return serving[0]

    async def _keep(self, place: Place) -> None:
        while not self._closing.is_set():
            place.started += 1
            self._told.started += 1
            name = f"{place.name}-{place.started}"
            events = self._em.folder / f"worker-{name}.jsonl"
            words = ("worker", "--name", name, "--mounts", str(MOUNTS), "--events", str(events))
            environment = {"PATCH": str(self._patch)}
            place.command = await self._em.start("--config", place.config, *words, env=environment)
            process = place.command.process
            if self._closing.is_set():
                process.terminate()
            await process.wait()
            self.ended[process.pid] = time.monotonic_ns()
            self._judge(name, await place.command.done())
            place.command, place.frozen, place.asked = None, False, False
            with anyio.move_on_after(self._rng.uniform(0.1, 1.5)):
                await self._closing.wait()

    def _judge(self, name: str, done: Done) -> None:
        """A worker ends because it was told to, was called dead, or cannot begin while the database is not there;
        everything else is told in full."""
        self._told.codes["killed" if done.code < 0 else str(done.code)] += 1
        if done.code == 5 and "not heard of for" in done.err:
            self._told.perished += 1
        elif done.code == 5 and "cannot be reached" in done.err:
            self._told.unreached += 1
        elif done.code > 0:
            self._told.broken.append(f"{name} ended with {done.code}: {done.err.strip()[-600:]}")

    async def _thaw(self, place: Place, command: Command | None, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._closing.wait()
        if place.command is command:
            place.frozen = False
            self._signal(place, signal.SIGCONT)

    async def _heal(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._closing.wait()
        self._way.heal()

    def _signal(self, place: Place, *numbers: signal.Signals) -> None:
        if place.command is not None:
            place.command.signal(*numbers)


class Eyes:
    """Looks at the destination all the time: what stands under a final name is whole."""

    def __init__(self, em: Flow, told: Told) -> None:
        self._em = em
        self._told = told
        self._wanted: dict[str, tuple[int, int]] = {}

    async def look(self) -> None:
        self._wanted = await to_thread.run_sync(_sizes, self._em)
        while True:
            for path in await to_thread.run_sync(self._halves):
                if path not in self._told.visible_halves:
                    self._told.visible_halves.append(path)
            await anyio.sleep(LOOK_EVERY)

    def _halves(self) -> list[str]:
        found = []
        for folder, _, names in os.walk(self._em.target):
            for name in (one for one in names if PARTIAL not in one):
                path = os.path.relpath(f"{folder}/{name}", self._em.target)
                status = os.stat(f"{folder}/{name}")  # what has a final name is never renamed away
                if (status.st_size, status.st_mtime_ns) != self._wanted.get(path):
                    found.append(path)
        return found


def _sizes(em: Flow) -> dict[str, tuple[int, int]]:
    """Size and time of everything that is to be restored, by its path below the destination."""
    found = {}
    for machine in em.estate.machines:
        content = em.estate.content(machine.points[-1], "C:")
        for file in content.rglob("*"):
            if file.is_file():
                status = file.stat()
                found[f"{machine.name}/C/{file.relative_to(content)}"] = status.st_size, status.st_mtime_ns
    return found


async def story(folder: Path, server: Postgres, spec: Spec) -> Told:
    """One job from its beginning to its end. What went wrong is in what is told."""
    told, begun = Told(spec), time.monotonic()
    database = server.new_database()
    traces = folder / "traces"
    traces.mkdir()
    quirks: dict[str, Any] = {"task_seconds": 0.5, "session_end_unmounts": "never"}
    with cut_way(server.port) as way:
        async with flow(folder, estate_of(spec), **quirks) as em:
            crew = Crew(em, server, way, spec, told, traces)
            _configure(em, crew, database, way, spec)
            try:
                with anyio.fail_after(spec.longest):
                    await _live(em, crew, spec, told)
            except TimeoutError:
                told.broken.append(f"not over after {spec.longest:g} s: {_standing(database)}")
                return told
            await _judge(em, crew, told, traces)
            told.rows_left = _rows_left(database)
            told.seconds = time.monotonic() - begun
    return told


def _configure(em: Flow, crew: Crew, database: str, way: CutWay, spec: Spec) -> None:
    """A config for each place, and one for who submits."""
    host = {"name": SHARED_HOST, "shares": [str(em.estate.mount_hosts[SHARED_HOST].share)], "max_mounts": HOST_CARRIES}
    servers = [
        {"name": name, **limits, **({"mount_hosts": [host]} if name in ON_SHARED_HOST else {"shares": [str(share)]})}
        for (name, limits), share in zip(SERVERS.items(), em.estate.shares.values(), strict=True)
    ]
    cut = database.replace(f":{crew._server.port}/", f":{way.port}/")
    for place in (*crew.places, None):
        dsn = cut if place is crew.places[0] else database
        em.configure(
            backup_servers=servers,
            limits={"mounts": IN_ALL, "bandwidth": "8 MB/s"},
            fleet={"dsn": dsn, "heartbeat": 0.5, "lease": spec.lease},
        )
        if place is not None:
            (em.folder / "config.toml").rename(em.folder / place.config)


async def _live(em: Flow, crew: Crew, spec: Spec, told: Told) -> None:
    async with anyio.create_task_group() as workers, anyio.create_task_group() as beside:
        workers.start_soon(crew.serve)
        submitted = await em.start("--json", "run", em.job())
        over = _Over(submitted)
        told.not_struck = list(spec.blows)
        async with anyio.create_task_group() as until_its_end:
            until_its_end.start_soon(Eyes(em, told).look)
            until_its_end.start_soon(_beat, crew, over, told, beside)
            await submitted.process.wait()
            told.mounts_at_end = len(em.simulator.open_mounts())
            until_its_end.cancel_scope.cancel()
        done = await submitted.done()
        told.exit_code = done.code
        if done.code in (0, 3, 4, 6, 7):
            _read_report(done, told)
        if done.code:
            told.broken.append(f"the submitter ended with {done.code}: {done.err.strip()[-1500:]}")
        told.untold = spec.units - over.units
        crew.close()


async def _beat(crew: Crew, over: "_Over", told: Told, beside: TaskGroup) -> None:
    for blow in tuple(told.not_struck):
        while over.units < blow.at:  # noqa: ASYNC110 - the same
            await anyio.sleep(GLANCE)
        await crew.strike(blow, beside)
        told.not_struck.remove(blow)


class _Over:
    """The units whose end the submitter has heard of."""

    def __init__(self, submitted: Command) -> None:
        self._tail = Tail(submitted.events_file)
        self._groups: set[str] = set()

    @property
    def units(self) -> int:
        for event in self._tail.fresh():
            if event["event"] == "group_ended" and event["state"] in ("done", "failed"):
                self._groups.add(event["group"])
        return len(self._groups)


def _read_report(done: Done, told: Told) -> None:
    report = done.json
    told.totals = report["totals"]
    told.done = sum(group["state"] == "done" for group in report["groups"])
    if report["mounts_left"]:
        told.broken.append(f"the report has {len(report['mounts_left'])} mounts left")
    for problem in report["problems"][:5]:
        told.broken.append(f"a problem in the report: {problem}")


async def _judge(em: Flow, crew: Crew, told: Told, traces: Path) -> None:
    """Every demand, when everything has ended."""
    simulator = em.simulator
    swept = await em.run("sweep")
    if swept.code:
        told.broken.append(f"sweep ended with {swept.code}: {swept.everything.strip()[-600:]}")
    told.mounts_made = simulator.mounts_made
    told.mounts_left = len(simulator.open_mounts())
    used = {entry.session for entry in simulator.log if entry.route == "mount_post"}
    told.sessions_left = sum(one.label in used for one in simulator.open_sessions())
    told.carried = carried(simulator, resources_of)
    told.writers = meetings(traces, crew.ended)
    if told.writers.copies < told.totals.get("restored", 0):
        told.broken.append(f"only {told.writers.copies} copies have left a trace")
    restored, expected = await to_thread.run_sync(lambda: (em.restored(), em.expected()))
    _compare(restored, expected, told)
    ended = Counter(
        event["group"]
        for file in em.folder.glob("worker-*.jsonl")
        for event in Tail(file).fresh()
        if event["event"] == "group_ended" and event["state"] == "done"
    )
    told.twice = sum(times > 1 for times in ended.values())


def _compare(restored: Tree, expected: Tree, told: Told) -> None:
    for path, file in expected.items():
        if path not in restored:
            told.missing.append(path)
        elif file is not None and restored[path] != file:
            told.wrong.append(path)
    for path in sorted(restored.keys() - expected.keys()):
        (told.partial if PARTIAL in path else told.wrong).append(path)


def _rows_left(database: str) -> dict[str, int]:
    """What a run that has ended has forgotten to take out of the tables of the fleet."""
    with _connected(database) as cursor:
        counts = {}
        for table in ("units", "orders", "told"):
            row = cursor.execute(f"SELECT count(*) FROM orchestrator.{table}").fetchone()  # noqa: S608 - a fixed name
            counts[table] = int(row[0]) if row else 0
        return counts


def _standing(database: str) -> str:
    """How everything stands, for a story that does not end."""
    asked = {
        "units": "SELECT state, member, group_id, vm, number, refusals FROM orchestrator.units WHERE state <> 'over'",
        "members": "SELECT id, name, state, heir, now() - seen FROM orchestrator.members WHERE state <> 'gone'",
        "leases": "SELECT state, group_id, session, note FROM orchestrator.leases "
        "WHERE state IN ('intended', 'requested', 'held', 'left')",
        "orders": "SELECT * FROM orchestrator.orders",
    }
    with _connected(database) as cursor:
        found = {name: cursor.execute(words).fetchall() for name, words in asked.items()}
    return "\n".join(f"{name}: {row}" for name, rows in found.items() for row in rows[:20])


@contextmanager
def _connected(database: str) -> Iterator[psycopg.Cursor[Any]]:
    with psycopg.connect(database, autocommit=True) as connection, connection.cursor() as cursor:
        yield cursor
