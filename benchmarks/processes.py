"""Commands of ours as processes: started, listened to by the events that they write, stopped, and what they cost."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WITHIN = 300.0
"""Seconds for each thing that is waited for."""

ORCHESTRATOR = (sys.executable, "-m", "orchestrator")
Words = tuple[str | Path, ...]
Running = subprocess.Popen[bytes]


@contextmanager
def process(home: Path, name: str, *words: str | Path) -> Iterator[Running]:
    """A command of ours as long as this is open; what it says is in `name.out` and `name.err`. At the end it is asked
    to stop, and waited for."""
    with (home / f"{name}.out").open("wb") as out, (home / f"{name}.err").open("wb") as err:
        running = subprocess.Popen([*ORCHESTRATOR, *map(str, words)], stdout=out, stderr=err)
        try:
            yield running
        finally:
            stop(running)


def stop(running: Running) -> None:
    """Ask a process to stop, and end it when it has not done so after a while."""
    running.send_signal(signal.SIGTERM)
    try:
        running.wait(30)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def run(*words: str | Path) -> str:
    """What a command says that must end well."""
    return subprocess.run([*ORCHESTRATOR, *map(str, words)], check=True, capture_output=True, text=True).stdout


def events_of(file: Path) -> list[dict[str, Any]]:
    """Every whole event in a file; none when there is no file."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def told(file: Path, kind: str) -> bool:
    """Whether an event of that kind is in a file."""
    return any(one["event"] == kind for one in events_of(file))


def until(holds: Callable[[], object], *running: Running) -> None:
    """Wait until `holds`; SystemExit when one of the processes ends first, or it takes too long."""
    end = time.monotonic() + WITHIN
    while not holds():
        for one in running:
            if one.poll() is not None:
                raise SystemExit(f"{one.args!r} ended with {one.returncode}")
        if time.monotonic() > end:
            raise SystemExit(f"{running[0].args!r} did not do what it should within {WITHIN:g} s")
        time.sleep(0.05)


def processor_seconds(pid: int) -> float:
    """Seconds of processor time of a process and of those that it has started, alive or waited for; 0 when it is gone.
    Linux. Source: proc(5), stat."""
    told_of: dict[int, tuple[int, float]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        told_of[int(file.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK"))
    own = {pid}
    while more := {one for one, (parent, _) in told_of.items() if parent in own} - own:
        own |= more
    return sum(told_of[one][1] for one in own if one in told_of)


def ended_processor_seconds() -> float:
    """The same of all processes that this one has started and waited for."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
