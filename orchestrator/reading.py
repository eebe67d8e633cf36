"""Looking into the journal, for commands that do nothing else and need no other room."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

from orchestrator.config import Config
from orchestrator.journal import Journal, open_journal


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


@contextmanager
def reading(config: Config) -> Iterator[Journal]:
    """The journal for looking only: takes no lock, works while a run is going on. StateError when there is none."""
    with closing(read_journal(config)) as journal:
        yield journal


def read_journal(config: Config) -> Journal:
    """The journal for looking only; the caller closes it. StateError when there is none."""
    if config.fleet.dsn is not None:
        from orchestrator.fleet import read_shared

        return read_shared(config)
    return open_journal(config.state.folder, read_only=True)
