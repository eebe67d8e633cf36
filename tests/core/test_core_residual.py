"""What a run left undone is a job again."""

from dataclasses import replace
from datetime import UTC, datetime

from orchestrator.core.catalog import GuestOs, RestorePoint
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.entry import Conflict
from orchestrator.core.job import read_job
from orchestrator.core.layout import Layout
from orchestrator.core.paths import parse_guest_path
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.reasons import Reason
from orchestrator.core.residual import residual_job
from orchestrator.core.select import Bounds
from tests.support.guests import planned

POINT = RestorePoint("urn:veeam:VmRestorePoint:1", "fs01", datetime(2026, 11, 20, tzinfo=UTC), "vbr01", "/m", "/m")


def selection(paths: list[str], destination: str = "/restore/fs01") -> Selection:
    return Selection(
        tuple(map(parse_guest_path, paths)), ("*.docx",), ("~$*",), destination, Conflict.OVERWRITE, entry=1
    )


def plan_of(*selections: Selection) -> Plan:
    return Plan("night-1", "night", (MountGroup("g0001", POINT, GuestOs.WINDOWS, selections),))


def problem(path: str, reason: Reason, group: str = "g0001") -> Outcome:
    return Outcome(group, path, "", Verdict.FAILED, reason=reason, message="...")


def test_failed_files_come_back_as_entries_that_name_the_same_restore_point_and_destination() -> None:
    plan = plan_of(selection(["C:\\Shares"]), selection(["D:\\"], "/restore/data"))
    text = residual_job(
        plan,
        [
            problem("C:\\Shares\\a.docx", Reason.LOCKED),
            problem('D:\\Größe & mehr\\b "x".docx', Reason.LOCKED),
            problem("C:\\Shares\\c.docx", Reason.READ_ERROR),
        ],
    )
    assert text is not None
    job = read_job(text.encode(), "residual.toml")
    assert job.name == "night-residual"
    found = {(entry.to, tuple(entry.paths)) for entry in job.restore}
    assert found == {
        ("/restore/fs01", ("C:\\Shares\\a.docx",)),
        ("/restore/fs01", ("C:\\Shares\\c.docx",)),
        ("/restore/data", ('D:\\Größe & mehr\\b "x".docx',)),
    }
    assert {entry.restore_point for entry in job.restore} == {POINT.uid}
    assert {entry.os for entry in job.restore} == {GuestOs.WINDOWS}
    assert {entry.on_conflict for entry in job.restore} == {Conflict.OVERWRITE}


def test_a_job_that_may_not_take_the_whole_line_leaves_one_that_may_not_either() -> None:
    plan = replace(plan_of(selection(["C:\\"])), bandwidth=20_000_000)
    text = residual_job(plan, [problem("C:\\a.docx", Reason.LOCKED)]) or ""
    assert read_job(text.encode(), "residual.toml").bandwidth == "20 MB/s"


def test_each_reason_is_explained_where_its_files_are_listed() -> None:
    text = residual_job(plan_of(selection(["C:\\"])), [problem("C:\\a", Reason.LOCKED)]) or ""
    assert f"# locked: {Reason.LOCKED.cause}. {Reason.LOCKED.owner}: {Reason.LOCKED.action}" in text


def test_what_no_second_run_can_cure_is_counted_and_not_repeated() -> None:
    problems = [problem("C:\\pipe", Reason.SPECIAL), problem("C:\\link", Reason.LINK_SKIPPED)]
    assert residual_job(plan_of(selection(["C:\\"])), problems) is None
    text = residual_job(plan_of(selection(["C:\\"])), [*problems, problem("C:\\a", Reason.LOCKED)]) or ""
    assert "# Not repeated here: 1 x link" in text
    assert "C:\\\\pipe" not in text


def test_a_name_that_no_job_file_can_hold_is_counted_instead() -> None:
    bad = problem("C:\\caf\udce9", Reason.LOCKED)
    text = residual_job(plan_of(selection(["C:\\"])), [bad, problem("C:\\a", Reason.LOCKED)]) or ""
    text.encode()
    assert "# Not repeated here: 1 x locked" in text


def test_the_residual_of_a_residual_keeps_its_name() -> None:
    plan = Plan("r", "night-residual", plan_of(selection(["C:\\"])).groups)
    text = residual_job(plan, [problem("C:\\a", Reason.LOCKED)]) or ""
    assert read_job(text.encode(), "x").name == "night-residual"


def test_what_is_left_keeps_its_bounds_and_lands_where_the_run_would_have_put_it() -> None:
    bounds = Bounds(larger_than=0, modified_after=datetime(2026, 11, 1, tzinfo=UTC))
    layout = Layout(strip=(parse_guest_path("C:\\Shares"),), drives=(("D:", "data"),))
    first = replace(selection(["C:\\Shares", "D:\\"]), bounds=bounds, layout=layout)
    volumes = replace(selection(["E:\\x"], "/restore/E"), layout=Layout(bare=True))
    every = replace(selection(["*"], "/restore/all"), layout=Layout(below=("{volume}", "x"), bare=True))
    problems = [
        problem("C:\\Shares", Reason.STALLED),
        problem("C:\\Shares\\a.docx", Reason.LOCKED),
        problem("D:\\b.docx", Reason.READ_ERROR),
        problem("E:\\x\\c.docx", Reason.LOCKED),
        problem("F:\\d.docx", Reason.LOCKED),
    ]
    job = read_job((residual_job(plan_of(first, volumes, every), problems) or "").encode(), "residual.toml")
    found = planned(job, allow=("/restore",))
    assert not found.problems
    landed = {
        str(path): ("/".join((one.destination, *one.layout.landing(path))), one.bounds)
        for group in found.groups
        for one in group.selections
        for path in one.paths
    }
    assert landed == {
        "C:\\Shares": ("/restore/fs01", bounds),
        "C:\\Shares\\a.docx": ("/restore/fs01/a.docx", Bounds()),
        "D:\\b.docx": ("/restore/fs01/data/b.docx", Bounds()),
        "E:\\x\\c.docx": ("/restore/E/x/c.docx", Bounds()),
        "F:\\d.docx": ("/restore/all/F/x/d.docx", Bounds()),
    }
