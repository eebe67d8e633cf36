"""What lies in the drop folder: a job, or a plan that was frozen of one. Its content says which, not its name."""

from orchestrator.core.errors import PlanUnreadable
from orchestrator.core.job import Job, read_job


def is_document(content: bytes) -> bool:
    """Whether a file is meant to be a plan rather than a job: no TOML begins with a brace."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def read_dropped(content: bytes, place: str) -> Job:
    """The job in a file, by which the queue goes. JobInvalid; PlanUnreadable.

    For a plan it is the job that the plan came from: its name, priority, windows and times hold. It runs once, because
    a plan is one run, whatever the schedule of its job; and as often as it is dropped, because a plan that would do
    something else the second time is refused by itself.
    """
    if not is_document(content):
        return read_job(content, place)
    from orchestrator.core.plan_document import read_document  # what few ever drop

    document, _ = read_document(content, place)
    job = read_job(document.job_text.encode(), f"{place}, in its job_text")
    if job.name != document.plan.job or job.drill:
        raise PlanUnreadable(place=place, problem="is a plan of another job than it says; plan the job anew")
    return job.model_copy(update={"schedule": None, "again": True})
