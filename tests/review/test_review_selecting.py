"""What is asked for is what is taken: restore points by their times, as an operator types them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from orchestrator import freezing
from orchestrator.config import Config
from orchestrator.core.catalog import PointKind
from orchestrator.core.errors import JobInvalid, PlanUnusable
from orchestrator.core.job import read_job
from orchestrator.core.preflight import Grade, unreachable_fall_backs
from orchestrator.files import LocalSource
from orchestrator.listing import NamedJob
from orchestrator.simulator import Estate
from tests.core.values import AT, job, planned, point
from tests.support.flow import flow

FRACTION = AT.replace(microsecond=553_000)


def test_the_time_that_is_shown_of_a_restore_point_finds_it_whatever_its_fraction_of_a_second() -> None:
    points = [point("fs01", "elder", AT - timedelta(days=1)), point("fs01", "shown", FRACTION)]
    assert [one.point.uid for one in planned(job({"vm": "fs01", "as_of": AT}), points).groups] == ["shown"]
    exact = planned(job({"vm": "fs01", "as_of": FRACTION - timedelta(microseconds=1)}), points)
    assert [one.point.uid for one in exact.groups] == ["elder"]
    before = planned(job({"vm": "fs01", "as_of": AT - timedelta(seconds=1)}), points)
    assert [one.point.uid for one in before.groups] == ["elder"]


@pytest.mark.flow
async def test_a_time_copied_from_the_list_of_points_restores_that_point(tmp_path: Path) -> None:
    def estate(folder: Path) -> Estate:
        made = Estate.empty(folder)
        contents = [{"C:": {"a.txt": text}} for text in (b"elder", b"newest")]
        made.add_machine("fs01", points=contents, created=[FRACTION - timedelta(days=1), FRACTION])
        return made

    async with flow(tmp_path, estate) as em:
        listed = await em.run("--json", "points", "--vm", "fs01", "--point", "latest")
        shown = datetime.fromisoformat(listed.json["points"][0]["created"])
        done = await em.run("run", em.job({"vm": "fs01", "paths": ["C:\\"], "as_of": shown}))
        assert done.code == 0, done.everything
        assert (em.target / "fs01/C/a.txt").read_bytes() == b"newest"


def instants(**keys: Any) -> str:
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return f'name = "j"\n[[restore]]\nvm = "fs01"\nto = "/restore"\npaths = ["/"]\n{lines}\n'


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("20261120", "'20261120' is"),
        ('"1700000000"', "is no date and time; write it as 2026-11-20T18:00:00Z"),
        ("true", "is no date and time"),
        ("06:00:00", "is no date and time"),
        ("2026-11-20", "2026-11-20 is a day without a time; add one, such as 2026-11-20T18:00:00Z"),
        ('"2026-11-20"', "is a day without a time"),
        ('"20261120"', "20261120 is a day without a time; add one, such as 2026-11-20T18:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "lies outside the years 1970 to 9998"),
        ("9999-12-31T23:59:59Z", "lies outside the years 1970 to 9998"),
    ],
)
@pytest.mark.parametrize("key", ["as_of", "not_before"])
def test_what_is_no_instant_is_refused_and_never_taken_for_seconds_since_1970(key: str, value: str, said: str) -> None:
    with pytest.raises(JobInvalid) as refused:
        read_job(instants(**{key: value}).encode(), "j.toml")
    assert f"restore[1].{key}" in str(refused.value)
    assert said.removeprefix("'20261120' is") in str(refused.value)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_a_wall_clock_at_the_end_of_the_calendar_is_refused_in_plain_words(value: str) -> None:
    text = 'time_zone = "America/New_York"\n' + instants(as_of=value)
    with pytest.raises(JobInvalid, match="lies outside the years"):
        read_job(text.encode(), "j.toml")


def test_text_is_an_instant_too() -> None:
    read = read_job(instants(as_of='"2026-11-20T18:00:00+01:00"').encode(), "j.toml")
    assert read.restore[0].as_of == datetime(2026, 11, 20, 17, tzinfo=UTC)


def test_a_plan_that_is_larger_than_a_run_reads_is_not_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezing, "SIZE_LIMIT", 1000)
    config = Config.model_validate(
        {
            "enterprise_manager": {"url": "https://em:9398", "username": "x", "password_env": "PASSWORD"},
            "backup_servers": [{"name": "*", "shares": [str(tmp_path)]}],
            "targets": {"allow": [str(tmp_path)]},
            "state": {"folder": tmp_path / "state"},
        }
    )
    restore = job({"vm": "fs01"}, to=str(tmp_path / "{vm}"))
    one = planned(restore, [point("fs01")], allow=str(tmp_path))
    named, out = NamedJob(restore, "job.toml", b""), tmp_path / "plan.json"
    with pytest.raises(PlanUnusable, match="name folders, not files"):
        anyio.run(freezing.write_document, config, named, one, AT, LocalSource(), out)
    assert not out.exists()


def test_a_fall_back_on_a_backup_server_that_the_config_does_not_know_is_told_before_the_night() -> None:
    replica = replace(point("fs01", "r", server="vbr09"), kind=PointKind.REPLICA)
    plan = planned(job({"vm": "fs01", "fall_back": ["replica"]}), [point("fs01"), replica])
    [found] = unreachable_fall_backs([plan], lambda server: server == "vbr01")
    assert found.grade is Grade.WARN
    assert "fall-back restore points of fs01 are on vbr09" in found.message
    assert unreachable_fall_backs([plan], lambda server: True) == []
