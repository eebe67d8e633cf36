"""How many requests and seconds it takes to plan a job of 1,000 and of 10,000 machines, 14 restore points each; and
how long nothing else can be done in the process while a list of paths is planned.

A simulated Enterprise Manager in a process of its own answers over TLS; nothing is mounted. What it needs itself is
most of the time, so our own processor time is told beside it.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

from benchmarks.measuring import print_table
from benchmarks.places import Places
from orchestrator.config import Config, EnterpriseManagerSettings
from orchestrator.core.catalog import Question, RestorePoint
from orchestrator.core.choosing import questions
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.resolve import plan
from orchestrator.enterprise_manager import Client, ssl_context
from orchestrator.listing import NamedJob
from orchestrator.opening import now
from orchestrator.planning import find_plan
from orchestrator.simulator import Estate, Machine, Point, Settings, Simulator, serving
from orchestrator.simulator.estate import NEWEST, guid

MACHINES = (1_000, 10_000)
POINTS = 14
LISTS = (10_000, 100_000)
SERVERS = 20


@dataclass(frozen=True, slots=True)
class Planned:
    """What one plan took."""

    machines: int
    requests: int
    seconds: float
    processor: float


def planning(found: Places, quick: bool) -> None:
    """Requests and seconds by number of machines, which must grow no faster than they do."""
    rows = []
    for number in MACHINES:
        machines = number // 10 if quick else number
        for shape in ("by name", "one glob"):
            with simulated(found.fast / f"planning-{machines}-{shape[:2]}", machines) as (url, ca_file):
                one = asyncio.run(_plan(url, ca_file, machines, shape))
            rows.append(
                (
                    f"{one.machines:,}",
                    shape,
                    f"{one.requests:,}",
                    f"{one.seconds:.1f}",
                    f"{one.processor:.1f}",
                    f"{one.processor / one.machines * 1000:.2f}",
                )
            )
    head = ("machines", "asked for", "requests", "seconds", "our processor s", "of it ms a machine")
    print_table(f"Planning, {POINTS} restore points a machine on {SERVERS} backup servers", head, rows)
    lists = [_listed(found.fast, number // 10 if quick else number) for number in LISTS]
    print_table(
        "Planning a list of paths of one machine", ("paths", "seconds", "longest silence of the loop, ms"), lists
    )


class _Knowing:
    """An EM that knows one restore point and answers at once."""

    async def find_all(self, questions: Iterable[Question]) -> list[RestorePoint]:
        return [RestorePoint("uid", "fs01", NEWEST, "vbr01", "/mounts", "/mounts?action=create")]


def _listed(folder: Path, paths: int) -> tuple[str, str, str]:
    """Plan a list of that many paths, and see how long the loop could do nothing else."""
    file = folder / "paths.txt"
    file.write_text("".join(f"C:\\Shares\\Dept {n % 300}\\Project {n % 7}\\file {n}.docx\n" for n in range(paths)))
    entry = {"vm": "fs01", "paths_from": str(file)}
    job = Job.model_validate({"name": "bench", "defaults": {"to": "/restore/{vm}"}, "restore": [entry]})
    config = Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "x", "password_env": "EM_PASSWORD"},
            "backup_servers": [{"name": "*", "shares": [str(folder)]}],
            "targets": {"allow": ["/restore"]},
        }
    )
    named = NamedJob(job, "job.toml", b"", folder)
    begun = time.perf_counter()
    silence = asyncio.run(_silence(find_plan(cast("Client", _Knowing()), config, named, "r", {})))
    return f"{paths:,}", f"{time.perf_counter() - begun:.1f}", f"{silence * 1000:.0f}"


async def _silence(work: Coroutine[object, object, object]) -> float:
    """The longest time, in seconds, in which the loop did nothing but `work`."""
    task, longest, last = asyncio.create_task(work), 0.0, time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    await task
    return longest


def name_of(number: int) -> str:
    return f"server-{number:05d}"


async def _plan(url: str, ca_file: Path, machines: int, shape: str) -> Planned:
    names = [name_of(number) for number in range(machines)]
    vms: dict[str, object] = {"vm": "*"} if shape == "one glob" else {"vms": names}
    entry = {**vms, "paths": ["C:\\Shares"], "as_of": NEWEST}
    job = Job.model_validate({"name": "bench", "defaults": {"to": "/restore/{vm}"}, "restore": [entry]})
    settings = EnterpriseManagerSettings(
        url=url,
        username=Settings().username,
        password_env="EM_PASSWORD",  # noqa: S106 - the name of a variable
        ca_file=ca_file,
    )
    asked: list[str] = []
    client = Client(
        settings,
        Settings().password,
        ssl=ssl_context(settings),
        clock=now,
        random=random.random,
        sleep=asyncio.sleep,
        on_request=lambda route, method, status, seconds: asked.append(route),
    )
    begun, worked = time.perf_counter(), time.process_time()
    async with client:
        await client.open()
        inventory = Inventory(await client.find_all(questions(job)))
        made = plan(job, inventory, run="r", allow=["/restore"], now=now())
        await client.close()
    if len(made.groups) != machines or made.problems:
        raise AssertionError(f"{len(made.groups)} of {machines} machines were planned")
    return Planned(machines, len(asked), time.perf_counter() - begun, time.process_time() - worked)


@contextmanager
def simulated(folder: Path, machines: int) -> Iterator[tuple[str, Path]]:
    """A simulated EM with that many machines in a process of its own: its address and its CA file."""
    command = [sys.executable, "-m", "benchmarks.planning", str(folder), str(machines)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url, ca_file = (process.stdout or sys.stdin).readline().split()
            yield url, Path(ca_file)
        finally:
            process.send_signal(signal.SIGTERM)


async def _serve(folder: Path, machines: int) -> None:
    servers = [f"vbr{number:02d}" for number in range(SERVERS)]
    estate = Estate.empty(folder, servers)
    for number in range(machines):
        name, server = name_of(number), servers[number % SERVERS]
        points = [Point(guid(name, day), NEWEST - timedelta(days=POINTS - day), []) for day in range(POINTS)]
        estate.machines.append(Machine(name, "windows", server, points))
    async with serving(Simulator(estate, Settings()), strict=False) as server_:
        os.write(1, f"{server_.url} {server_.ca_file}\n".encode())
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
