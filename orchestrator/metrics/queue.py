"""Dropped jobs and runs: how many wait, are held and run, and how they end."""

from collections.abc import Iterable

from orchestrator.core.drops import DropRow
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import (
    DeadlineInDanger,
    Event,
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    QueuePaused,
    RunEnded,
    RunStarted,
    ScheduleMissed,
)
from orchestrator.metrics.series import Maker

WAITING, HELD, RUNNING = "waiting", "held", "running"


class Queue:
    """A fold over the events of the watcher and of runs. Two runs of one job are never going on at once, so a dropped
    job runs while a run of its name does."""

    def __init__(self, passing: Maker) -> None:
        self._jobs = passing.gauge("queue_jobs", "Jobs in the queue, and runs that are going on.", "state")
        self._paused = passing.gauge("queue_paused", "1 while the queue is paused, else 0.")
        self._taken = passing.counter("jobs_taken_total", "Job files taken from the drop folder.")
        self._rejected = passing.counter("jobs_rejected_total", "Dropped files that are no job that can be run.")
        self._not_started = passing.counter("jobs_not_started_total", "Jobs of which no run came.", "exit_code")
        self._ended = passing.counter("jobs_ended_total", "Dropped jobs that are through.", "exit_code")
        self._runs = passing.counter("runs_ended_total", "Runs that are through.", "exit_code")
        self._missed = passing.counter(
            "schedule_missed_total", "Due times of a schedule at which nothing was run.", "job_name"
        )
        self._danger = passing.gauge(
            "deadline_in_danger", "1 while a run of the job is about to miss its deadline; absent else.", "job_name"
        )
        self._waiting: dict[str, tuple[str, str]] = {}
        self._running: dict[str, str] = {}
        self._endangered: set[str] = set()
        for code in ExitCode:
            for counter in (self._not_started, self._ended, self._runs):
                counter.labels(str(int(code)))
        self._show()

    def recall(self, drops: Iterable[DropRow], paused: bool) -> None:
        """`drops` are the claims of earlier processes that have not ended."""
        for row in drops:
            self._waiting[row.id] = row.job, WAITING
        self._paused.set(paused)
        self._show()

    def add(self, event: Event) -> None:
        match event:
            case RunStarted(run=run, job=job):
                self._running[run] = job
                self._show()
            case RunEnded(run=run, exit_code=code):
                self._runs.labels(str(code)).inc()
                self._end_run(run)
            case JobEnded(drop="", run=run):  # no dropped job: its run broke off with its command
                self._end_run(run)
            case JobTaken() | JobHeld() | JobNotStarted() | JobEnded() | JobRejected():
                self._add_job(event)
                self._show()
            case QueuePaused(paused=paused):
                self._paused.set(paused)
            case ScheduleMissed(job=job):
                self._missed.labels(job).inc()
            case DeadlineInDanger(job=job):
                self._endangered.add(job)
                self._danger.labels(job).set(1)
            case _:
                pass

    def _add_job(self, event: JobTaken | JobHeld | JobNotStarted | JobEnded | JobRejected) -> None:
        match event:
            case JobTaken(drop=drop, job=job):
                self._taken.inc()
                self._waiting[drop] = job, WAITING
            case JobHeld(drop=drop, job=job):
                self._waiting[drop] = job, HELD
            case JobNotStarted(drop=drop, exit_code=code):
                self._not_started.labels(str(code)).inc()
                self._waiting.pop(drop, None)
            case JobEnded(drop=drop, exit_code=code):
                self._ended.labels(str(code)).inc()
                self._waiting.pop(drop, None)
            case JobRejected():
                self._rejected.inc()

    def _end_run(self, run: str) -> None:
        job = self._running.pop(run, "")
        if job in self._endangered:
            self._endangered.discard(job)
            self._danger.remove(job)
        self._show()

    def _show(self) -> None:
        running = set(self._running.values())
        states = [state for job, state in self._waiting.values() if job not in running]
        self._jobs.labels(RUNNING).set(len(self._running))
        for state in (WAITING, HELD):
            self._jobs.labels(state).set(states.count(state))
