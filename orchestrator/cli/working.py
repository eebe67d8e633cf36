"""The rooms for a command that works, with everyone who listens to their events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator import app as roof
from orchestrator.cli.listening import listening
from orchestrator.cli.measuring import measuring
from orchestrator.cli.recording import Recording
from orchestrator.cli.service import Service
from orchestrator.cli.speaking import Globals
from orchestrator.config import Config
from orchestrator.core.errors import StateLocked, StateLockedToLook


@contextmanager
def opened(
    options: Globals,
    config: Config,
    record: Recording,
    events: Path | None,
    jobs: Sequence[str] | None = None,
    service: Service | None = None,
) -> Iterator[roof.App]:
    """The rooms, with everyone who listens to their events. What becomes of `jobs` is notified of. `service`: one that
    the command pets itself."""
    with (
        record,
        measuring(config) as measures,
        listening(
            quiet=options.quiet,
            json_log=options.json_log,
            events_file=events,
            service=service,
            log_level=options.log_level or config.log.level,
            more=[record.take, *measures.takers],
        ) as listen,
        roof.opened(config, listen, jobs) as app,
    ):
        record.speak_through(listen)
        app.must_stop = record.must_stop
        if measures.textfile is not None:  # nobody else reads the metrics of a command that ends
            measures.recall(app.journal)
        yield app


@contextmanager
def to_look(command: str) -> Iterator[None]:
    """Who only wants to look, and finds the state folder in use, is told what can be seen beside that."""
    try:
        yield
    except StateLocked as error:
        raise StateLockedToLook(**error.facts, command=command) from error
