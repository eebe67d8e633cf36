"""All metrics of a process: events in, an exposition out."""

import platform
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector

from orchestrator.core.drops import DrillRow, DropRow
from orchestrator.core.events import Event
from orchestrator.core.ledger import LeaseRow, RunRow
from orchestrator.metrics.copies import Copies
from orchestrator.metrics.last_runs import LastRuns
from orchestrator.metrics.limits import LimitsInForce
from orchestrator.metrics.mounts import Mounts
from orchestrator.metrics.originals import Originals
from orchestrator.metrics.queue import Queue
from orchestrator.metrics.requests import Requests
from orchestrator.metrics.series import Maker, Series
from orchestrator.metrics.sites import Sites
from orchestrator.metrics.textfile import metrics_in, replace_file


class Memory(Protocol):
    """What is remembered of earlier processes; the journal."""

    def heads(self) -> list[RunRow]:
        """All runs, newest first; their plans are not looked at."""
        ...

    def drills(self) -> list[DrillRow]:
        """Newest first."""
        ...

    def open_leases(self) -> list[LeaseRow]: ...

    def unfinished_drops(self) -> list[DropRow]: ...

    def paused(self) -> bool: ...


class _Together(Collector):
    """Several registries as one."""

    def __init__(self, *parts: Collector) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield from part.collect()


class Metrics:
    """A fold over events. `add` belongs to the thread of the event loop; the others may be called by any thread."""

    def __init__(self, version: str, started: datetime) -> None:
        """`started` is when the process began, UTC."""
        passing, lasting = Maker(lasting=False), Maker(lasting=True)
        build = lasting.gauge("build_info", "1; the labels say what runs.", "version", "python_version")
        build.labels(version, platform.python_version()).set(1)
        passing.gauge("start_time_seconds", "When the process began.").set(started.timestamp())
        self._mounts = Mounts(passing, lasting)
        self._queue = Queue(passing)
        self._last_runs = LastRuns(lasting)
        self._folds = (
            self._mounts,
            Copies(passing),
            Originals(passing),
            Requests(passing),
            LimitsInForce(passing),
            Sites(passing),
            self._queue,
            self._last_runs,
        )
        self._lasting, self._whole = lasting.registry, _Together(lasting.registry, passing.registry)
        self.series: tuple[Series, ...] = (*lasting.series, *passing.series)

    def add(self, event: Event) -> None:
        """Fold one event in. Takes some microseconds and raises nothing."""
        for fold in self._folds:
            fold.add(event)

    def recall(self, memory: Memory, textfile: Path | None = None) -> None:
        """Begin with what earlier processes have left: their last runs, open mounts and queue; `textfile` is an earlier
        one. To be called once, before the first event. Blocks; raises what `memory` raises."""
        self._last_runs.recall(memory.heads(), memory.drills())
        self._mounts.recall(memory.open_leases())
        self._queue.recall(memory.unfinished_drops(), memory.paused())
        if textfile is not None:
            self._last_runs.recall_files(metrics_in(textfile))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """(body, content type) for a scrape with this Accept header: the Prometheus text format, or OpenMetrics for who
        asks for it. Touches nothing but memory."""
        encode, content_type = choose_encoder(accept)
        return encode(self._whole), content_type

    def write_textfile(self, path: Path, *, whole: bool = False) -> None:
        """Replace `path` by what stays true when the process has ended; with `whole` by everything, for a process that
        stays. Blocks; OSError when it cannot be written."""
        replace_file(path, generate_latest(self._whole if whole else self._lasting))
