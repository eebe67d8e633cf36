"""The benchmarks do what they measure: types alone do not tell that a journal knows the run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.engine import Share, real_share
from benchmarks.local_copy import copy_path, whole_engine
from benchmarks.scheduling import SHAPES, over_bound
from benchmarks.trees import small_files

pytestmark = pytest.mark.flow


@pytest.mark.parametrize("copy", [whole_engine, copy_path])
def test_what_is_raced_against_others_copies_everything(
    tmp_path: Path, copy: Callable[[Share, Path, int], None]
) -> None:
    source = tmp_path / "tree"
    small_files(source, 30, (1, 100))
    copy(real_share(source), tmp_path / "to", 4)
    found = {file.name: file.read_bytes() for file in (tmp_path / "to/target").rglob("*") if file.is_file()}
    assert found == {file.name: file.read_bytes() for file in source.rglob("*") if file.is_file()}
    assert len(found) == 30


def test_no_order_of_mounts_is_shorter_than_the_bound(tmp_path: Path) -> None:
    assert 1 <= over_bound(SHAPES[0], seed=0, error=0.0) < 2
