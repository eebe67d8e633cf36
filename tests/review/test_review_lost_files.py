"""Nothing that was asked for is missing without a word."""

from pathlib import Path

import pytest

from orchestrator.core.health import PROBES, TRIP_AFTER, Circuit, Health, failed
from orchestrator.core.locate import roots_for
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import MountGroup
from orchestrator.simulator import Estate
from tests.core.values import job, planned, point
from tests.support.flow import copies, flow, small


@pytest.mark.flow
async def test_two_job_files_of_one_name_are_two_runs(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        first = em.job({"vm": "fs01", "paths": ["C:\\", "D:\\"]}, name="night")
        (tmp_path / "first.toml").write_text((tmp_path / first).read_text())
        em.job({"vm": "lx01", "paths": ["/"], "os": "linux"}, name="night")
        done = await em.run("--json", "run", "first.toml", "night.toml")
        assert done.code == 0, done.everything
        assert len({one["run"] for one in done.json}) == 2
        assert em.restored() == em.expected()


@pytest.mark.flow
async def test_one_file_to_two_destinations_is_two_files_and_the_failure_of_one_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        entries = [
            {"vm": "fs01", "paths": ["C:\\Shares"], "to": str(em.target / folder), "on_conflict": "overwrite"}
            for folder in ("one", "two")
        ]
        (em.target / "two/C/Shares/plan.txt").mkdir(parents=True)
        done = await em.run("--json", "run", em.job(*entries))
        assert done.code == 3, done.everything
        assert [one["reason"] for one in done.json["problems"]] == ["target-kind"]
        wanted = copies(em.estate, em.machine("fs01"), "C:/Shares", to="one")
        files = sum(1 for one in wanted.values() if one)
        assert done.json["totals"]["restored"] == 2 * files - 1
        assert (await em.run("--json", "verify", done.json["run"])).json["files"] == 2 * files - 1
        assert wanted.items() <= em.restored().items()


def test_paths_of_one_point_that_go_to_two_destinations_are_two_groups_and_all_else_stays_one() -> None:
    one = {"vm": "fs01", "paths": ["C:\\a"], "to": "/restore/1"}
    inside = {"vm": "fs01", "paths": ["C:\\a\\b"], "to": "/restore/1"}
    elsewhere = {"vm": "fs01", "paths": ["C:\\A\\c"], "to": "/restore/2"}
    beside = {"vm": "fs01", "paths": ["D:\\"], "to": "/restore/2"}
    plan = planned(job(one, elsewhere, inside, beside), [point("fs01")])
    assert plan.problems == ()
    assert sorted(_entries(group) for group in plan.groups) == [[1, 3, 4], [2]]
    nested = planned(job({**one, "paths": ["*"], "to": "/restore"}, elsewhere), [point("fs01")])
    assert nested.problems == ()


def _entries(group: MountGroup) -> list[int]:
    return sorted(selection.entry for selection in group.selections)


@pytest.mark.parametrize(
    ("path", "roots", "taken"),
    [
        ("/var", ["/", "/var/lib", "/srv"], {"/": ("var",), "/var/lib": ()}),
        ("/var/lib/x", ["/", "/var/lib"], {"/var/lib": ("x",)}),
        ("/var", ["/var/lib", "/var/log", "/variant"], {"/var/lib": (), "/var/log": ()}),
        ("/", ["/", "/srv"], {"/": (), "/srv": ()}),
        ("/home", ["/srv"], {}),
    ],
)
def test_a_linux_folder_takes_the_file_systems_that_are_mounted_inside_it(
    path: str, roots: list[str], taken: dict[str, tuple[str, ...]]
) -> None:
    assert dict(roots_for(parse_guest_path(path), roots)) == taken


def test_mounts_that_were_under_way_when_the_breaker_opened_do_not_count_as_tries() -> None:
    health = Health()
    for _ in range(TRIP_AFTER + PROBES + 5):
        health = failed(health, 100.0)
    assert (health.circuit, health.trips) == (Circuit.OPEN, 1)
    assert health.mounts(8, health.until) == 1


def deep(folder: Path) -> Estate:
    """A Linux machine whose /var/lib is a file system of its own."""
    estate = Estate.empty(folder)
    estate.add_machine(
        "lx01",
        os="linux",
        points=[{"/": {"etc/hosts": b"h", "var/log.txt": b"log", "var/lib/": None}, "/var/lib": {"db/x": b"x"}}],
    )
    return estate


@pytest.mark.flow
async def test_a_folder_that_spans_two_file_systems_is_restored_whole(tmp_path: Path) -> None:
    async with flow(tmp_path, deep) as em:
        share = str(em.estate.shares["vbr01"])
        # The simulator does not browse below such a root, so the config says which folder it is.
        em.configure(backup_servers=[{"name": "*", "shares": [share], "volumes": {"/var/lib": "Volume2"}}])
        done = await em.run("run", em.job({"vm": "lx01", "paths": ["/var"], "os": "linux"}))
        assert done.code == 0, done.everything
        assert {"lx01/var/log.txt", "lx01/var/lib/db/x"} <= em.restored().keys()
