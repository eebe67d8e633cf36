"""The last run and the last drill of each job: what stays true when the process has ended."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from prometheus_client import Gauge, Metric

from orchestrator.core.drops import DrillRow
from orchestrator.core.entries import Verdict
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import DrillEnded, Event, JobEnded, JobNotStarted, RunEnded, RunReported, RunStarted
from orchestrator.core.ledger import RunRow, Totals
from orchestrator.metrics.last_reports import LastReports
from orchestrator.metrics.series import PREFIX, Maker

JOBS_KEPT = 200
"""Jobs that have series here, those that ended last; a drop folder may see thousands of names over the years."""


_VERDICTS = frozenset(verdict.value for verdict in Verdict)


class LastRuns:
    """A fold over the events of runs and drills, with what the journal remembers of earlier ones."""

    def __init__(self, lasting: Maker) -> None:
        self._gauges: list[Gauge] = []

        def gauge(name: str, meaning: str) -> Gauge:
            self._gauges.append(lasting.gauge(name, meaning, "job_name"))
            return self._gauges[-1]

        self._success = gauge("last_success_timestamp_seconds", "When a run of the job last ended with exit code 0.")
        self._ended = gauge("last_run_timestamp_seconds", "When the last run of the job ended.")
        self._code = gauge(
            "last_run_exit_code", "Exit code of the last run of the job, or of the last try of which no run came."
        )
        self._took = gauge("last_run_duration_seconds", "Time from the beginning of the last run until its end.")
        self._files = lasting.gauge("last_run_files", "Files of the last run.", "job_name", "verdict")
        self._bytes = gauge("last_run_restored_bytes", "Bytes that the last run restored.")
        self._reports = LastReports(lasting)
        self._drill = gauge("last_drill_timestamp_seconds", "When the last restore drill of the job ended.")
        self._drill_took = gauge("last_drill_duration_seconds", "Time to restore in the last drill, not verifying.")
        self._drill_code = gauge("last_drill_exit_code", "Exit code of the last drill.")
        self._differing = gauge("last_drill_differing_files", "Files that were not as they had been read.")
        self._jobs: dict[str, None] = {}
        self._begun: dict[str, tuple[str, datetime]] = {}
        self._running: dict[str, str] = {}

    def recall(self, runs: Iterable[RunRow], drills: Iterable[DrillRow]) -> None:
        """Both newest first. How many files a run restored is not recalled: counting them again could take minutes."""
        latest: dict[str, tuple[datetime, int, float]] = {}
        good: dict[str, datetime] = {}
        for row in runs:
            self._begun.setdefault(row.job, (row.id, row.started))
            if row.ended is not None and row.exit_code is not None:
                latest.setdefault(row.job, (row.ended, row.exit_code, (row.ended - row.started).total_seconds()))
                if row.exit_code == ExitCode.OK:
                    good.setdefault(row.job, row.ended)
        for job, ending in reversed(list(latest.items())[:JOBS_KEPT]):
            self._keep(job)
            self._end(job, *ending)
            if job in good:
                self._success.labels(job).set(good[job].timestamp())
        for drill in {one.job: one for one in reversed(list(drills)) if one.job in self._jobs}.values():
            self._end_drill(drill.job, drill.ended, drill.seconds, drill.exit_code, drill.differences)

    def recall_files(self, metrics: Iterable[Metric]) -> None:
        """`metrics` are those of an earlier text file: what it says of the files of jobs that are known stays true."""
        for name, labels, value in (sample[:3] for metric in metrics for sample in metric.samples):
            job, verdict = labels.get("job_name", ""), labels.get("verdict")
            if job not in self._jobs:
                continue
            if name == f"{PREFIX}_last_run_files" and verdict in _VERDICTS:
                self._files.labels(job, verdict).set(value)
            elif name == f"{PREFIX}_last_run_restored_bytes":
                self._bytes.labels(job).set(value)
            else:
                self._reports.recall(job, name, labels, value)

    def add(self, event: Event) -> None:
        match event:
            case RunStarted(at=at, run=run, job=job):
                self._running[run] = job
                if self._begun.get(job, ("",))[0] != run:
                    self._begun[job] = run, at
            case RunEnded(run=run) if run in self._running:
                self._end_run(self._running.pop(run), event)
            case RunReported():
                self._keep(event.job)
                self._reports.show(event)
            case JobEnded(drop="", job=job, run=run, exit_code=code):
                self._running.pop(run, None)  # it broke off with its command
                self._keep(job)
                self._code.labels(job).set(code)
            case JobNotStarted(job=job, exit_code=code) if job:
                self._keep(job)
                self._code.labels(job).set(code)
            case DrillEnded(at=at, job=job, seconds=seconds, differences=differences, exit_code=code):
                self._keep(job)
                self._end_drill(job, at, seconds, code, differences)
            case _:
                pass

    def _end_run(self, job: str, event: RunEnded) -> None:
        self._keep(job)
        begun = self._begun.get(job, (event.run, event.at))
        seconds = (event.at - begun[1]).total_seconds() if begun[0] == event.run else 0.0
        self._end(job, event.at, event.exit_code, seconds)
        if event.exit_code == ExitCode.OK:
            self._success.labels(job).set(event.at.timestamp())
        self._show_totals(job, event.totals)

    def _end(self, job: str, at: datetime, code: int, seconds: float) -> None:
        self._ended.labels(job).set(at.timestamp())
        self._code.labels(job).set(code)
        self._took.labels(job).set(seconds)

    def _show_totals(self, job: str, totals: Totals) -> None:
        for verdict in Verdict:
            self._files.labels(job, verdict.value).set(getattr(totals, verdict.value))
        self._bytes.labels(job).set(totals.bytes)

    def _end_drill(self, job: str, at: datetime, seconds: float, code: int, differences: int) -> None:
        self._drill.labels(job).set(at.timestamp())
        self._drill_took.labels(job).set(seconds)
        self._drill_code.labels(job).set(code)
        self._differing.labels(job).set(differences)

    def _keep(self, job: str) -> None:
        """`job` is the latest; the one that nothing was heard of for longest gives way."""
        self._jobs.pop(job, None)
        self._jobs[job] = None
        while len(self._jobs) > JOBS_KEPT:
            self._forget(next(iter(self._jobs)))

    def _forget(self, job: str) -> None:
        del self._jobs[job]
        self._begun.pop(job, None)
        self._reports.forget(job)
        for gauge in self._gauges:
            with suppress(KeyError):
                gauge.remove(job)
        for verdict in Verdict:
            with suppress(KeyError):
                self._files.remove(job, verdict.value)
