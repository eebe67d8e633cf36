"""What the report of the last run of each job says beside its files and bytes: the very numbers of report.json."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from prometheus_client import Gauge

from orchestrator.core.events import RunReported
from orchestrator.core.ledger import GroupState
from orchestrator.core.reasons import Reason
from orchestrator.metrics.series import PREFIX, Maker

OPENED, DELETED, LEFT = "opened", "deleted", "left"


class _Parted:
    """A gauge of jobs with one more label, whose values come and go."""

    def __init__(self, gauge: Gauge, label: str, values: Iterable[str]) -> None:
        self._gauge = gauge
        self._label = label
        self._values = frozenset(values)
        self._shown: dict[str, set[str]] = {}

    def show(self, job: str, parts: Mapping[str, float]) -> None:
        self.forget(job)
        for value, number in parts.items():
            self._set(job, value, number)

    def recall(self, job: str, labels: Mapping[str, str], number: float) -> None:
        """Take over one value of an earlier process, if it is one that can be."""
        value = labels.get(self._label, "")
        if value in self._values:
            self._set(job, value, number)

    def forget(self, job: str) -> None:
        for value in self._shown.pop(job, ()):
            with suppress(KeyError):
                self._gauge.remove(job, value)

    def _set(self, job: str, value: str, number: float) -> None:
        self._gauge.labels(job, value).set(number)
        self._shown.setdefault(job, set()).add(value)


class LastReports:
    """A fold over the reports of runs."""

    def __init__(self, lasting: Maker) -> None:
        def parted(name: str, meaning: str, label: str, values: Iterable[str]) -> None:
            self._parted[name] = _Parted(lasting.gauge(name, meaning, "job_name", label), label, values)

        def plain(name: str, meaning: str) -> None:
            self._plain[name] = lasting.gauge(name, meaning, "job_name")

        self._parted: dict[str, _Parted] = {}
        self._plain: dict[str, Gauge] = {}
        problems = "Files and job entries of the last run that were refused or failed."
        parted("last_run_problems", problems, "reason", (reason.slug for reason in Reason))
        parted("last_run_groups", "Mount groups of the last run.", "state", (state.value for state in GroupState))
        parted("last_run_mounts", "Mounts of the last run.", "state", (OPENED, DELETED, LEFT))
        plain("last_run_sessions", "Logon sessions that the last run used.")
        plain("last_run_remounts", "How often the last run had to mount a restore point again.")

    def show(self, event: RunReported) -> None:
        """The report of the last run of a job."""
        job = event.job
        mounts = {OPENED: event.mounts_opened, DELETED: event.mounts_deleted, LEFT: event.mounts_left}
        self._parted["last_run_problems"].show(job, dict(event.problems))
        self._parted["last_run_groups"].show(job, dict(event.groups))
        self._parted["last_run_mounts"].show(job, mounts)
        self._plain["last_run_sessions"].labels(job).set(event.sessions)
        self._plain["last_run_remounts"].labels(job).set(event.remounts)

    def recall(self, job: str, name: str, labels: Mapping[str, str], number: float) -> None:
        """Take over one sample of an earlier text file, if it is one of these."""
        short = name.removeprefix(f"{PREFIX}_")
        if short in self._parted:
            self._parted[short].recall(job, labels, number)
        elif short in self._plain:
            self._plain[short].labels(job).set(number)

    def forget(self, job: str) -> None:
        """Take all of a job away."""
        for one in self._parted.values():
            one.forget(job)
        for gauge in self._plain.values():
            with suppress(KeyError):
                gauge.remove(job)
