"""A simulated Enterprise Manager with many tiny machines, over TLS, in a process of its own.

Its machines: `tiny-0000` and so on hold one file of some bytes; `slow-0000` and so on one of `SLOW` bytes, all of it
holes; `full-0000`, if any, holds many files of `SMALL` bytes. Each request that it answers is a line of
`requests.jsonl` in its folder.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.processes import Running, stop
from orchestrator.simulator import Estate, LogEntry, Machine, Settings, Simulator, serving

SLOW = 64 << 20
SMALL = 8 << 10
VOLUME = "C:"
"""The only one of every machine."""


@dataclass(frozen=True, slots=True)
class Machines:
    """How many there are of each kind, files of the full one, and on how many backup servers."""

    tiny: int = 0
    slow: int = 0
    files: int = 0
    servers: int = 4


@dataclass(frozen=True, slots=True)
class Manager:
    """A simulated Enterprise Manager that serves. `shares` are those of its backup servers, by name."""

    url: str
    ca_file: Path
    folder: Path
    shares: dict[str, Path]
    running: Running

    def requests(self) -> list[tuple[datetime, str, str]]:
        """(when, method, path) of every request that was answered, in order."""
        lines = (self.folder / "requests.jsonl").read_text().splitlines()
        return [(datetime.fromisoformat(at), method, path) for at, method, path in map(json.loads, lines)]


def names(kind: str, count: int) -> list[str]:
    """The names of the first machines of a kind."""
    return [f"{kind}-{number:04d}" for number in range(count)]


@contextmanager
def manager(folder: Path, machines: Machines, task_seconds: float) -> Iterator[Manager]:
    """One that takes `task_seconds` for a mount, as long as this is open."""
    words = [str(folder), str(machines.tiny), str(machines.slow), str(machines.files), str(machines.servers)]
    command = [sys.executable, "-m", "benchmarks.fleet_em", *words, str(task_seconds)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        line = running.stdout.readline().decode() if running.stdout is not None else ""
        if not line:
            raise SystemExit("the simulated Enterprise Manager did not start")
        url, ca_file = line.split()
        shares = dict(_estate(folder, machines.servers).shares)
        yield Manager(url, Path(ca_file), folder, shares, running)
    finally:
        stop(running)
        if running.stdout is not None:
            running.stdout.close()


def _estate(folder: Path, servers: int) -> Estate:
    return Estate(folder, [f"vbr{number:02d}" for number in range(servers)])


def _built(folder: Path, machines: Machines) -> Estate:
    estate = _estate(folder, machines.servers)
    estate.make_folders()
    for name in names("tiny", machines.tiny):
        _add(estate, name, {"Data/one.txt": name.encode()})
    for name in names("slow", machines.slow):
        point = _add(estate, name, {"Data/slow.bin": b""}).points[0]
        os.truncate(estate.content(point, VOLUME) / "Data/slow.bin", SLOW)
    if machines.files:
        every = range(machines.files)
        _add(estate, "full-0000", {f"Data/{one // 500}/{one:06d}.txt": b"%08d" % one * (SMALL // 8) for one in every})
    return estate


def _add(estate: Estate, name: str, files: dict[str, bytes]) -> Machine:
    server = list(estate.shares)[len(estate.machines) % len(estate.shares)]
    return estate.add_machine(name, backup_server=server, points=[{VOLUME: files}])


async def _serve(folder: Path, machines: Machines, task_seconds: float) -> None:
    estate = _built(folder, machines)
    with (folder / "requests.jsonl").open("w", buffering=1) as log:

        def tell(entry: LogEntry) -> None:
            log.write(json.dumps([entry.at.isoformat(), entry.method, entry.path]) + "\n")

        simulator = Simulator(estate, Settings(task_seconds=task_seconds), tell=tell)
        async with serving(simulator, strict=False) as server:
            os.write(1, f"{server.url} {server.ca_file}\n".encode())
            await asyncio.Event().wait()


if __name__ == "__main__":
    _folder, *_counts, _seconds = sys.argv[1:]
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(Path(_folder), Machines(*map(int, _counts)), float(_seconds)))
