"""What lies in the drop folder: jobs, and plans of jobs."""

from dataclasses import replace

import pytest

from orchestrator.core.dropped import read_dropped
from orchestrator.core.errors import JobInvalid, JobUnreadable, PlanUnreadable
from orchestrator.core.plan_document import PlanDocument, written
from tests.core.test_core_plan_document import document
from tests.core.test_core_plan_document import frozen as frozen_plan

JOB = """name = "incident-4711"
schedule = "0 3 * * *"
windows = ["22:00-06:00"]
priority = 7

[[restore]]
vm = "fs01"
paths = ['C:\\Shares']
to = "/restore"
"""


def frozen(text: str) -> PlanDocument:
    return replace(document(frozen_plan()), job_text=text)


def test_a_plan_has_the_priority_and_the_windows_of_its_job_and_runs_each_time_it_is_dropped() -> None:
    job = read_dropped(written(frozen(JOB))[0], "plan.json")
    assert (job.name, job.priority, job.windows) == ("incident-4711", 7, ["22:00-06:00"])
    assert job.schedule is None, "a plan is one run"
    assert job.again


def test_a_job_is_read_as_a_job_whatever_its_name() -> None:
    job = read_dropped(JOB.encode(), "plan.json")
    assert (job.schedule, job.again) == ("0 3 * * *", False)
    with pytest.raises(JobUnreadable):
        read_dropped(b"name = ", "plan.json")


def test_a_plan_of_another_job_of_a_drill_or_of_none_is_refused() -> None:
    other = JOB.replace("incident-4711", "incident-4712")
    drill = JOB.replace('to = "/restore"', "").replace("[[restore]]", "drill = true\n\n[[restore]]")
    for text in (other, drill):
        with pytest.raises(PlanUnreadable, match="is a plan of another job than it says"):
            read_dropped(written(frozen(text))[0], "plan.json")
    with pytest.raises(JobInvalid, match=r"^plan.json, in its job_text: "):
        read_dropped(written(frozen(JOB + "colour = 1"))[0], "plan.json")
