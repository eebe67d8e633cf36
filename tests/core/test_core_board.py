"""Everything that is going on, folded from the events of many runs."""

import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core import board as rules
from orchestrator.core.board import Board
from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    BytesCopied,
    DeadlineInDanger,
    DrillEnded,
    Event,
    FileProblem,
    FilesDone,
    FilesScanned,
    GroupEnded,
    GroupPutOff,
    GroupsStuck,
    GroupStarted,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    MountDeleted,
    MountGone,
    MountLeft,
    MountOpened,
    Notice,
    OperatorActed,
    RequestAnswered,
    RunEnded,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
    Stopping,
    SweepEnded,
)
from orchestrator.core.ledger import Totals
from orchestrator.core.snapshot import Ended, LeftBehind, Outlook, Snapshot, Upcoming
from tests.core.values import AT


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def board_of(*events: Event) -> Board:
    board = Board(AT)
    for event in events:
        board.add(event)
    return board


def seen(*events: Event, now: float = 60) -> Snapshot:
    return board_of(*events).snapshot(at(now))


def begun(run: str = "r", job: str = "j", groups: int = 2, **more: int) -> RunStarted:
    return RunStarted(AT, run, job, groups, bool(more), **more)


def started(group: str = "g", run: str = "r", vm: str = "fs01") -> GroupStarted:
    return GroupStarted(AT, run, group, vm, "vbr01", "u", AT)


def opened(group: str = "g", run: str = "r", seconds: float = 0) -> MountOpened:
    return MountOpened(at(seconds), run, group, "fs01", "vbr01", f"/m/{run}/{group}", 2.0)


def deleted(group: str = "g", run: str = "r") -> MountDeleted:
    return MountDeleted(at(50), run, group, "fs01", "vbr01", f"/m/{run}/{group}", 40.0)


def left(group: str = "g", run: str = "r") -> MountLeft:
    return MountLeft(at(50), run, group, "fs01", "vbr01", f"/m/{run}/{group}", "no answer in 600 s")


def problem(path: str, reason: str = "locked", group: str = "g") -> FileProblem:
    return FileProblem(at(30), "r", group, path, Verdict.FAILED, reason, "sharing violation")


def ended(run: str = "r", code: int = 0, mounts_left: int = 0) -> RunEnded:
    return RunEnded(at(59), run, code, Totals(5, 0, 0, 0, 500), 1, 1, mounts_left)


def test_runs_that_go_on_at_once_are_told_apart() -> None:
    snapshot = seen(
        begun("a", "first"),
        begun("b", "second", groups=4),
        started("g1", "a"),
        started("g1", "b", vm="web01"),
        opened("g1", "b", seconds=10),
        FilesScanned(AT, "b", "g1", 10, 1000, complete=True),
        FilesDone(at(20), "b", "g1", Totals(5, 0, 0, 0, 500), 500),
    )
    first, second = snapshot.runs
    assert [first.job, second.job] == ["first", "second"]
    assert [one.vm for one in first.groups + second.groups] == ["fs01", "web01"]
    assert (first.files_done, first.mounts_open, first.groups_waiting) == (0, 0, 1)
    assert (second.files_done, second.mounts_open, second.groups_waiting) == (5, 1, 3)
    assert [(one.run, one.opened) for one in snapshot.mounts] == [("b", at(10))]


def test_a_group_says_how_far_it_is_only_when_all_of_it_is_listed() -> None:
    events = [begun(), started(), FilesScanned(AT, "r", "g", 4, 400)]
    assert seen(*events).runs[0].groups[0].share is None
    events += [FilesScanned(AT, "r", "g", 0, 0, complete=True), FilesDone(at(1), "r", "g", Totals(1), 100)]
    group = seen(*events, BytesCopied(at(2), "r", "g", 100)).runs[0].groups[0]
    assert (group.share, group.bytes_done, group.files_done, group.files_found) == (0.5, 200, 1, 4)


def test_progress_counts_restore_points_and_the_part_of_those_at_work() -> None:
    half = [FilesScanned(AT, "r", "b", 2, 0, complete=True), FilesDone(at(1), "r", "b", Totals(1), 0)]
    through = GroupEnded(at(9), "r", "a", "fs01", "done", Totals(), 9.0)
    run = seen(begun(groups=4), started("a"), through, started("b"), *half).runs[0]
    assert (run.progress, run.groups_ended, run.groups_waiting) == (0.375, 1, 2)
    assert [one.group for one in run.ended_groups] == ["a"]
    assert seen(begun(groups=0)).runs[0].progress == 1.0


def test_what_an_earlier_process_has_brought_to_its_end_counts_as_done_from_the_start() -> None:
    run = seen(begun(groups=4, done=3), started()).runs[0]
    assert (run.resumed, run.groups_ended, run.groups_waiting, run.progress) == (True, 3, 0, 0.75)


def test_problems_are_counted_by_reason_with_the_last_few_as_examples() -> None:
    paths = [f"C:\\{number}" for number in range(5)]
    run = seen(begun(), started(), *map(problem, paths), problem("C:\\l", "link")).runs[0]
    assert [(one.reason, one.count) for one in run.problems] == [("locked", 5), ("link", 1)]
    assert [(one.vm, one.guest_path) for one in run.problems[0].examples] == [("fs01", path) for path in paths[:1:-1]]


def test_problems_of_a_group_that_is_tried_again_stay_and_are_told_of_once() -> None:
    again = [begun(), started(), problem("C:\\a"), problem("C:\\b", group="other"), started()]
    assert [(one.reason, one.count) for one in seen(*again).runs[0].problems] == [("locked", 2)]
    assert [one.count for one in seen(*again, problem("C:\\c")).runs[0].problems] == [3]


def test_a_group_that_waits_for_its_second_turn_is_shown_as_waiting_and_not_as_mounting() -> None:
    put_off = GroupPutOff(at(30), "r", "g", "fs01", "EM made no mount")
    [run] = seen(begun(), started(), put_off).runs
    assert (run.groups, run.ended_groups, run.groups_waiting) == ((), (), 2)
    [run] = seen(begun(), started(), put_off, started()).runs
    assert ([group.state for group in run.groups], run.groups_waiting) == (["mounting"], 1)
    assert seen(begun(), started(), put_off).recent[0] == put_off, "and told of"


def test_groups_that_failed_are_shown_before_those_that_are_done() -> None:
    run = seen(
        begun(groups=3),
        *(started(group) for group in "abc"),
        GroupEnded(AT, "r", "a", "fs01", "failed", Totals(), 1.0, "no mount"),
        GroupEnded(AT, "r", "b", "fs01", "done", Totals(), 1.0),
        GroupEnded(AT, "r", "c", "fs01", "stopped", Totals(), 1.0),
    ).runs[0]
    assert [(one.group, one.message) for one in run.ended_groups] == [("c", ""), ("a", "no mount"), ("b", "")]
    assert (run.groups, run.groups_failed) == ((), 1)


def test_a_mount_is_open_until_it_is_deleted_or_its_session_is_gone() -> None:
    begin = [begun(), started(), opened()]
    assert len(seen(*begin).mounts) == 1
    assert not seen(*begin, deleted()).mounts
    assert not seen(*begin, MountGone(AT, "r", "g", "fs01", "/m/r/g", "401")).mounts


def test_a_mount_that_was_left_stays_on_the_board_until_a_sweep_deletes_it() -> None:
    board = board_of(begun(), started(), opened(), left(), ended(code=7, mounts_left=1))
    assert [(one.vm, one.cause) for one in board.snapshot(at(60)).mounts_left] == [("fs01", "no answer in 600 s")]
    assert board.snapshot(at(60)).history[0].mounts_left == 1
    board.add(deleted())
    assert not board.snapshot(at(60)).mounts_left


def test_what_earlier_processes_have_left_is_there_from_the_start_and_a_sweep_has_the_last_word() -> None:
    old = [LeftBehind(AT, "old", vm, "vbr01", f"/m/{vm}", "the session has ended") for vm in ("db01", "db02")]
    board = Board(AT, left=old)
    for event in (begun(), started(), opened(), left()):
        board.add(event)
    assert [one.vm for one in board.snapshot(at(60)).mounts_left] == ["db01", "db02", "fs01"]
    board.add(SweepEnded(at(61), ("/m/db01",), ("/m/db02", "/m/9")))
    assert [one.href for one in board.snapshot(at(62)).mounts_left] == ["/m/db02", "/m/r/g", "/m/9"]
    board.add(ended(code=7, mounts_left=1))
    board.add(SweepEnded(at(63), ("/m/db02", "/m/9"), ()))
    assert not board.snapshot(at(64)).mounts_left


def test_a_run_that_has_ended_becomes_a_line_of_the_history() -> None:
    snapshot = seen(begun(), started(), problem("C:\\a"), ended(code=3))
    assert snapshot.runs == ()
    assert snapshot.history == (
        Ended("j", "r", AT, at(59), 3, Totals(5, 0, 0, 0, 500), (("locked", 1),), mounts_left=0),
    )


def test_the_history_begins_with_what_earlier_processes_did_and_has_a_resumed_run_once() -> None:
    board = Board(AT, [Ended("j", "r", AT, AT, 6), Ended("old", "o", AT, AT, 0)])
    assert [one.run for one in board.snapshot(AT).history] == ["r", "o"]
    board.add(begun())
    assert [one.run for one in board.snapshot(AT).history] == ["o"]
    board.add(ended())
    assert [(one.run, one.exit_code) for one in board.snapshot(AT).history] == [("r", 0), ("o", 0)]


def test_a_dropped_job_has_its_last_word_in_the_history() -> None:
    told = JobEnded(at(60), "d", "j", "r2", 3, "failed", "1 file refused")
    snapshot = seen(begun(), ended(code=6), begun(run="r2"), ended("r2", 3), told)
    assert [(one.run, one.line) for one in snapshot.history] == [("r2", "1 file refused"), ("r", "")]


def test_a_job_that_is_tried_again_and_again_is_in_the_history_once() -> None:
    tries = [JobNotStarted(at(second), "d", "j", 4, f"no answer, try {second}") for second in range(3)]
    snapshot = seen(*tries, JobNotStarted(at(9), "other", "k", 4, "no answer"))
    assert [(one.job, one.line) for one in snapshot.history] == [("k", "no answer"), ("j", "no answer, try 2")]


def test_jobs_that_never_became_a_run_are_in_the_history_once() -> None:
    snapshot = seen(
        JobRejected(AT, "bad.toml", "00", "ann", "restore[1].vm: missing"),
        JobNotStarted(at(5), "d", "j", 4, "Enterprise Manager cannot be reached"),
        JobEnded(at(6), "d", "j", "", 4, "failed", "not started: see the answer"),
    )
    assert [(one.job, one.run, one.exit_code, one.line) for one in snapshot.history] == [
        ("j", "", 4, "not started: see the answer"),
        ("bad.toml", "", 2, "restore[1].vm: missing"),
    ]


def test_a_dropped_job_whose_run_died_without_a_word_does_not_run_for_ever() -> None:
    snapshot = seen(begun(), JobEnded(at(9), "d", "j", "r", 1, "failed", "our bug"))
    assert snapshot.runs == ()
    assert [(one.run, one.exit_code, one.line) for one in snapshot.history] == [("r", 1, "our bug")]


def test_a_deadline_in_danger_follows_the_forecast_until_it_is_safe_again() -> None:
    begin = [begun(groups=1), started(), FilesScanned(AT, "r", "g", 100, 0, complete=True)]
    danger = DeadlineInDanger(at(1), "r", "j", at(600), at(900))
    run = seen(*begin, danger).runs[0]
    assert (run.deadline, run.forecast, run.late) == (at(600), at(900), True)
    moving = [FilesDone(at(second), "r", "g", Totals(10), 0) for second in range(5)]
    run = seen(*begin, danger, *moving, now=5).runs[0]
    assert run.forecast
    assert run.forecast < at(60)
    assert not run.late


def test_a_stop_of_one_run_and_of_everything_are_told_apart() -> None:
    snapshot = seen(begun("a"), begun("b"), Stopping(AT, "drain", "a"))
    assert ([one.stopping for one in snapshot.runs], snapshot.stopping) == (["drain", ""], "")
    assert seen(begun("a"), Stopping(AT, "cancel")).stopping == "cancel"


def test_when_anything_last_moved_is_kept_and_a_request_to_stop_is_no_movement() -> None:
    events = [begun(), started(), FilesDone(at(20), "r", "g", Totals(1), 1)]
    assert seen(*events, Stopping(at(40), "drain", "r")).runs[0].moved == at(20)


def test_missed_due_times_are_shown_for_a_week() -> None:
    board = board_of(ScheduleMissed(AT, "nightly", AT, "orchestrator was not running"))
    assert [one.job for one in board.snapshot(AT + timedelta(days=6)).missed] == ["nightly"]
    assert board.snapshot(AT + timedelta(days=8)).missed == ()


def test_what_comes_next_is_asked_for_at_every_snapshot() -> None:
    board = Board(AT, outlook=lambda now: Outlook(upcoming=(Upcoming("a", now + timedelta(hours=2)),), paused=True))
    outlook = board.snapshot(at(5)).outlook
    assert (outlook.upcoming[0].due, outlook.paused) == (at(7205), True)
    assert Board(AT).snapshot(AT).outlook == Outlook()


def test_a_drill_says_in_the_history_how_it_went() -> None:
    drill = DrillEnded(at(80), "r", "j", 1, 5, 500, 40.0, 2, 3)
    assert seen(begun(), ended(), drill).history[0].line == "drill: 2 files differed"
    assert seen(begun(), drill, ended()).history[0].line == "drill: 2 files differed"
    told = JobEnded(at(81), "d", "j", "r", 3, "failed", "2 files differ")
    assert seen(begun(), ended(), told, drill).history[0].line == "2 files differ"


def test_what_a_person_should_hear_of_is_kept_newest_first_and_work_is_not() -> None:
    notable = [
        Notice(AT, "vbr01 mounts again"),
        SessionRenewed(AT, 2, "401"),
        OperatorActed(AT, "10.0.0.7", "pause"),
        GroupEnded(AT, "r", "g", "fs01", "failed", Totals(), 1.0, "no mount"),
    ]
    work = [
        GroupEnded(AT, "r", "h", "fs01", "done", Totals(), 1.0),
        JobHeld(AT, "d", "j", None, "paused"),
        SweepEnded(AT, (), ("/m/1",)),
    ]
    snapshot = seen(*notable, *work)
    assert snapshot.recent == tuple(reversed(notable))
    assert snapshot.session_renewals == 1


def test_changes_are_counted_but_answers_of_em_are_not() -> None:
    board = board_of(begun(), RequestAnswered(AT, "GET", "/x", 200, 0.1))
    assert board.snapshot(AT).changes == 1


def live_through(board: Board, run: int) -> None:
    """A dropped job from its claim to its end, with everything going wrong that can."""
    name, drop = f"r{run}", f"d{run}"
    board.add(JobRejected(AT, f"{run}.toml", "00", "ann", "vm: missing"))
    board.add(begun(name))
    for group in map(str, range(20)):
        board.add(started(group, name))
        board.add(opened(group, name))
        board.add(FilesScanned(AT, name, group, 1, 1, complete=True))
        board.add(FileProblem(AT, name, group, f"C:\\{run}", Verdict.FAILED, "locked", ""))
        board.add(MountLeft(AT, name, group, "fs01", "vbr01", f"/m/{run}/{group}", "no"))
        board.add(GroupEnded(AT, name, group, "fs01", "failed", Totals(), 1.0, "no"))
    board.add(ScheduleMissed(AT, "nightly", AT, "was down"))
    board.add(ended(name, 7))
    board.add(JobEnded(AT, drop, "j", name, 7, "failed", "a mount was left"))


def test_memory_stays_bounded_over_any_number_of_runs() -> None:
    tracemalloc.start()
    try:
        board = Board(AT)
        for run in range(300):
            live_through(board, run)
        before, _ = tracemalloc.get_traced_memory()
        for run in range(300, 900):
            live_through(board, run)
        # Dicts grow in steps; without bounds it would be three times as much.
        assert tracemalloc.get_traced_memory()[0] < before * 1.6
    finally:
        tracemalloc.stop()
    snapshot = board.snapshot(AT)
    assert snapshot.runs == ()
    assert [len(snapshot.history), len(snapshot.recent)] == [rules.HISTORY, rules.RECENT]
    assert [len(snapshot.mounts_left), len(snapshot.missed)] == [rules.LEFT_KEPT, rules.MISSED_KEPT]


def test_why_nobody_in_the_fleet_can_take_what_waits_is_told_once_for_each_reason() -> None:
    stuck = [GroupsStuck(at(second), "r", number, ("nobody is there",)) for second, number in ((1, 3), (2, 2), (3, 1))]
    other = GroupsStuck(at(4), "r", 1, ("w1 refuses",))
    snapshot = seen(begun(), *stuck, other, replace(other, run="unknown"))
    assert snapshot.recent[:-1] == (other, stuck[0])
    assert (snapshot.runs[0].groups_stuck, snapshot.runs[0].stuck_because) == (1, ("w1 refuses",))
    assert snapshot.runs[0].moved == AT, "nothing has moved for it"


def test_sites_are_shown_by_name_as_they_were_last_told() -> None:
    paces = [SitePace(at(second), site, second, 0, 0.0, 0.0) for second, site in ((1, "b"), (2, "a"), (3, "b"))]
    assert seen(begun(), *paces).sites == (paces[1], paces[2])
    assert seen(begun(), *paces, RunEnded(at(4), "r", 0, Totals(), 0, 0, 0)).sites == ()
