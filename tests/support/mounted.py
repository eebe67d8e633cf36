"""A mount of a simulated Enterprise Manager, served over TLS, for tests that are no coroutines: what reads it through
EM runs in threads of an event loop beside them."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.catalog import Listing, Question, ShareListing, TaskPhase
from orchestrator.core.entries import Entry
from orchestrator.core.fidelity import Properties
from orchestrator.core.paths import SourcePath
from orchestrator.core.roads import em_root
from orchestrator.engine.ports import Beat
from orchestrator.engine.through_em import ThroughEm
from orchestrator.enterprise_manager import Client, ssl_context
from orchestrator.simulator import Estate, Settings, Simulator, serving

QUICK = Settings(task_seconds=0.01, operation_finished_seconds=0.0)
Result = TypeVar("Result")


class InThreads:
    """Fulfils the port Source: every method is called in a thread of the loop's, as the engine does it."""

    def __init__(self, source: ThroughEm, portal: BlockingPortal) -> None:
        self._source = source
        self._portal = portal

    def folders(self, share: str, beat: Beat) -> ShareListing:
        return self._in_thread(self._source.folders, share, beat)

    def listing(self, folder: SourcePath, beat: Beat) -> Listing:
        return self._in_thread(self._source.listing, folder, beat)

    def look(self, path: SourcePath, beat: Beat) -> Entry | None:
        return self._in_thread(self._source.look, path, beat)

    def scan(self, start: SourcePath, enters: Callable[[str], bool], beat: Beat) -> Iterator[list[Entry]]:
        return iter(self._in_thread(lambda: list(self._source.scan(start, enters, beat))))

    def expect(self, root: str, entries: Iterable[Entry], properties: bool = False) -> None:
        self._in_thread(self._source.expect, root, entries, properties)

    def properties(self, path: SourcePath, entry: Entry) -> Properties:
        return self._in_thread(self._source.properties, path, entry)

    def open(self, path: SourcePath, entry: Entry) -> "ReadInThreads":
        return ReadInThreads(self._in_thread(self._source.open, path, entry), self._in_thread)

    def _in_thread(self, call: Callable[..., Result], *words: Any) -> Result:
        return self._portal.call(partial(to_thread.run_sync, partial(call, *words)))


@dataclass(frozen=True)
class ReadInThreads:
    """A file, open: every method is called in a thread of the loop's."""

    reader: Any
    in_thread: Callable[..., Any]

    def read(self, buffer: bytearray) -> memoryview:
        found: memoryview = self.in_thread(self.reader.read, buffer)
        return found

    def seek(self, offset: int) -> None:
        self.in_thread(self.reader.seek, offset)

    def close(self) -> None:
        self.in_thread(self.reader.close)


@dataclass(frozen=True)
class Mounted:
    """A mounted volume: where its files lie on this machine, and how they are read through EM."""

    disk: Path
    source: InThreads
    root: str


@contextmanager
def mounted_volume(folder: Path, **settings: Any) -> Iterator[Mounted]:
    """An empty volume of a Windows machine, mounted by a simulated EM with its files below `folder`."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_mounted(folder, replace(QUICK, **settings))) as (client, root, disk),
    ):
        yield Mounted(disk, InThreads(ThroughEm(client, 0.05), portal), root)


@asynccontextmanager
async def _mounted(folder: Path, settings: Settings) -> Any:
    estate = await to_thread.run_sync(Estate.empty, folder)
    machine = await to_thread.run_sync(partial(estate.add_machine, "fs01"))
    async with serving(Simulator(estate, settings)) as server:
        ours = EnterpriseManagerSettings(
            url=server.url,
            username=settings.username,
            password_env="EM_PASSWORD",
            ca_file=server.ca_file,
            requests_per_second=10_000,
        )
        trust = await to_thread.run_sync(ssl_context, ours)
        make = partial(Client, clock=lambda: datetime.now(UTC), random=random.random, sleep=anyio.sleep)
        client = await to_thread.run_sync(partial(make, ours, settings.password, ssl=trust, monotonic=time.monotonic))
        async with client:
            generation = await client.open()
            [point] = await client.find(Question(vm="fs01"))
            task = await client.request(point, None, generation)
            while task.phase is not TaskPhase.FINISHED:
                await anyio.sleep(0.01)
                task = await client.task(task.href, generation)
            [href] = task.mounts
            [volume] = (await client.mount(href, generation)).roots
            yield client, em_root(generation, volume.href), estate.content(machine.points[-1], "C:")
            await client.delete(href, generation)
            await client.close()
