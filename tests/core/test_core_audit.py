"""Which events become entries of the audit trail, and what they say."""

import json
from dataclasses import fields
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import events
from orchestrator.core.audit import AUDITED, LIST_LIMIT, TEXT_LIMIT, UNAUDITED, What, audit_entry
from orchestrator.core.entries import Verdict
from orchestrator.core.ledger import Totals
from tests.views.samples import START


def test_for_every_event_it_is_decided_whether_it_is_audited() -> None:
    """Whoever adds an event says here whether an auditor wants to see it."""
    assert set(AUDITED) | UNAUDITED == set(get_args(events.Event))
    assert not set(AUDITED) & UNAUDITED


def test_the_run_of_a_dropped_job_names_the_owner_of_its_file() -> None:
    entry = audit_entry(events.RunStarted(START, "r", "night", 3, owner="alice"))
    assert entry is not None
    assert entry.who == "alice"


def test_every_fact_that_is_audited_is_a_field_of_its_event() -> None:
    for kind, (_, names) in AUDITED.items():
        assert set(names) <= {one.name for one in fields(kind)}, kind


def test_a_machine_that_was_restored_is_named_with_point_destinations_and_totals() -> None:
    totals = Totals(restored=5, skipped=4, refused=3, failed=2, bytes=1)
    event = events.GroupEnded(START, "r", "g1", "fs01", "done", totals, 61.5, "", "uid-1", ("/restore/fs01",))
    entry = audit_entry(event)
    assert entry is not None
    assert (entry.at, entry.what, entry.who) == (START, What.GROUP_ENDED, "")
    assert entry.facts == {
        "run": "r", "group": "g1", "vm": "fs01", "restore_point": "uid-1", "destinations": ["/restore/fs01"],
        "state": "done", "restored": 5, "skipped": 4, "refused": 3, "failed": 2, "bytes": 1, "message": "",
    }  # fmt: skip


def test_a_dropped_job_is_the_will_of_the_owner_of_its_file() -> None:
    taken = audit_entry(events.JobTaken(START, "d1", "night.toml", "night", "ab" * 32, "ann"))
    rejected = audit_entry(events.JobRejected(START, "night.toml", "ab" * 32, "ben", "vm: missing"))
    assert taken is not None
    assert rejected is not None
    assert (taken.who, rejected.who) == ("ann", "ben")
    assert taken.facts == {"drop": "d1", "file": "night.toml", "job": "night", "digest": "ab" * 32}
    assert rejected.facts["message"] == "vm: missing"


def test_what_somebody_did_on_the_status_page_is_their_will() -> None:
    acted = audit_entry(events.OperatorActed(START, "uid 1000", "drain", "r1"))
    assert acted is not None
    assert (acted.what, acted.who, acted.facts) == (What.OPERATOR_ACTED, "uid 1000", {"what": "drain", "run": "r1"})


@pytest.mark.parametrize(
    "event",
    [
        events.Notice(START, "heartbeat failed"),
        events.FileProblem(START, "r", "g", "C:\\a", Verdict.FAILED, "locked", ""),
        events.FilesDone(START, "r", "g", Totals(1), 1),
    ],
)
def test_progress_and_single_files_are_not_audited(event: events.Event) -> None:
    assert audit_entry(event) is None


def test_facts_are_whole_numbers_and_times_in_utc() -> None:
    deleted = audit_entry(events.MountDeleted(START, "r", "g", "fs01", "vbr01", "/m/1", 9.6))
    missed = audit_entry(events.ScheduleMissed(START, "j", START + timedelta(hours=1), "was down"))
    assert deleted is not None
    assert deleted.facts["open_seconds"] == 10
    assert missed is not None
    assert missed.facts["due"] == "2026-11-20T23:00:00.000Z"


def test_long_facts_are_cut_and_say_so() -> None:
    swept = audit_entry(events.SweepEnded(START, tuple(f"/m/{number}" for number in range(LIST_LIMIT + 7)), ()))
    assert swept is not None
    cleared = swept.facts["cleared"]
    assert isinstance(cleared, list)
    assert (len(cleared), cleared[-1]) == (LIST_LIMIT + 1, "and 7 more")
    renewed = audit_entry(events.SessionRenewed(START, 2, "x" * 5000))
    assert renewed is not None
    assert renewed.facts["cause"] == "x" * TEXT_LIMIT + "..."


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=40))
def test_a_name_that_is_no_unicode_becomes_text_that_every_reader_of_json_takes(name: str) -> None:
    entry = audit_entry(events.MountOpened(START, "r", "g", name, "vbr01", "/m/1", 1.0))
    assert entry is not None
    json.dumps(entry.facts, ensure_ascii=False).encode("utf-8")
