"""Tests of whole processes get more time than others: a busy machine needs seconds for each start, some start five."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))
