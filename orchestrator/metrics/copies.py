"""Files and bytes: what became of them, why not, and how fast. And the mount groups that they belong to."""

from orchestrator.core.entries import Verdict
from orchestrator.core.events import (
    BytesCopied,
    Event,
    FileProblem,
    FilesDone,
    GroupEnded,
    GroupStarted,
    RunEnded,
    RunStarted,
)
from orchestrator.metrics.series import Maker

GROUPS = (1, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class Copies:
    """A fold over the events of files. What an earlier process of a run had settled is told again when the run goes on;
    it is told before the group begins, and not counted."""

    def __init__(self, passing: Maker) -> None:
        self._files = passing.counter("files_total", "Files that were dealt with.", "verdict")
        self._restored = passing.counter("restored_bytes_total", "Bytes of restored files.")
        self._others = passing.counter(
            "not_restored_bytes_total", "Bytes of files that were skipped, refused or failed."
        )
        self._copied = passing.counter(
            "copied_bytes_total", "Bytes copied, told while a large file is still on its way; for rates."
        )
        self._seconds = passing.counter(
            "copy_seconds_total", "Time that copying restored files took, summed over the threads."
        )
        self._problems = passing.counter(
            "file_problems_total", "Files that were refused or failed.", "verdict", "reason"
        )
        self._groups = passing.histogram(
            "group_duration_seconds", "Time that a mount group took.", "state", buckets=GROUPS
        )
        self._ahead: dict[str, dict[str, int]] = {}
        for verdict in Verdict:
            self._files.labels(verdict.value)

    def add(self, event: Event) -> None:
        match event:
            case RunStarted(run=run):
                self._ahead[run] = {}
            case RunEnded(run=run):
                self._ahead.pop(run, None)
            case GroupStarted(run=run, group=group):
                self._ahead.setdefault(run, {}).setdefault(group, 0)
            case FilesDone() if event.group in self._ahead.get(event.run, ()):
                self._count(event)
            case BytesCopied(run=run, group=group, bytes=size) if group in self._ahead.get(run, ()):
                self._copied.inc(max(0, size))
                self._ahead[run][group] += max(0, size)
            case FileProblem(verdict=verdict, reason=reason):
                self._problems.labels(verdict.value, reason).inc()
            case GroupEnded(state=state, seconds=seconds):
                self._groups.labels(state).observe(seconds)
            case _:
                pass

    def _count(self, event: FilesDone) -> None:
        totals, groups = event.totals, self._ahead[event.run]
        for verdict in Verdict:
            self._files.labels(verdict.value).inc(max(0, getattr(totals, verdict.value)))
        restored = max(0, totals.bytes)
        self._restored.inc(restored)
        self._others.inc(max(0, event.passed - restored))
        self._seconds.inc(max(0.0, event.seconds))
        known = min(restored, groups[event.group])
        groups[event.group] -= known
        self._copied.inc(restored - known)
