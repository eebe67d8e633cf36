"""What holds for every test."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

settings.register_profile("busy machines are no failure", deadline=None)
settings.load_profile("busy machines are no failure")


@pytest.fixture(autouse=True)
def nothing_blocks_the_event_loop() -> Iterator[BlockBuster]:
    """A blocking call of the package on an event loop fails the test that met it; threads may block."""
    with blockbuster_ctx("orchestrator") as watcher:
        yield watcher
