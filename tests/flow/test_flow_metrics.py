"""Metrics and the report agree on every total, whatever happened to the run."""

import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.entries import Verdict
from orchestrator.core.events import Event, FilesDone, GroupEnded
from orchestrator.core.ledger import Totals
from orchestrator.metrics import Metrics
from orchestrator.simulator import Fault, Status
from orchestrator.simulator.faults import EndSession, FailTask
from tests.support.events import event_of
from tests.support.exposed import Exposed, exposed
from tests.support.flow import Command, Done, Flow, entry_of, files_of, flow, seeded, small, toml

pytestmark = pytest.mark.flow

STARTED = datetime(2026, 11, 20, tzinfo=UTC)


def events_of(*commands: Command) -> list[Event]:
    """The events of processes, as if one had done it all."""
    return [event_of(table) for command in commands for table in command.events()]


def folded(events: Sequence[Event]) -> Exposed:
    metrics = Metrics("0", STARTED)
    for event in events:
        metrics.add(event)
    return exposed(metrics)


async def run(em: Flow, *words: str) -> tuple[Done, Command]:
    command = await em.start(*words)
    return await command.done(), command


def taken_back(events: Sequence[Event]) -> dict[str, int]:
    """How many files have, in the course of the run, lost a verdict to another: a counter cannot take them back."""
    changes = [asdict(event.totals) for event in events if isinstance(event, FilesDone)]
    return {name: sum(max(0, -change[name]) for change in changes) for name in asdict(Totals())}


def assert_files_agree(seen: Exposed, report: Any, events: Sequence[Event]) -> None:
    back = taken_back(events)
    for verdict in Verdict:
        counted = seen.sum("files_total", verdict=verdict.value)
        assert counted - back[verdict.value] == report["totals"][verdict.value], verdict
    size = report["totals"]["bytes"]
    assert seen.sum("restored_bytes_total") - back["bytes"] == size
    assert seen.sum("copied_bytes_total") == seen.sum("restored_bytes_total")
    assert (seen.sum("copy_seconds_total") > 0) == (report["totals"]["restored"] > 0)
    if not any(back.values()):
        problems = {reason: count for reason, count in report["problems_by_reason"].items() if reason != "plan"}
        assert seen.by("file_problems_total", "reason") == problems


def assert_mounts_agree(seen: Exposed, report: Any) -> None:
    opened, left = report["mounts_opened"], len(report["mounts_left"])
    assert seen.sum("mounts_opened_total") == opened
    assert seen.sum("mounts_left") == left
    assert seen.sum("mounts_open") == 0
    # A mount that was lost and proved gone counts as deleted in the report.
    gone = seen.sum("mounts_deleted_total") + seen.sum("mounts_lost_total")
    assert opened - left <= gone <= opened
    assert seen.sum("mount_duration_seconds_count") == opened
    groups = Counter(group["state"] for group in report["groups"])
    assert seen.by("group_duration_seconds_count", "state") == groups


def assert_run_agrees(seen: Exposed, report: Any) -> None:
    job = {"job_name": report["job"]}
    assert seen.by("runs_ended_total", "exit_code") == {str(report["exit_code"]): 1}
    assert seen.sum("last_run_exit_code", **job) == report["exit_code"]
    assert seen.sum("session_renewals_total") == report["sessions"] - 1
    totals = dict(report["totals"])
    assert seen.sum("last_run_restored_bytes", **job) == totals.pop("bytes")
    shown = {verdict: seen.sum("last_run_files", verdict=verdict, **job) for verdict in totals}
    assert shown == totals
    ended = datetime.fromisoformat(report["ended"]).timestamp()
    assert 0 <= seen.sum("last_run_timestamp_seconds", **job) - ended < 2
    lasted = ended - datetime.fromisoformat(report["started"]).timestamp()
    assert abs(seen.sum("last_run_duration_seconds", **job) - lasted) < 2
    assert seen.has("last_success_timestamp_seconds", **job) == (report["exit_code"] == 0)


def assert_requests_agree(seen: Exposed, em: Flow, *, called_off: Sequence[tuple[str, str]] = ()) -> None:
    """Every answer that EM gave was counted. Only answers of the kinds `called_off` may have come too late for whoever
    had asked."""
    answers = Counter((entry.method, str(entry.status)) for entry in em.requests())
    counted = {
        (method, status): seen.sum("em_requests_total", method=method, status=status) for method, status in answers
    }
    for kind in called_off:
        assert 1 <= counted.get(kind, 1) <= answers.get(kind, 1), kind
        counted.pop(kind, None)
        answers.pop(kind, None)
    assert counted == answers
    assert seen.sum("em_requests_total", route="other") == 0
    assert seen.sum("em_request_duration_seconds_count") == seen.sum("em_requests_total")


def assert_agrees(em: Flow, *commands: Command, called_off: Sequence[tuple[str, str]] = ()) -> Exposed:
    events = events_of(*commands)
    report, seen = em.report(), folded(events)
    assert_files_agree(seen, report, events)
    assert_mounts_agree(seen, report)
    assert_run_agrees(seen, report)
    assert_requests_agree(seen, em, called_off=called_off)
    return seen


async def test_the_metrics_of_a_clean_run_are_its_report(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=5, files=200)) as em:
        done, command = await run(em, "run", em.job())
        assert done.code == 0, done.everything
        seen = assert_agrees(em, command)
        assert seen.sum("not_restored_bytes_total") == 0


async def test_a_second_run_counts_what_it_found_in_place(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        await run(em, "run", em.job())
        size = em.report()["totals"]["bytes"]
        em.simulator.log.clear()
        done, command = await run(em, "run", "job.toml")
        assert done.code == 0, done.everything
        seen = assert_agrees(em, command)
        assert seen.sum("not_restored_bytes_total") == size


async def test_the_metrics_of_a_run_with_problems_are_its_report(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=4, files=200), Fault("mount_post", 2, FailTask(), times=2)) as em:
        (em.target / em.estate.machines[0].name).mkdir()
        wishes = [entry_of(machine) for machine in em.estate.machines]
        wishes[0]["include"] = ["*.no such thing", "*"]
        wishes.append({"vm": em.estate.machines[-1].name, "paths": ["C:\\no such folder"]})
        em.configure(limits={"mounts": 1})
        done, command = await run(em, "run", em.job(*wishes))
        assert done.code in (3, 4), done.everything
        report = em.report()
        assert len(report["problems_by_reason"]) >= 2
        assert_agrees(em, command)


async def test_the_metrics_of_a_stopped_run_and_of_its_resuming_add_up_to_its_report(tmp_path: Path) -> None:
    async with flow(tmp_path, seeded(machines=6, files=300, backup_servers=1)) as em:
        em.configure(limits={"mounts": 1})
        first = await em.start("run", em.job())
        await first.event("group_ended")
        first.signal(signal.SIGINT)
        stopped = await first.done()
        assert stopped.code == 6, stopped.everything
        seen = folded(events_of(first))
        assert seen.by("runs_ended_total", "exit_code") == {"6": 1}
        assert seen.sum("last_run_exit_code") == 6
        part = em.report()
        assert_files_agree(seen, part, events_of(first))
        done, second = await run(em, "resume")
        assert done.code == 0, done.everything
        report = em.report()
        later = folded(events_of(second))
        assert later.sum("files_total") == report["totals"]["restored"] - part["totals"]["restored"]
        whole = events_of(first, second)
        assert_files_agree(folded(whole), report, whole)
        ended = [one for one in whole if isinstance(one, GroupEnded) and one.state == "done"]
        assert len(ended) == len(report["groups"])


@pytest.mark.parametrize(("route", "nth"), [("browse", 1), ("browse", 4), ("mount_delete", 1), ("task", 4)])
async def test_the_metrics_of_a_run_whose_session_was_lost_are_its_report(tmp_path: Path, route: str, nth: int) -> None:
    estate, fault = seeded(machines=4, files=200), Fault(route, nth, EndSession())
    async with flow(tmp_path, estate, fault, strict=False) as em:
        done, command = await run(em, "run", em.job())
        assert done.code == 0, done.everything
        # Whoever reads a mount is called back as soon as the session is known to be lost: what it has just asked under
        # the dead token may be answered when nobody waits any more.
        seen = assert_agrees(em, command, called_off=[("GET", "401")])
        assert seen.sum("session_renewals_total") == 1


async def test_a_mount_that_is_left_is_counted_until_it_is_swept(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("mount_delete", action=Status(500), times=10_000)) as em:
        em.configure(limits={"unmount_timeout": 0.5})
        done, command = await run(em, "run", em.job(entry_of(em.machine("fs01"))))
        assert done.code == 7, done.everything
        seen = assert_agrees(em, command)
        assert seen.sum("mounts_left") == seen.sum("mounts_left_behind_total", backup_server="vbr01") == 1


async def test_a_mount_that_was_lost_and_cannot_be_proved_gone_is_left(tmp_path: Path) -> None:
    fault = Fault("browse", action=EndSession())
    async with flow(tmp_path, small, fault, strict=False, session_end_unmounts="never") as em:
        em.configure(limits={"folder_timeout": 1})
        done, command = await run(em, "run", em.job(entry_of(em.machine("fs01"))))
        assert done.code == 7, done.everything
        seen = assert_agrees(em, command)
        assert (seen.sum("mounts_opened_total"), seen.sum("mounts_lost_total"), seen.sum("mounts_left")) == (2, 1, 1)
        assert "MOUNT LEFT of fs01" in done.err


def with_textfile(em: Flow, **tables: Any) -> Path:
    em.configure(metrics={"textfile": "orchestrator.prom"}, **tables)
    return em.folder / "orchestrator.prom"


async def test_the_text_file_tells_of_the_last_run_of_every_job_that_was_ever_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        file = with_textfile(em)
        assert (await em.run("run", em.job(entry_of(em.machine("fs01")), name="first"))).code == 0
        first = em.report()
        wishes = [entry_of(em.machine("lx01")), {"vm": "lx01", "paths": ["/no such folder"], "os": "linux"}]
        assert (await em.run("run", em.job(*wishes, name="second"))).code == 3
        seen = exposed(file)
        assert seen.by("last_run_exit_code", "job_name") == {"second": 3}
        assert seen.has("last_success_timestamp_seconds", job_name="first")
        assert not seen.has("last_success_timestamp_seconds", job_name="second")
        assert seen.sum("last_run_files", job_name="first", verdict="restored") == first["totals"]["restored"]
        assert seen.sum("last_run_files", job_name="second", verdict="failed") == 1
        assert seen.sum("mounts_left") == 0
        assert not seen.has("files_total")


async def test_the_text_file_tells_of_mounts_that_are_left_until_a_sweep_has_cleared_them(tmp_path: Path) -> None:
    async with flow(tmp_path, small, Fault("mount_delete", action=Status(500), times=10_000)) as em:
        file = with_textfile(em, limits={"unmount_timeout": 0.5})
        assert (await em.run("run", em.job(entry_of(em.machine("fs01"))))).code == 7
        assert exposed(file).sum("mounts_left") == 1
        assert (await em.run("sweep", "--within", "0.1")).code == 7
        assert exposed(file).sum("mounts_left") == 1
        em.lift_faults()
        with_textfile(em)
        assert (await em.run("sweep")).code == 0
        assert exposed(file).sum("mounts_left") == 0
        assert exposed(file).sum("last_run_exit_code", job_name="job") == 7


async def test_a_mount_whose_session_ended_counts_as_left_until_it_is_proved_gone(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        file = with_textfile(em)
        running = await em.start("run", em.job(entry_of(em.machine("fs01"))))
        await running.event("mount_opened")
        running.signal(signal.SIGKILL)
        await running.done()
        await em.simulator.end_session()
        assert (await em.run("sweep")).code == 0
        assert exposed(file).sum("mounts_left") == 0


async def test_a_command_that_is_kept_out_of_the_state_folder_leaves_the_text_file_alone(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        file = with_textfile(em)
        first = await em.start("run", em.job())
        await first.event("mount_opened")
        first.signal(signal.SIGSTOP)
        assert (await em.run("sweep")).code == 5
        assert not file.exists()
        first.signal(signal.SIGCONT)
        assert (await first.done()).code == 0
        assert exposed(file).has("last_success_timestamp_seconds", job_name="job")


async def test_the_text_file_tells_of_the_last_drill_after_other_jobs_have_run(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        file = with_textfile(em, drill={"folder": str(em.target / "drills")})
        drill = {"name": "drill", "drill": True, "restore": [{"vm": "fs01", "paths": ["C:\\"]}]}
        (em.folder / "drill.toml").write_text(toml(drill))
        assert (await em.run("run", "drill.toml")).code == 0
        took = exposed(file).sum("last_drill_duration_seconds", job_name="drill")
        assert took > 0
        assert (await em.run("run", em.job(entry_of(em.machine("lx01")), name="other"))).code == 0
        seen = exposed(file)
        assert seen.sum("last_drill_duration_seconds", job_name="drill") == took
        assert seen.has("last_drill_differing_files", job_name="drill")
        assert not seen.has("last_drill_duration_seconds", job_name="other")


async def test_the_text_file_of_a_watcher_tells_of_its_queue_and_of_everything_else(tmp_path: Path) -> None:
    async with flow(tmp_path, small) as em:
        file = with_textfile(em, watch={"settle": 0.05, "poll": 0.2})
        (em.folder / "jobs" / "incoming").mkdir(parents=True)
        for name, machine in (("one", "fs01"), ("two", "lx01")):
            job = em.job(entry_of(em.machine(machine), to=str(em.target / name)), name=name)
            em.drop((em.folder / job).read_text(), job)
        em.drop("no job", "three.toml")
        done = await em.run("watch", "--once")
        assert done.code == 0, done.everything
        seen = exposed(file)
        assert (seen.sum("jobs_taken_total"), seen.sum("jobs_rejected_total")) == (2, 1)
        assert seen.by("jobs_ended_total", "exit_code") == seen.by("runs_ended_total", "exit_code") == {"0": 2}
        assert seen.by("queue_jobs", "state") == {}
        assert seen.sum("files_total", verdict="restored") == len(files_of(em.restored()))
        assert_requests_agree(seen, em)
        assert seen.by("last_run_timestamp_seconds", "job_name").keys() == {"one", "two"}
