"""Files and bytes: what became of them, why not, and how fast. And the mount groups that they belong to."""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

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

RUNS_KEPT = 1000
"""Runs that have ended and are remembered, because this process may go on with them."""

LATE = (Verdict.REFUSED, Verdict.FAILED)
"""Verdicts that count when their group is through: a file that fails may still be restored by a second try or under the
next mount, and a counter cannot fall. The others count as they are told."""


@dataclass(slots=True)
class _Run:
    """What is known of one run. `told`: files by verdict, as the events have told by now, those of groups at work less
    what is `held` back. `earlier`: what other processes had settled and still stands. `counted`: what this process has
    counted, less what it has taken back. `known`: this process has worked on the run before."""

    told: Counter[Verdict] = field(default_factory=Counter)
    earlier: Counter[Verdict] = field(default_factory=Counter)
    counted: Counter[Verdict] = field(default_factory=Counter)
    groups: dict[str, "_Group"] = field(default_factory=dict)
    known: bool = False


@dataclass(slots=True)
class _Group:
    """A group at work: what waits until it is through, and the bytes of large files that are told before their end."""

    held: Counter[Verdict] = field(default_factory=Counter)
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)
    others: int = 0
    ahead: int = 0


class Copies:
    """A fold over the events of files. At the end of a run `files_total` less `files_taken_back_total` is what its
    report says, less what other processes had settled before; that is told again before the groups begin."""

    def __init__(self, passing: Maker) -> None:
        self._files = passing.counter("files_total", "Files that were dealt with.", "verdict")
        self._back = passing.counter(
            "files_taken_back_total", "Files that were counted under a verdict which no longer stands.", "verdict"
        )
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
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        for verdict in Verdict:
            self._files.labels(verdict.value)
            self._back.labels(verdict.value)

    def add(self, event: Event) -> None:
        match event:
            case RunStarted(run=run):
                self._begin(run)
            case RunEnded(run=run) if run in self._runs:
                self._end(self._runs[run])
            case GroupStarted(run=run, group=group) if run in self._runs:
                self._runs[run].groups.setdefault(group, _Group())
            case FilesDone(run=run) if run in self._runs:
                self._done(self._runs[run], event)
            case BytesCopied(run=run, group=group, bytes=size) if at_work := self._at_work(run, group):
                self._copied.inc(max(0, size))
                at_work.ahead += max(0, size)
            case FileProblem(run=run, group=group, verdict=verdict, reason=reason):
                if at_work := self._at_work(run, group):
                    at_work.problems[verdict.value, reason] += 1
            case GroupEnded(run=run, group=group, state=state, seconds=seconds):
                self._groups.labels(state).observe(seconds)
                if run in self._runs:
                    self._settle(self._runs[run], group)
            case _:
                pass

    def _at_work(self, run: str, group: str) -> _Group | None:
        return self._runs[run].groups.get(group) if run in self._runs else None

    def _begin(self, run: str) -> None:
        """A run that goes on tells again what is settled of it; what failed is tried anew, and stands no more."""
        one = self._runs.pop(run, None)
        self._runs[run] = _Run() if one is None else _Run(earlier=one.earlier, counted=one.counted, known=True)
        while len(self._runs) > RUNS_KEPT:
            self._runs.popitem(last=False)

    def _done(self, run: _Run, event: FilesDone) -> None:
        group = run.groups.get(event.group)
        for verdict in Verdict:
            files = getattr(event.totals, verdict.value)
            if group is not None and verdict in LATE:
                group.held[verdict] += files
            else:
                run.told[verdict] += files
            if group is None and not run.known:
                run.earlier[verdict] += files
        if group is None:
            return
        for told, reason, files in event.solved:
            group.problems[told, reason] -= files
        restored = max(0, event.totals.bytes)
        self._restored.inc(restored)
        group.others += event.passed - event.totals.bytes
        self._seconds.inc(max(0.0, event.seconds))
        known = min(restored, group.ahead)
        group.ahead -= known
        self._copied.inc(restored - known)
        self._count(run)

    def _settle(self, run: _Run, name: str) -> None:
        """A group is through. What is told of it afterwards, when it was cut short, is settled with the run."""
        group = run.groups.get(name)
        if group is None:
            return
        run.told.update(group.held)
        for (verdict, reason), files in group.problems.items():
            self._problems.labels(verdict, reason).inc(max(0, files))
        self._others.inc(max(0, group.others))
        run.groups[name] = _Group(ahead=group.ahead)
        self._count(run)

    def _count(self, run: _Run) -> None:
        """Count what has been told beyond what is counted."""
        for verdict in Verdict:
            more = run.told[verdict] - run.earlier[verdict] - run.counted[verdict]
            if more > 0:
                self._files.labels(verdict.value).inc(more)
                run.counted[verdict] += more

    def _end(self, run: _Run) -> None:
        for name in list(run.groups):
            self._settle(run, name)
        self._count(run)
        for verdict in Verdict:
            less = run.counted[verdict] + run.earlier[verdict] - run.told[verdict]
            if less > 0:
                self._back.labels(verdict.value).inc(less)
                run.counted[verdict] -= less
        run.groups = {}
