"""The benchmarks do what they measure: types alone do not tell that a journal knows the run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.engine import Share, real_share
from benchmarks.fleet_database import handing_out
from benchmarks.fleet_em import Machines, manager, names
from benchmarks.fleet_estimate import Costs, Estate, Wanted, times
from benchmarks.fleet_stage import Stage
from benchmarks.local_copy import copy_path, whole_engine
from benchmarks.scheduling import SHAPES, over_bound
from benchmarks.trees import small_files
from tests.support.postgres import Postgres

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


@pytest.mark.timeout(120)
def test_a_job_over_the_fleet_is_told_with_all_that_it_has_cost(tmp_path: Path, postgres_server: Postgres) -> None:
    with manager(tmp_path / "em", Machines(tiny=3, files=20, servers=2), task_seconds=0.01) as em:
        on = Stage(tmp_path / "home", tmp_path / "target", em, postgres_server, counts=False)
        shared = on.config("shared", fleet=True)
        with on.workers(shared, ["solo"], mounts=2) as [worker]:
            paid = on.paid(worker, shared, names("tiny", 3) + names("full", 1))
    assert paid.ran.restored == 3 + 20
    assert min(paid.worker, paid.ran.processor, paid.ran.seconds, paid.had.log) > 0
    assert paid.requests >= 4 * 4, "a mount, its task, a look into it and its deletion"


def test_units_are_handed_out_one_by_one_however_many_wait(postgres_server: Postgres) -> None:
    assert 0 < handing_out(postgres_server.new_database, (20, 40)) < 1


def test_on_paper_workers_help_until_what_they_do_not_bring_binds() -> None:
    costs = Costs(0.02, 0.01, 0.01, 0.0002, 0.0001, 0.005, 12, 3_000, 500)
    lengths = [max(times(costs, Estate(), Wanted(2_000, 50e9, workers)).values()) for workers in (1, 2, 4, 8, 800)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[1]
    mounts = "mounts, as many as EM's servers carry"
    assert lengths[-1] == times(costs, Estate(), Wanted(2_000, 50e9))[mounts]
    small = times(costs, Estate(), Wanted(20, 5e6, alone=True))
    assert max(small, key=lambda one: small[one]) == mounts, "one machine is enough where EM's own limits bind"
