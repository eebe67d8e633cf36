"""One estate for all chaos tests of a worker: mounts only show twins of it, nothing below it is ever written."""

import pytest

from orchestrator.simulator import Estate
from tests.support.chaos import build_estate


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return build_estate(tmp_path_factory.mktemp("estate"))
