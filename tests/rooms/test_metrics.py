"""Metrics folded from events: what is counted, what is not counted twice, and what is remembered."""

import os
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.drops import DrillRow, DropRow, DropState
from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    BytesCopied,
    DeadlineInDanger,
    DrillEnded,
    Event,
    FileProblem,
    FilesDone,
    GroupEnded,
    GroupsStuck,
    GroupStarted,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    LimitChanged,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    QueuePaused,
    RequestAnswered,
    RunEnded,
    RunPaused,
    RunReported,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
    SweepEnded,
)
from orchestrator.core.ledger import LeaseRow, RunRow, RunState, Totals
from orchestrator.core.lifecycle import LeaseState
from orchestrator.metrics import Metrics
from orchestrator.metrics.last_runs import JOBS_KEPT
from tests.support.exposed import Exposed, exposed

AT = datetime(2026, 11, 20, 6, tzinfo=UTC)
MIB = 1 << 20


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def started(run: str = "r", job: str = "nightly", seconds: float = 0) -> RunStarted:
    return RunStarted(at(seconds), run, job, 1)


def group(name: str = "g", run: str = "r", server: str = "vbr01") -> GroupStarted:
    return GroupStarted(AT, run, name, "fs01", server, "uid", AT)


def opened(href: str = "/m/1", run: str = "r", seconds: float = 4.0) -> MountOpened:
    return MountOpened(AT, run, "g", "fs01", "vbr01", href, seconds)


def deleted(href: str = "/m/1", run: str = "r", seconds: float = 90.0) -> MountDeleted:
    return MountDeleted(AT, run, "g", "fs01", "vbr01", href, seconds)


def left(href: str = "/m/1", run: str = "r") -> MountLeft:
    return MountLeft(AT, run, "g", "fs01", "vbr01", href, "no answer")


def done(totals: Totals, passed: int = 0, seconds: float = 0.0, name: str = "g", run: str = "r") -> FilesDone:
    return FilesDone(AT, run, name, totals, max(passed, totals.bytes), seconds)


def ended(run: str = "r", code: int = 0, seconds: float = 60, totals: Totals = Totals()) -> RunEnded:  # noqa: B008
    return RunEnded(at(seconds), run, code, totals, 0, 0, 0)


def problem(path: str = "C:\\a") -> FileProblem:
    return FileProblem(AT, "r", "g", path, Verdict.FAILED, "locked", "sharing violation")


def through(state: str = "done") -> GroupEnded:
    return GroupEnded(AT, "r", "g", "fs01", state, Totals(), 45.0)


def reported(run: str = "r", job: str = "nightly", **more: Any) -> RunReported:
    usual: dict[str, Any] = {
        "groups": (("done", 2), ("failed", 1)), "problems": (("locked", 3), ("mount-failed", 1)),
        "mounts_opened": 4, "mounts_deleted": 3, "mounts_left": 1, "sessions": 2, "remounts": 1,
    }  # fmt: skip
    return RunReported(AT, run, job, **{**usual, **more})


def measured(*events: Event) -> Metrics:
    metrics = Metrics("1.2.3", AT)
    for event in events:
        metrics.add(event)
    return metrics


def seen(*events: Event) -> Exposed:
    return exposed(measured(*events))


@dataclass
class Remembered:
    """What a journal remembers."""

    run_rows: Sequence[RunRow] = ()
    drill_rows: Sequence[DrillRow] = ()
    lease_rows: Sequence[LeaseRow] = ()
    drop_rows: Sequence[DropRow] = field(default_factory=list)
    is_paused: bool = False

    def heads(self) -> list[RunRow]:
        return list(self.run_rows)

    def drills(self) -> list[DrillRow]:
        return list(self.drill_rows)

    def open_leases(self) -> list[LeaseRow]:
        return list(self.lease_rows)

    def unfinished_drops(self) -> list[DropRow]:
        return list(self.drop_rows)

    def paused(self) -> bool:
        return self.is_paused


def test_the_process_tells_its_version_and_when_it_began() -> None:
    nothing = seen()
    assert nothing.sum("build_info", version="1.2.3") == 1
    assert nothing.sum("start_time_seconds") == AT.timestamp()


def test_a_mount_is_open_from_its_making_until_it_is_deleted_lost_or_left() -> None:
    assert seen(opened(), opened("/m/2")).sum("mounts_open", backup_server="vbr01") == 2
    gone = MountGone(AT, "r", "g", "fs01", "/m/1", "401")
    for event, total in ((deleted(), "mounts_deleted"), (gone, "mounts_lost"), (left(), "mounts_left_behind")):
        after = seen(opened(), event)
        assert after.sum("mounts_open") == 0
        assert after.sum("mounts_opened_total", backup_server="vbr01") == 1
        assert after.sum(f"{total}_total", backup_server="vbr01") == 1


def test_the_counters_of_a_backup_server_are_there_before_they_count() -> None:
    begun = seen(group(server="vbr07"))
    for name in ("mounts_opened_total", "mounts_lost_total", "mounts_left_behind_total"):
        assert begun.has(name, backup_server="vbr07")


def test_the_times_of_mounts_go_into_histograms_but_not_those_that_nobody_measured() -> None:
    after = seen(opened(seconds=4.0), opened("/m/2", seconds=0.0), deleted(seconds=90.0))
    assert after.sum("mount_duration_seconds_count") == 1
    assert after.sum("mount_duration_seconds_bucket", le="5.0") == 1
    assert after.sum("mount_duration_seconds_bucket", le="2.0") == 0
    assert after.sum("mount_open_duration_seconds_sum") == 90.0


def test_nothing_is_open_after_the_run_that_opened_it() -> None:
    after = seen(started(), opened(), started("other"), opened(run="other"), ended())
    assert after.sum("mounts_open") == 1


def test_a_mount_that_a_sweep_deletes_was_not_open_here_and_is_no_longer_left() -> None:
    metrics = measured()
    metrics.recall(Remembered(lease_rows=[lease("dead", "/m/1"), lease("dead", "/m/2")]))
    assert exposed(metrics).sum("mounts_left") == 2
    metrics.add(deleted("/m/1", "dead"))
    after = exposed(metrics)
    assert (after.sum("mounts_left"), after.sum("mounts_open"), after.sum("mounts_deleted_total")) == (1, 0, 1)


def test_a_mount_that_still_cannot_be_deleted_is_left_once() -> None:
    metrics = measured()
    metrics.recall(Remembered(lease_rows=[lease("dead", "/m/1")]))
    metrics.add(left("/m/1", "dead"))
    assert exposed(metrics).sum("mounts_left") == 1


def test_deleting_a_mount_does_not_clear_an_earlier_one_that_had_its_path() -> None:
    metrics = measured()
    metrics.recall(Remembered(lease_rows=[lease("r", "/m/1")]))
    for event in (opened("/m/1"), deleted("/m/1")):
        metrics.add(event)
    assert exposed(metrics).sum("mounts_left") == 1


def test_what_a_sweep_found_counts_and_what_it_cleared_is_left_no_longer() -> None:
    metrics = measured()
    metrics.recall(Remembered(lease_rows=[lease("dead", "/m/1"), lease("dead", "/m/2"), lease("old", "/m/3")]))
    metrics.add(SweepEnded(AT, ("/m/1",), ("/m/2", "/m/3")))
    assert exposed(metrics).sum("mounts_left") == 2
    for event in (left("/m/2", "dead"), SweepEnded(AT, (), ("/m/2", "/m/3"))):  # the next sweep fails too
        metrics.add(event)
        assert exposed(metrics).sum("mounts_left") == 2
    metrics.add(SweepEnded(AT, ("/m/2", "/m/3"), ()))
    assert exposed(metrics).sum("mounts_left") == 0
    assert exposed(metrics).sum("mounts_swept_total") == 3
    assert seen(SweepEnded(AT, (), ("/m/9",))).sum("mounts_left") == 1


def lease(run: str, href: str) -> LeaseRow:
    point = RestorePoint("uid", "fs01", AT, "vbr01", "/p/mounts", "/p/mounts")
    return LeaseRow(f"lease of {href}", run, "g", "s", point, LeaseState.LEFT, AT, mount_href=href)


def test_files_and_bytes_are_counted_by_what_became_of_them_problems_when_their_group_is_through() -> None:
    events = (
        started(), group(),
        done(Totals(5, 2, 1, 1, 10 * MIB), 16 * MIB, 0.5), done(Totals(1, 0, 0, 0, MIB), 0, 0.25),
    )  # fmt: skip
    assert seen(*events).by("files_total", "verdict") == {"restored": 6, "skipped": 2}
    after = seen(*events, through())
    assert after.by("files_total", "verdict") == {"restored": 6, "skipped": 2, "refused": 1, "failed": 1}
    assert after.sum("restored_bytes_total") == 11 * MIB
    assert after.sum("not_restored_bytes_total") == 6 * MIB
    assert after.sum("copy_seconds_total") == 0.75


def test_a_file_that_failed_and_is_restored_in_the_same_run_counts_as_restored_alone() -> None:
    again = replace(done(Totals(restored=1, failed=-1, bytes=10)), solved=(("failed", "locked", 1),), passed=0)
    after = seen(started(), group(), done(Totals(failed=2), 30), problem(), problem("C:\\b"), again, through(), ended())
    assert after.by("files_total", "verdict") == {"failed": 1, "restored": 1}
    assert after.by("file_problems_total", "reason") == {"locked": 1}
    assert after.sum("restored_bytes_total") == 10
    assert after.sum("not_restored_bytes_total") == 20
    assert after.sum("files_taken_back_total") == 0


def test_what_failed_of_a_run_that_goes_on_in_the_same_process_is_taken_back_where_it_stands_no_more() -> None:
    first = (started(), group(), done(Totals(3, failed=2, bytes=9)), through(state="stopped"), ended(code=6))
    earlier = done(Totals(3, bytes=9))  # what failed is tried again, and not told of
    metrics = measured(*first, started(), earlier, group(), done(Totals(1, failed=1)), through())
    assert exposed(metrics).by("files_total", "verdict") == {"restored": 4, "failed": 2}
    metrics.add(ended())
    after = exposed(metrics)
    assert after.by("files_total", "verdict") == {"restored": 4, "failed": 2}
    assert after.by("files_taken_back_total", "verdict") == {"failed": 1}


def test_what_is_skipped_at_first_and_restored_by_the_next_entry_is_taken_back() -> None:
    after = seen(started(), group(), done(Totals(skipped=3)), done(Totals(1, skipped=-1)), through(), ended())
    assert after.by("files_total", "verdict") == {"skipped": 3, "restored": 1}
    assert after.by("files_taken_back_total", "verdict") == {"skipped": 1}


def test_a_group_that_was_cut_short_is_settled_when_its_run_ends() -> None:
    events = (started(), group(), through(state="stopped"), done(Totals(failed=1)), problem())
    assert seen(*events).sum("files_total") == 0
    after = seen(*events, ended())
    assert after.by("files_total", "verdict") == {"failed": 1}
    assert after.by("file_problems_total", "reason") == {"locked": 1}


def test_what_an_earlier_process_of_the_run_had_settled_is_not_counted_again() -> None:
    earlier = done(Totals(100, 0, 0, 0, MIB))
    after = seen(started(), earlier, group(), done(Totals(3)))
    assert after.sum("files_total") == 3
    same_process = seen(started(), group(), done(Totals(100)), ended(), started(), earlier, group(), done(Totals(3)))
    assert same_process.sum("files_total") == 103
    cut_short = seen(started(), group(), done(Totals(100)), started(), earlier, group(), done(Totals(3)))
    assert cut_short.sum("files_total") == 103


def test_bytes_of_a_large_file_are_told_while_it_is_copied_and_not_once_more_at_its_end() -> None:
    progress = [BytesCopied(AT, "r", "g", 8 * MIB)] * 2
    metrics = measured(started(), group(), *progress)
    assert exposed(metrics).sum("copied_bytes_total") == 16 * MIB
    assert exposed(metrics).sum("restored_bytes_total") == 0
    metrics.add(done(Totals(1, 0, 0, 0, 20 * MIB)))
    assert exposed(metrics).sum("copied_bytes_total") == 20 * MIB
    metrics.add(done(Totals(1, 0, 0, 0, MIB)))
    assert exposed(metrics).sum("copied_bytes_total") == 21 * MIB


def test_problems_are_counted_by_verdict_and_reason() -> None:
    link = replace(problem(), verdict=Verdict.REFUSED, reason="link")
    after = seen(started(), group(), problem(), problem("C:\\b"), link, through())
    assert after.sum("file_problems_total", verdict="failed", reason="locked") == 2
    assert after.sum("file_problems_total", verdict="refused", reason="link") == 1


def test_a_mount_group_goes_into_the_histogram_of_how_it_ended() -> None:
    after = seen(GroupEnded(AT, "r", "g", "fs01", "failed", Totals(), 45.0))
    assert after.sum("group_duration_seconds_bucket", state="failed", le="60.0") == 1
    assert after.sum("group_duration_seconds_bucket", state="failed", le="30.0") == 0


def test_requests_are_counted_by_method_route_and_status_and_timed_by_method_and_route() -> None:
    after = seen(
        RequestAnswered(AT, "GET", "/tasks/{id}", 200, 0.02),
        RequestAnswered(AT, "GET", "/tasks/{id}", 0, 61.0),
        RequestAnswered(AT, "POST", "/vmRestorePoints/{id}/mounts", 503, 0.2),
        SessionRenewed(AT, 2, "401"),
    )
    assert after.by("em_requests_total", "status") == {"200": 1, "0": 1, "503": 1}
    assert after.sum("em_request_duration_seconds_count", method="GET", route="/tasks/{id}") == 2
    assert after.sum("em_request_duration_seconds_bucket", method="GET", le="60.0") == 1
    assert after.sum("session_renewals_total") == 1


def taken(drop: str = "d1", job: str = "nightly") -> JobTaken:
    return JobTaken(AT, drop, f"{job}.toml", job, "digest", "me")


def queue(*events: Event) -> dict[str, float]:
    return seen(*events).by("queue_jobs", "state")


def test_a_dropped_job_waits_is_held_runs_and_leaves_the_queue() -> None:
    held = JobHeld(AT, "d1", "nightly", None, "its windows are closed")
    over = JobEnded(AT, "d1", "nightly", "r", 3, "failed", "exit 3")
    assert queue(taken()) == {"waiting": 1}
    assert queue(taken(), held) == {"held": 1}
    assert queue(taken(), started()) == {"running": 1}
    assert queue(taken(), held, started()) == {"running": 1}
    assert queue(taken(), started(), ended(), held) == {"held": 1}
    assert queue(taken(), started(), ended(), over) == {}
    assert queue(taken(), taken("d2", "other"), started()) == {"waiting": 1, "running": 1}


def test_a_job_of_which_no_run_came_leaves_the_queue_unless_it_is_tried_again() -> None:
    failed = JobNotStarted(AT, "d1", "nightly", 4, "EM is away")
    assert queue(taken(), failed) == {}
    assert queue(taken(), failed, JobHeld(AT, "d1", "nightly", at(60), "tried again")) == {"held": 1}
    after = seen(taken(), failed)
    assert after.sum("jobs_not_started_total", exit_code="4") == 1
    assert after.sum("last_run_exit_code", job_name="nightly") == 4


def test_jobs_and_runs_are_counted_by_exit_code_from_zero_on() -> None:
    assert seen().has("runs_ended_total", exit_code="7")
    after = seen(
        taken(), started(), ended(code=3), JobEnded(AT, "d1", "nightly", "r", 3, "failed", ""),
        JobRejected(AT, "x.toml", "digest", "me", "no job"),
    )  # fmt: skip
    assert after.by("runs_ended_total", "exit_code") == {"3": 1}
    assert after.by("jobs_ended_total", "exit_code") == {"3": 1}
    assert (after.sum("jobs_taken_total"), after.sum("jobs_rejected_total")) == (1, 1)


def test_limits_of_the_bandwidth_and_paused_runs_are_told_while_they_last() -> None:
    def limit(value: str, server: str = "") -> LimitChanged:
        return LimitChanged(AT, "bandwidth", value, "", "by hand", "", server)

    events = [started(), limit("20 MB/s"), limit("5 MB/s", "vbr01"), limit("none", "vbr02"), RunPaused(AT, "r", True)]
    during = seen(*events)
    assert during.sum("bandwidth_limit_bytes_per_second", backup_server="") == 20_000_000
    assert during.sum("bandwidth_limit_bytes_per_second", backup_server="vbr01") == 5_000_000
    assert during.sum("runs_paused") == 1
    after = seen(*events, limit("none"), limit("none", "vbr01"), RunPaused(AT, "r", False))
    assert not after.has("bandwidth_limit_bytes_per_second")
    assert after.sum("runs_paused") == 0
    assert seen(*events, ended()).sum("runs_paused") == 0


def test_sites_of_a_fleet_and_what_it_cannot_take_are_told_while_a_run_goes_on() -> None:
    events = [
        started(), SitePace(AT, "berlin", 3, 8, 340.0, 120e6), SitePace(AT, "munich", 1, 2, 0.5, 3e6),
        SitePace(AT, "munich", 0, 0, 0.0, 0.0), GroupsStuck(AT, "r", 2, ("no worker of munich is serving",)),
    ]  # fmt: skip
    during = seen(*events)
    assert during.by("fleet_workers", "site") == {"berlin": 3}
    assert during.has("fleet_workers", site="munich"), "nobody is left there, and an alert may say so"
    assert during.by("fleet_groups", "site") == {"berlin": 8}
    assert during.by("fleet_files_per_second", "site") == {"berlin": 340}
    assert during.by("fleet_copied_bytes_per_second", "site") == {"berlin": 120e6}
    assert during.sum("groups_stuck") == 2
    assert seen(*events, GroupsStuck(AT, "r", 0)).sum("groups_stuck") == 0
    after = seen(*events, ended())
    assert after.sum("groups_stuck") == 0
    assert not after.has("fleet_workers")
    assert not after.has("fleet_copied_bytes_per_second")


def test_the_pause_missed_schedules_and_dangers_are_told() -> None:
    danger = DeadlineInDanger(AT, "r", "nightly", at(100), at(200))
    during = seen(
        started(), QueuePaused(AT, True), ScheduleMissed(AT, "nightly", AT, "EM was away"), danger, danger,
    )  # fmt: skip
    assert during.sum("queue_paused") == 1
    assert during.sum("schedule_missed_total", job_name="nightly") == 1
    assert during.sum("deadline_in_danger", job_name="nightly") == 1
    after = seen(started(), danger, ended(), QueuePaused(AT, True), QueuePaused(AT, False))
    assert not after.has("deadline_in_danger")
    assert after.sum("queue_paused") == 0


def test_the_last_run_of_each_job_is_told_and_its_last_success_stays() -> None:
    good, bad = Totals(10, 1, 0, 0, 1000), Totals(4, 0, 0, 2, 400)
    after = seen(
        started("r1"), ended("r1", 0, 60, good), started("r2", seconds=100), ended("r2", 3, 130, bad),
        started("r3", "weekly"), ended("r3", 0, 20),
    )  # fmt: skip
    nightly = {"job_name": "nightly"}
    assert after.sum("last_success_timestamp_seconds", **nightly) == at(60).timestamp()
    assert after.sum("last_run_timestamp_seconds", **nightly) == at(130).timestamp()
    assert after.sum("last_run_exit_code", **nightly) == 3
    assert after.sum("last_run_duration_seconds", **nightly) == 30
    assert after.by("last_run_files", "verdict", **nightly) == {"restored": 4, "failed": 2}
    assert after.sum("last_run_restored_bytes", **nightly) == 400
    assert after.sum("last_run_exit_code", job_name="weekly") == 0


def test_every_total_of_the_last_report_of_a_job_is_told_and_replaced_by_the_next() -> None:
    events = (started(), ended(totals=Totals(7, 1, 0, 3, 70)), reported())
    after = seen(*events)
    assert after.by("last_run_problems", "reason") == {"locked": 3, "mount-failed": 1}
    assert after.by("last_run_groups", "state") == {"done": 2, "failed": 1}
    assert after.by("last_run_mounts", "state") == {"opened": 4, "deleted": 3, "left": 1}
    assert (after.sum("last_run_sessions"), after.sum("last_run_remounts")) == (2, 1)
    clean = reported(groups=(("done", 3),), problems=(), mounts_left=0, mounts_deleted=4)
    after = seen(*events, started(), ended(), clean)
    assert not after.has("last_run_problems")
    assert after.by("last_run_groups", "state") == {"done": 3}
    assert after.sum("last_run_mounts", state="left") == 0


def test_a_mount_under_the_path_of_one_that_was_lost_is_another_mount() -> None:
    """Enterprise Manager counts the mounts of a restore point anew in each session; what is told of the lost one may
    come while the other is held."""
    lost = MountGone(AT, "r", "g", "fs01", "/m/1", "401")
    for end, behind, gone in (([left()], 1, 0), ([left(), deleted()], 0, 1), ([deleted(), left()], 0, 1)):
        after = seen(opened(), lost, opened(), *end, ended())
        assert (after.sum("mounts_opened_total"), after.sum("mounts_lost_total")) == (2, 1)
        assert (after.sum("mounts_left_behind_total"), after.sum("mounts_deleted_total")) == (behind, gone)
        assert after.sum("mounts_open") == 0


def test_a_mount_that_is_lost_and_then_left_is_lost_once_and_may_still_be_there() -> None:
    gone = MountGone(AT, "r", "g", "fs01", "/m/1", "401")
    after = seen(started(), group(), opened(), gone, left(), ended())
    assert after.sum("mounts_opened_total") == 1
    assert after.sum("mounts_lost_total") == 1
    assert after.sum("mounts_left_behind_total") == 0
    assert (after.sum("mounts_open"), after.sum("mounts_left")) == (0, 1)


def test_a_run_that_broke_off_with_its_command_is_no_dropped_job_and_is_not_going_on_any_more() -> None:
    broken = JobEnded(at(5), "", "nightly", "r", 5, "", "the journal does not answer")
    good = (started("r0"), ended("r0"))
    after = seen(*good, started(seconds=3), group(), broken)
    assert after.sum("last_run_exit_code", job_name="nightly") == 5
    assert after.sum("queue_jobs", state="running") == 0
    assert after.sum("jobs_ended_total") == 0


def test_a_drill_tells_how_long_restoring_took() -> None:
    after = seen(DrillEnded(at(500), "r", "drill", 3, 100, 5000, 421.5, 2, 3))
    drill = {"job_name": "drill"}
    assert after.sum("last_drill_duration_seconds", **drill) == 421.5
    assert after.sum("last_drill_timestamp_seconds", **drill) == at(500).timestamp()
    assert after.sum("last_drill_exit_code", **drill) == 3
    assert after.sum("last_drill_differing_files", **drill) == 2


def row(run: str, job: str, code: int | None, begun: float, lasted: float = 10) -> RunRow:
    state = RunState.STOPPED if code in (None, 6) else RunState.FINISHED
    return RunRow(run, job, state, at(begun), "{}", None if code is None else at(begun + lasted), code)


def test_a_process_begins_with_what_the_journal_remembers() -> None:
    metrics = measured()
    drill = DrillRow("r9", "drill", at(50), 1, 10, 100, 33.0, 30.0, "fs01", 1.0, 0, 10, 0)
    metrics.recall(
        Remembered(
            run_rows=[
                row("r4", "nightly", None, 400),
                row("r3", "nightly", 3, 300),
                row("r2", "nightly", 0, 200),
                row("r9", "drill", 0, 40),
                row("r1", "nightly", 0, 100),
            ],
            drill_rows=[drill, replace(drill, run="r8", seconds=44.0, ended=at(1))],
            drop_rows=[DropRow("d1", "x.toml", AT, DropState.WAITING, job="nightly")],
            is_paused=True,
        )
    )
    after = exposed(metrics)
    nightly = {"job_name": "nightly"}
    assert after.sum("last_success_timestamp_seconds", **nightly) == at(210).timestamp()
    assert after.sum("last_run_timestamp_seconds", **nightly) == at(310).timestamp()
    assert after.sum("last_run_exit_code", **nightly) == 3
    assert after.sum("last_drill_duration_seconds", job_name="drill") == 33.0
    assert after.by("queue_jobs", "state") == {"waiting": 1}
    assert after.sum("queue_paused") == 1
    assert after.sum("runs_ended_total") == 0


def test_a_run_that_goes_on_lasts_from_its_first_beginning() -> None:
    metrics = measured()
    metrics.recall(Remembered(run_rows=[row("r1", "nightly", 6, 0)]))
    for event in (RunStarted(at(1000), "r1", "nightly", 1, resumed=True), ended("r1", 0, 1030)):
        metrics.add(event)
    assert exposed(metrics).sum("last_run_duration_seconds") == 1030


def test_only_the_jobs_that_ended_last_have_series_of_their_own() -> None:
    events: list[Event] = []
    for number in range(JOBS_KEPT + 2):
        events += [started(f"r{number}", f"job{number}"), ended(f"r{number}", 0, 60, Totals(1))]
    events += [started("again", "job1"), ended("again"), started("new", "one more"), ended("new")]
    after = seen(*events)
    for name in ("last_run_exit_code", "last_success_timestamp_seconds", "last_run_restored_bytes"):
        assert after.has(name, job_name="one more")
        assert after.has(name, job_name=f"job{JOBS_KEPT + 1}")
        assert not after.has(name, job_name="job0")
    kept = {sample.labels["job_name"] for sample in after.samples if sample.name == "orchestrator_last_run_files"}
    assert len(kept) == JOBS_KEPT
    metrics = measured()
    rows = [row(f"r{number}", f"job{number}", 0, 10_000 - number) for number in range(JOBS_KEPT + 5)]
    metrics.recall(Remembered(run_rows=rows))
    assert not exposed(metrics).has("last_run_exit_code", job_name=f"job{JOBS_KEPT}")
    assert exposed(metrics).has("last_run_exit_code", job_name=f"job{JOBS_KEPT - 1}")


def test_no_label_holds_a_machine_a_run_a_path_or_a_message() -> None:
    names = {label for series in measured().series for label in series.labels}
    assert names == {
        "backup_server", "exit_code", "job_name", "method", "python_version", "reason", "result", "route", "site",
        "state", "status", "verdict", "version",
    }  # fmt: skip


def test_the_text_format_is_the_default_and_openmetrics_is_for_who_asks_for_it() -> None:
    metrics = measured(RequestAnswered(AT, "GET", "/tasks/{id}", 200, 0.02))
    body, kind = metrics.exposition()
    assert kind.startswith("text/plain; version=0.0.4")
    assert b"# TYPE orchestrator_em_requests_total counter" in body
    body, kind = metrics.exposition("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert b"# TYPE orchestrator_em_requests counter" in body
    assert b"# UNIT orchestrator_em_request_duration_seconds seconds" in body
    assert body.endswith(b"# EOF\n")


def test_a_text_file_holds_what_stays_true_and_a_whole_one_everything(tmp_path: Path) -> None:
    metrics = measured(started(), group(), opened(), deleted(), ended(totals=Totals(3)))
    metrics.write_textfile(tmp_path / "a.prom")
    lasting = exposed(tmp_path / "a.prom")
    assert lasting.sum("last_run_files", verdict="restored") == 3
    assert lasting.has("mounts_left")
    assert not lasting.has("mounts_opened_total")
    assert not lasting.has("start_time_seconds")
    metrics.write_textfile(tmp_path / "a.prom", whole=True)
    assert exposed(tmp_path / "a.prom") == exposed(metrics)


def test_a_text_file_can_be_read_by_another_user_and_is_never_seen_half_written(tmp_path: Path) -> None:
    metrics = measured(started(), ended())
    file = tmp_path / "orchestrator.prom"
    os.umask(before := os.umask(0o077))
    try:
        os.umask(0o077)
        metrics.write_textfile(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    whole, halves, over = file.read_bytes(), 0, threading.Event()

    def write() -> None:
        for _ in range(200):
            metrics.write_textfile(file)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not over.is_set():
        halves += file.read_bytes() != whole
    writer.join()
    assert halves == 0
    assert os.listdir(tmp_path) == [file.name]


def test_a_text_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.prom").mkdir()
    with pytest.raises(OSError, match="directory"):
        measured().write_textfile(tmp_path / "orchestrator.prom")
    assert os.listdir(tmp_path) == ["orchestrator.prom"]
    with pytest.raises(FileNotFoundError):
        measured().write_textfile(tmp_path / "nowhere" / "orchestrator.prom")


def test_the_files_of_other_jobs_are_carried_over_from_the_last_text_file(tmp_path: Path) -> None:
    file = tmp_path / "orchestrator.prom"
    first = measured(started("r1", "a"), ended("r1", 0, 60, Totals(7, 0, 0, 0, 70)), reported("r1", "a"))
    first.write_textfile(file)
    second = measured()
    second.recall(Remembered(run_rows=[row("r1", "a", 0, 0)]), file)
    for event in (started("r2", "b"), ended("r2", 0, 60, Totals(1, 0, 0, 0, 5))):
        second.add(event)
    second.write_textfile(file)
    assert exposed(file).sum("last_run_files", job_name="a", verdict="restored") == 7
    assert exposed(file).sum("last_run_restored_bytes", job_name="a") == 70
    assert exposed(file).by("last_run_problems", "reason", job_name="a") == {"locked": 3, "mount-failed": 1}
    assert exposed(file).by("last_run_mounts", "state", job_name="a") == {"opened": 4, "deleted": 3, "left": 1}
    assert exposed(file).sum("last_run_sessions", job_name="a") == 2
    assert exposed(file).sum("last_run_files", job_name="b", verdict="restored") == 1
    third = measured()
    third.recall(Remembered(run_rows=[row("r2", "b", 0, 0)]), file)
    assert not exposed(third).has("last_run_files", job_name="a")
    assert not exposed(third).has("last_run_problems", job_name="a")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"no metrics at all {",
        b"orchestrator_last_run_files 1\n",
        b'orchestrator_last_run_files{job_name="a",verdict="odd"} 1\n',
        b'orchestrator_last_run_problems{job_name="a",reason="odd"} 1\n',
        b'orchestrator_last_run_problems{job_name="a"} 1\n',
    ],
)
def test_a_text_file_that_is_none_is_no_reason_to_fail(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "orchestrator.prom"
    file.write_bytes(content)
    metrics = measured()
    metrics.recall(Remembered(run_rows=[row("r1", "a", 0, 0)]), file)
    assert not exposed(metrics).has("last_run_files")
    assert not exposed(metrics).has("last_run_problems")


NAMES = st.sampled_from(["", "a", "b", 'Ünï\n"\\', "x" * 300])
VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: NAMES,
    int: st.integers(-5, 2**40),
    float: st.floats(-1e3, 1e9),
    bool: st.booleans(),
    datetime: st.sampled_from([AT, at(1), at(1e6)]),
    Totals: st.builds(Totals, *[st.integers(-5, 1000)] * 5),
    Verdict: st.sampled_from(Verdict),
}


def any_event(kind: Any) -> st.SearchStrategy[Event]:
    made = {one.name: VALUES.get(one.type, st.just(())) for one in fields(kind)}
    return st.builds(kind, **made)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(get_args(Event)).flatmap(any_event), max_size=30))
def test_whatever_events_come_in_whatever_order_none_is_refused(events: list[Event]) -> None:
    assert measured(*events).exposition()[0]
