"""What holds for every test."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

from tests.support.postgres import Postgres, postgres

settings.register_profile("busy machines are no failure", deadline=None)
settings.load_profile("busy machines are no failure")


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop() -> Iterator[BlockBuster]:
    """A blocking call of the package on an event loop fails the test that met it; threads may block."""
    with blockbuster_ctx("orchestrator") as watcher:
        yield watcher


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One PostgreSQL for all tests of the process. A test that stops it takes one of its own: `with postgres()`."""
    with postgres() as server:
        yield server


@pytest.fixture
def database(postgres_server: Postgres) -> str:
    """The DSN of an empty database."""
    return postgres_server.new_database()
