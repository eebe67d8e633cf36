"""Restores to the original location: what a job becomes, what is refused, and what is left as a job again."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import JobInvalid
from orchestrator.core.in_place import allowed_guest, standing_of
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job, read_job
from orchestrator.core.originals import GuestAccount, InPlace, Standing
from orchestrator.core.plan import Plan, plan_from_json, plan_to_json
from orchestrator.core.reasons import Reason
from orchestrator.core.residual import residual_job
from orchestrator.core.resolve import plan
from tests.support.flow import toml
from tests.support.ledger_rows import later, make_point


def job(*entries: dict[str, Any], **defaults: Any) -> Job:
    made = [{"vm": "fs01", "paths": ["C:\\a"], "road": "original", **entry} for entry in entries or ({},)]
    table = {"name": "back", "defaults": defaults, "restore": made}
    return read_job(toml({key: value for key, value in table.items() if value}).encode(), "back.toml")


def planned(one: Job, *guests: str) -> Plan:
    return plan(one, Inventory([make_point()]), run="r", allow=["/restore"], now=later(0), guests=guests or ("fs01",))


def test_defaults_for_copies_say_nothing_of_a_guest() -> None:
    [group] = planned(job(to="/restore/{vm}", on_conflict="overwrite", metadata="full")).groups
    assert standing_of(group.selections[0]) is Standing.KEEP
    assert (group.destinations, group.selections[0].guest_credentials) == ((), "")


@pytest.mark.parametrize(
    ("entry", "standing"),
    [
        ({"on_conflict": "overwrite"}, Standing.OVERWRITE),
        ({"on_conflict": "keep"}, Standing.KEEP),
        ({"metadata": "permissions-only"}, Standing.PERMISSIONS_ONLY),
    ],
)
def test_what_failed_is_a_job_again_that_asks_for_the_same(entry: dict[str, Any], standing: Standing) -> None:
    one = planned(job({**entry, "guest_credentials": "fs"}))
    assert plan_from_json(plan_to_json(one)) == one
    failed = Outcome("g0001", "C:\\a", "", Verdict.FAILED, reason=Reason.NOT_PUT_BACK)
    text = residual_job(one, [failed])
    assert text is not None
    again = planned(read_job(text.encode(), "residual.toml"))
    [selection] = again.groups[0].selections
    assert (standing_of(selection), selection.guest_credentials) == (standing, "fs")
    assert residual_job(one, [replace(failed, reason=Reason.END_UNKNOWN)]) is None


@pytest.mark.parametrize("guests", [["db*"], ["fs0"], ["fs01x"]])
def test_a_machine_that_the_config_does_not_name_is_a_problem(guests: list[str]) -> None:
    found = planned(job(), *guests)
    assert found.groups == ()
    assert "restore[1].road: the config lets Enterprise Manager restore into no guest 'fs01'" in str(found.problems[0])


def test_names_and_globs_of_guests_match_in_any_letter_case() -> None:
    assert allowed_guest("FS01", ["fs*"])
    assert allowed_guest("fs01", ["FS01"])
    assert not allowed_guest("fs01", [])


def test_files_that_two_entries_mean_are_asked_for_once_at_most() -> None:
    found = planned(job({"paths": ["C:\\a"]}, {"paths": ["c:\\A\\b"], "on_conflict": "overwrite"}))
    assert [one.entry for one in found.problems] == [2]
    apart = planned(job({"paths": ["C:\\a"]}, {"paths": ["C:\\ab"], "on_conflict": "overwrite"}))
    assert (apart.problems, len(apart.groups)) == ((), 1)


def test_copies_and_a_restore_into_the_guest_take_a_mount_each() -> None:
    both = planned(job({}, {"road": "share", "to": "/restore/x"}))
    assert (both.problems, len(both.groups), both.destinations) == ((), 2, ("/restore/x",))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"drill": True}, "is a drill, which restores to a scratch folder and into no guest"),
        ({"defaults": {"on_conflict": "keep"}}, "keep is what Enterprise Manager does"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(more: dict[str, Any], said: str) -> None:
    table = {"name": "back", "restore": [{"vm": "fs01", "paths": ["C:\\a"], "road": "original"}], **more}
    with pytest.raises(JobInvalid, match=said):
        read_job(toml(table).encode(), "back.toml")


def test_permissions_alone_are_for_windows() -> None:
    found = planned(job({"paths": ["/srv"], "os": "linux", "metadata": "permissions-only"}))
    assert "only in Windows guests" in str(found.problems[0])


def test_a_password_is_in_no_representation() -> None:
    assert "geheim" not in repr(GuestAccount("fs01\\restore", "geheim"))
    assert "geheim" not in repr(InPlace(Standing.KEEP, "fs01\\restore", "geheim"))
