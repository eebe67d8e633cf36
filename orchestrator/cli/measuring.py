"""Metrics and traces of a command, as the config wants them. Neither ever ends a run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orchestrator
from orchestrator.app import Listen, now
from orchestrator.cli.aside import bounded
from orchestrator.cli.speaking import tell
from orchestrator.config import Config
from orchestrator.tracing import open_traces

if TYPE_CHECKING:
    from orchestrator.metrics import Memory, Metrics

WRITE_EVERY = 15.0
"""Seconds between two writings of the text file by a command that stays; Prometheus mostly scrapes as often."""

CLOSE_WITHIN = 5.0
"""Seconds that the end of a command waits for the text file, and for the collector of traces."""


@dataclass(slots=True)
class Measures:
    """What measures. `takers` are handed every event; `metrics.exposition` is what a status page serves: none
    when nobody would read them."""

    metrics: "Metrics | None"
    takers: tuple[Listen, ...]
    textfile: Path | None
    recalled: bool = False

    def recall(self, memory: "Memory") -> None:
        """Begin with what the journal remembers, before the first event. Until then no text file is written: it would
        forget every job that an earlier process has run. StateError when the journal cannot be read."""
        if self.metrics is not None:
            self.metrics.recall(memory, self.textfile)
        self.recalled = True


@contextmanager
def measuring(config: Config, *, every: float | None = None, scraped: bool = False) -> Iterator[Measures]:
    """Measures a command, and writes `metrics.textfile` at its end. With `every`, for a command that stays, the file
    has all metrics and is written once in so many seconds too. `scraped`: a status page serves them. ConfigInvalid when
    traces are wanted and cannot be."""
    metrics = _metrics() if scraped or config.metrics.textfile is not None else None
    takers: list[Listen] = [metrics.add] if metrics is not None else []
    with ExitStack() as stack:
        if config.tracing.otlp_endpoint is not None:
            traces = open_traces(config.tracing.otlp_endpoint, orchestrator.__version__, tell)
            stack.callback(_in_time, traces.close, "the collector of traces did not take everything")
            takers.append(traces.add)
        measures = Measures(metrics, tuple(takers), config.metrics.textfile)
        if metrics is not None and config.metrics.textfile is not None:
            stack.enter_context(_written(measures, metrics, config.metrics.textfile, every))
        yield measures


def _metrics() -> "Metrics":
    from orchestrator.metrics import Metrics  # most commands measure nothing

    return Metrics(orchestrator.__version__, now())


@contextmanager
def _written(measures: Measures, metrics: "Metrics", file: Path, every: float | None) -> Iterator[None]:
    """Writes the text file at the end, and once in `every` seconds from a thread of its own."""
    over = threading.Event()
    broken = False

    def write() -> None:
        nonlocal broken
        if not measures.recalled:
            return
        try:
            metrics.write_textfile(file, whole=every is not None)
            broken = False
        except OSError as cause:
            if not broken:
                tell(f"metrics.textfile {file}: cannot be written: {cause.strerror}; the run goes on without it")
            broken = True

    def repeat() -> None:
        while not over.wait(every):
            write()

    repeating = threading.Thread(target=repeat, name="metrics text file", daemon=True)

    def finish() -> None:
        if every is not None:
            repeating.join()  # or what it is writing would come after the last word
        write()

    if every is not None:
        repeating.start()
    try:
        yield
    finally:
        over.set()
        _in_time(finish, f"metrics.textfile {file}: could not be written")


def _in_time(function: Callable[[], None], otherwise: str) -> None:
    if not bounded(function, CLOSE_WITHIN):
        tell(f"{otherwise} within {CLOSE_WITHIN:g} s")
