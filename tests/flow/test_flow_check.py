"""`orchestrator check`, and the same checks at the beginning of a run."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.simulator import Fault, Status
from tests.support.flow import Done, entry_of, flow, small

pytestmark = pytest.mark.flow

ENTRY = '<EnterpriseManager xmlns="http://www.veeam.com/ent/v1.0"><SupportedVersions>{}</SupportedVersions></EnterpriseManager>'
VERSION = '<SupportedVersion Name="{}"/>'


def grades(done: Done) -> dict[str, set[str]]:
    """The grades of each check."""
    found: dict[str, set[str]] = {}
    for one in done.json["checks"]:
        found.setdefault(one["check"], set()).add(one["grade"])
    return found


def told(done: Done, check: str, grade: str) -> Mapping[str, Any]:
    """The one finding of that check and grade."""
    [found] = [one for one in done.json["checks"] if (one["check"], one["grade"]) == (check, grade)]
    return dict(found)


async def test_a_config_that_is_well_passes_every_check_and_nothing_is_mounted_or_written(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("--json", "check")
        assert done.code == 0, done.everything
        names = ["em-reachable", "em-certificate", "em-version", "em-clock", "em-logon", "em-role"]
        names += ["share", "destination", "free-space", "metadata"]
        assert list(grades(done)) == names
        assert set().union(*grades(done).values()) == {"pass"}
        said = await em.run("check")
        assert said.code == 0
        assert said.out.endswith("10 checks: all is well for a restore\n")
        em.assert_untouched()
        assert not em.state.exists()


async def test_with_a_job_its_machines_and_its_own_destinations_are_checked_too(tmp_path: Path) -> None:
    async with flow(tmp_path, small, algorithm="ReversedIncremental") as em:
        done = await em.run("--json", "check", em.job())
        assert done.code == 0, done.everything
        assert grades(done)["job"] == {"pass"}
        machine = told(done, "machine", "warn")
        assert machine["about"] == ["fs01", "lx01"], "the full one of lx01 lies in the same chain of backup files"
        assert "cannot be mounted while its job runs" in machine["message"]
        assert machine["remedy"]
        em.assert_untouched()


async def test_a_job_that_cannot_be_planned_is_a_failure_with_the_exit_code_of_bad_words(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run(
            "--json", "check", em.job({"vm": "fs99", "paths": ["C:\\"]}, {"vm": "fs01", "paths": ["C:\\"]})
        )
        assert done.code == 2
        assert "fs99" in told(done, "job", "fail")["message"]
        assert grades(done)["destination"] == {"pass"}


async def test_an_enterprise_manager_that_is_not_there_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(enterprise_manager={"url": "https://127.0.0.1:9"})
        done = await em.run("--json", "check")
        assert done.code == 4
        assert grades(done) == {
            "em-reachable": {"fail"}, "share": {"pass"}, "destination": {"pass"}, "free-space": {"pass"},
            "metadata": {"pass"},
        }  # fmt: skip


async def test_a_refused_logon_is_a_failure_of_its_own(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        done = await em.run("--json", "check", env={"EM_PASSWORD": "wrong"})
        assert done.code == 4
        assert grades(done)["em-reachable"] == {"pass"}
        assert "File Restore Operator" in told(done, "em-logon", "fail")["message"]
        assert "em-role" not in grades(done)


async def test_an_account_that_is_offered_no_mount_fails_the_check_and_the_run_before_it_begins(tmp_path: Path) -> None:
    async with flow(tmp_path, small, mounts_offered=False) as em:
        done = await em.run("--json", "check", em.job())
        assert done.code == 4
        assert "File Restore Operator" in told(done, "em-role", "fail")["remedy"]
        ran = await em.run("run", "job.toml")
        assert ran.code == 4
        assert "offers no mount" in ran.err
        em.assert_untouched()


async def test_a_share_that_is_not_there_fails_and_one_of_several_warns(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        [(name, share)] = em.estate.shares.items()
        gone = str(tmp_path / "gone")
        em.configure(backup_servers=[{"name": name, "shares": [gone, str(share)]}])
        done = await em.run("--json", "check")
        assert done.code == 0
        assert gone in told(done, "share", "warn")["message"]
        ran = await em.run("run", em.job())
        assert ran.code == 0, ran.everything
        assert gone in ran.err
        em.configure(backup_servers=[{"name": name, "shares": [gone]}])
        done = await em.run("--json", "check")
        assert done.code == 4
        assert gone in told(done, "share", "fail")["message"]


async def test_a_destination_that_cannot_be_used_fails_with_the_exit_code_of_bad_words(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        (em.target / "fs01").write_text("in the way")
        done = await em.run("--json", "check", em.job())
        assert done.code == 2
        assert told(done, "destination", "fail")["about"] == [str(em.target / "fs01")]
        assert told(done, "destination", "pass")["about"] == [str(em.target / "lx01")]


async def test_a_certificate_that_ends_soon_is_warned_of_and_a_run_says_so_and_goes_on(tmp_path: Path) -> None:
    async with flow(tmp_path, small, certificate_days=12) as em:
        done = await em.run("--json", "check")
        assert done.code == 0
        assert "expires in 1" in told(done, "em-certificate", "warn")["message"]
        em.configure(enterprise_manager={"ca_file": None, "fingerprint_sha256": em.server.fingerprint_sha256})
        pinned = await em.run("--json", "check")
        assert "fingerprint_sha256" in told(pinned, "em-certificate", "warn")["remedy"]
        ran = await em.run("run", em.job())
        assert ran.code == 0
        assert "em-certificate: pinned by its fingerprint, and expires in" in ran.err


async def test_clocks_that_are_apart_and_an_old_version_are_warned_of(tmp_path: Path) -> None:
    ahead = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    body = ENTRY.format(VERSION.format("v1_4") + VERSION.format("v1_5")).encode()
    fault = Fault("entry", action=Status(200, body, {"Date": ahead}))
    async with flow(tmp_path, small, fault) as em:
        done = await em.run("--json", "check")
        assert done.code == 0
        assert "ahead of" in told(done, "em-clock", "warn")["message"]
        assert "v1_5" in told(done, "em-version", "warn")["message"]


async def test_an_entry_document_that_cannot_be_had_holds_no_run_up(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("entry", action=Status(503, b"busy"))) as em:
        ran = await em.run("run", em.job())
        assert ran.code == 0
        assert "em-reachable: " in ran.err


@pytest.mark.skipif(os.name == "nt", reason="the abilities are those of Linux")
async def test_what_a_destination_cannot_hold_is_warned_of_when_a_job_wants_it(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        job = em.job(entry_of(em.machine("fs01")), metadata="full")
        done = await em.run("--json", "check", job)
        assert done.code == 0
        found = told(done, "metadata", "warn")
        assert "security descriptors" in found["message"]
        assert "apply-metadata" in found["remedy"]


async def test_too_little_room_is_warned_of(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        em.configure(limits={"reserve_mib": 1 << 40})
        done = await em.run("--json", "check")
        assert done.code == 0
        assert "reserve" in told(done, "free-space", "warn")["message"]
