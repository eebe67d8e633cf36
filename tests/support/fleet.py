"""A fleet of real processes over one simulated Enterprise Manager and one real PostgreSQL."""

import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from orchestrator.simulator import Estate, Fault
from tests.support.flow import Command, Flow, flow

LEASE = 20.0
"""Seconds: one that must not expire while a busy machine gives nobody a turn."""

SHORT = 4.0
"""Seconds, for tests in which it must expire."""


def in_fleet(em: Flow, database: str, lease: float = LEASE, **sections: Any) -> None:
    """Write a config that keeps its journal in `database`."""
    em.configure(**{"fleet": {"dsn": database, "heartbeat": 0.5, "lease": lease}, **sections})


@asynccontextmanager
async def fleet(
    folder: Path, database: str, build: Callable[[Path], Estate], *faults: Fault, **settings: Any
) -> AsyncIterator[Flow]:
    """A flow whose commands belong to a fleet."""
    async with flow(folder, build, *faults, **settings) as em:
        in_fleet(em, database)
        yield em


class Silent:
    """Signs that never come."""

    arrives = False

    def __init__(self) -> None:
        self._closed = threading.Event()

    def wait(self, seconds: float) -> frozenset[str]:
        self._closed.wait(seconds)
        return frozenset()

    def close(self) -> None:
        self._closed.set()


async def worker(em: Flow, name: str, *words: str, mounts: int = 4, env: Mapping[str, str] | None = None) -> Command:
    """A worker that serves."""
    more = ("--name", name, "--mounts", str(mounts), "--events", str(em.folder / f"{name}.jsonl"), *words)
    command = await em.start("worker", *more, env=env)
    command.events_file = em.folder / f"{name}.jsonl"
    await command.event("worker_ready")
    return command


def told(command: Command, what: str) -> bool:
    """Whether a notice of the process has these words."""
    return any(one["event"] == "notice" and what in one["message"] for one in command.events())


def done_by(command: Command) -> set[str]:
    """The machines that a process has restored."""
    return {one["vm"] for one in command.events() if one["event"] == "group_ended" and one["state"] == "done"}
