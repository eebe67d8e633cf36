"""What an entry chooses and where it lands, from a job file to files on disk."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Estate
from tests.support.flow import Flow, flow, small, toml

pytestmark = pytest.mark.flow


def merged(folder: Path) -> Estate:
    """A machine with a file of one name on two drives."""
    estate = Estate.empty(folder)
    estate.add_machine(
        "fs01",
        points=[
            {
                "C:": {"Shares/Data/a.txt": b"from C", "Shares/big.bin": b"b" * 5000, "Shares/Data/c.txt": b"C"},
                "D:": {"Data/a.txt": b"from D", "Data/b.txt": b"D"},
            }
        ],
        folders={"C:": "Volume2", "D:": "Volume1"},
    )
    return estate


def files(em: Flow) -> set[str]:
    return {path for path, file in em.restored().items() if file is not None}


async def test_of_two_files_for_one_place_the_first_is_kept_and_the_other_told_under_every_policy(
    tmp_path: Path,
) -> None:
    async with flow(tmp_path, merged) as em:
        entry = {
            "vm": "fs01",
            "paths": ["C:\\Shares", "D:\\Data"],
            "strip": ["C:\\Shares"],
            "drives": {"D": ""},
            "smaller_than": "5 kB",
        }
        for policy in ("skip", "overwrite"):
            done = await em.run("run", em.job(entry, to=str(em.target), on_conflict=policy))
            assert done.code == 3, done.everything
            assert "D:\\Data\\a.txt" in done.out
            assert (em.target / "Data" / "a.txt").read_bytes() == b"from C"
            assert files(em) == {"Data/a.txt", "Data/b.txt", "Data/c.txt"}
        problems = em.report()["problems"]
        assert [(one["guest_path"], one["reason"]) for one in problems] == [("D:\\Data\\a.txt", "name-clash")]
        assert problems[0]["message"].startswith("C:\\Shares\\Data\\a.txt is restored to the same place")
        await em.settled()
        em.assert_nothing_left()


async def test_what_is_left_is_run_again_and_lands_where_it_belongs(tmp_path: Path) -> None:
    async with flow(tmp_path, merged) as em:
        table = {"C:\\Shares": str(em.target / "one"), "D:\\": str(em.target / "two")}
        (em.target / "one").mkdir()
        (em.target / "one" / "Data").write_text("a file where a folder belongs")
        done = await em.run("run", em.job({"vm": "fs01", "to": table}))
        assert done.code == 3, done.everything
        (em.target / "one" / "Data").unlink()
        residual = em.report()["files"]["residual"]
        assert {one["to"] for one in tomllib.loads(Path(residual).read_text())["restore"]} == {table["C:\\Shares"]}
        done = await em.run("run", residual)
        assert done.code == 0, done.everything
        assert files(em) == {
            "one/Data/a.txt",
            "one/Data/c.txt",
            "one/big.bin",
            "two/Data/a.txt",
            "two/Data/b.txt",
        }


async def test_a_plan_shows_where_paths_land_and_what_would_be_written_twice(tmp_path: Path) -> None:
    async with flow(tmp_path, merged) as em:
        entry: dict[str, Any] = {"vm": "fs01", "paths": ["C:\\Shares\\Data", "D:\\Data"], "strip": ["C:\\Shares"]}
        shown = await em.run("plan", em.job(entry))
        assert f"C:\\Shares\\Data  to {em.target}/fs01/Data" in shown.out
        twice = await em.run("run", em.job({**entry, "drives": {"D": ""}}))
        assert twice.code == 2
        assert "C:\\Shares\\Data and D:\\Data would both write to" in twice.err
        em.assert_untouched()


async def test_the_files_of_a_list_are_restored_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        (tmp_path / "found.txt").write_bytes('C:\\Shares\\plan.txt\r\n"D:\\Data"\r\nC:\\gone.txt\r\n'.encode("utf-16"))
        done = await em.run("run", em.job({"vm": "fs01", "paths_from": "found.txt"}))
        assert done.code == 3, done.everything
        assert [one["guest_path"] for one in em.report()["problems"]] == ["C:\\gone.txt"]
        assert files(em) == {"fs01/C/Shares/plan.txt", "fs01/D/Data/d.txt"}


async def test_a_dropped_job_takes_its_list_from_the_folder_for_lists_and_from_nowhere_else(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(watch={"settle": 0.05, "poll": 0.2, "retry_after": 0.2})
        for folder in ("incoming", "lists"):
            (tmp_path / "jobs" / folder).mkdir(parents=True)
        (tmp_path / "secret.txt").write_text("not for everyone")
        (tmp_path / "jobs" / "lists" / "found.txt").write_text("D:\\Data\n")
        for name, paths in (("good", "found.txt"), ("bad", "../../secret.txt")):
            entry = {"vm": "fs01", "paths_from": paths, "to": str(em.target / name)}
            em.drop(toml({"name": name, "restore": [entry]}), f"{name}.toml")
        done = await em.run("watch", "--once")
        assert em.ended()["good"].startswith("exit 0: "), done.everything
        told = em.ended("failed")["bad"]
        assert "where the lists of dropped jobs must be" in told
        assert "everyone" not in told + done.everything
        assert files(em) == {"good/D/Data/d.txt"}


async def test_a_plan_says_which_paths_the_index_of_the_guest_does_not_have(tmp_path: Path) -> None:
    async with flow(tmp_path, small, indexed=("fs01",)) as em:
        job = em.job(
            {"vm": "fs01", "paths": ["C:\\Shares\\plan.txt", "C:\\Shares\\gone since.txt", "E:\\"]},
            {"vm": "lx01", "os": "linux", "paths": ["/not/indexed"]},
        )
        shown = await em.run("--json", "plan", job)
        assert shown.code == 0, shown.everything
        told = [one["message"].split(" is not in the index of that point (fs01, ")[0] for one in shown.json["warnings"]]
        assert told == ["C:\\Shares\\gone since.txt", "E:\\"]
        shown = await em.run("plan", job)
        assert "Planned all the same, but look:\n  restore[1].paths: C:\\Shares\\gone since.txt is not in" in shown.out
        assert {one.method for one in em.requests() if one.route.startswith("catalog")} == {"GET"}
        em.assert_untouched()
