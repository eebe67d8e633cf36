"""Everything that is going on in a process with many runs, folded from events; the status page shows it.

What is kept stays bounded over months: runs that have ended become one line each, and of everything that only ever
grows the last few are kept.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from orchestrator.core.errors import ExitCode
from orchestrator.core.events import (
    DeadlineInDanger,
    DrillEnded,
    Event,
    GroupEnded,
    GroupPutOff,
    GroupsStuck,
    JobEnded,
    JobNotStarted,
    JobRejected,
    LimitChanged,
    MountDeleted,
    MountGone,
    MountLeft,
    Notice,
    OperatorActed,
    OriginalEnded,
    OtherPointTaken,
    QueuePaused,
    RequestAnswered,
    RunEnded,
    RunPaused,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    SitePace,
    Stopping,
    SweepEnded,
    WatcherReady,
)
from orchestrator.core.ledger import GroupState
from orchestrator.core.limiting import BY_HAND
from orchestrator.core.running import Running
from orchestrator.core.snapshot import Ended, LeftBehind, Outlook, Snapshot

HISTORY = 100
"""Ended runs and jobs that are kept."""

RECENT = 50
LEFT_KEPT = 200
MISSED_KEPT = 20

MISSED_FOR = timedelta(days=7)
"""How long a missed due time stays on the page."""

_NOTEWORTHY = (
    RunStarted,
    RunEnded,
    GroupPutOff,
    OtherPointTaken,
    OriginalEnded,
    MountGone,
    MountLeft,
    SessionRenewed,
    Stopping,
    LimitChanged,
    RunPaused,
    Notice,
    JobRejected,
    JobNotStarted,
    ScheduleMissed,
    QueuePaused,
    DeadlineInDanger,
    DrillEnded,
    OperatorActed,
    WatcherReady,
)


class Board:
    """A running fold over all events of a process; `add` costs the same however long that process lives.

    `history` is what earlier processes did, newest first. `left` are the mounts that they may have left. `outlook` is
    asked at every snapshot for what comes next: events tell of jobs that come and go, but not who waits just now.
    """

    def __init__(
        self,
        since: datetime,
        history: Sequence[Ended] = (),
        left: Iterable[LeftBehind] = (),
        outlook: Callable[[datetime], Outlook] = lambda now: Outlook(),
    ) -> None:
        self._since = since
        self._outlook = outlook
        self._changes = 0
        self._runs: dict[str, Running] = {}
        self._history: deque[Ended] = deque(list(history)[:HISTORY][::-1], maxlen=HISTORY)
        self._left = {mount.href: mount for mount in left}
        self._stopping = ""
        self._missed: deque[ScheduleMissed] = deque(maxlen=MISSED_KEPT)
        self._renewals = 0
        self._limits: dict[tuple[str, str, str], LimitChanged] = {}
        self._sites: dict[str, SitePace] = {}
        self._recent: deque[Event] = deque(maxlen=RECENT)

    def add(self, event: Event) -> None:
        """Fold one event in."""
        if isinstance(event, RequestAnswered):
            return  # many, and nothing of them is shown
        self._changes += 1
        if _noteworthy(event) or self._is_stuck_anew(event):
            self._recent.append(event)
        if isinstance(event, RunStarted):
            self._runs[event.run] = Running(event)
        elif (run := self._runs.get(getattr(event, "run", ""))) is not None:
            run.add(event)
        self._fold(event)

    def _is_stuck_anew(self, event: Event) -> bool:
        """For another reason than before; how many are stuck is told often."""
        if not isinstance(event, GroupsStuck) or event.run not in self._runs:
            return False
        return event.why != self._runs[event.run].stuck_because

    def _fold(self, event: Event) -> None:
        match event:
            case RunEnded():
                self._end(event)
            case MountLeft(at, run, _, vm, server, href, cause):
                self._leave(LeftBehind(at, run, vm, server, href, cause))
            case MountDeleted(href=href):
                self._left.pop(href, None)
            case SweepEnded():
                self._sweep(event)
            case SessionRenewed():
                self._renewals += 1
            case Stopping(how=how, run=""):
                self._stopping = how
            case LimitChanged():
                self._limits[event.what, event.run, event.backup_server] = event
            case SitePace(site=site):
                self._sites[site] = event
            case ScheduleMissed():
                self._missed.append(event)
            case DrillEnded(run=run, differences=differences):
                self._tell_of_drill(run, differences)
            case JobRejected(at, file, message=message):
                self._remember(Ended(file, "", at, at, int(ExitCode.WORDS), line=message))
            case JobNotStarted(at, drop, job, code, message):
                self._remember(Ended(job, "", at, at, code, line=message, drop=drop))
            case JobEnded():
                self._settle(event)
            case _:
                pass

    def _end(self, event: RunEnded) -> None:
        self._limits = {key: limit for key, limit in self._limits.items() if limit.run != event.run}
        run = self._runs.pop(event.run, None)
        if run is not None:
            self._remember(run.ended(event))
        if not self._runs:
            self._sites = {}  # nobody asks how they do

    def _leave(self, mount: LeftBehind) -> None:
        self._left[mount.href] = mount
        if len(self._left) > LEFT_KEPT:
            del self._left[next(iter(self._left))]

    def _sweep(self, event: SweepEnded) -> None:
        """A sweep has the last word on everything but what runs of this process have left meanwhile."""
        self._left = {
            href: mount
            for href, mount in self._left.items()
            if href in event.left or (mount.run in self._runs and href not in event.cleared)
        }
        for href in event.left:
            if href not in self._left:
                self._leave(LeftBehind(event.at, "", "", "", href, "a sweep could not clear it"))

    def _remember(self, ended: Ended) -> None:
        """A run that goes on after it was stopped, and a job that is tried again, stand in the history once."""
        kept = (one for one in self._history if not _same(one, ended))
        self._history = deque(kept, maxlen=HISTORY)
        self._history.append(ended)

    def _settle(self, event: JobEnded) -> None:
        """The last word on a dropped job: it names the run, or the start that came to nothing."""
        at, code = event.at, event.exit_code
        ended = Ended(event.job, event.run, at, at, code, line=event.line, drop=event.drop)
        run = self._runs.pop(event.run, None)
        if run is not None:  # it died without a word of its own
            self._remember(replace(ended, started=run.begun.at))
            return
        for place, one in enumerate(self._history):
            if _same(one, ended):
                self._history[place] = replace(one, line=event.line, drop=event.drop)
                return
        self._remember(ended)

    def _tell_of_drill(self, run: str, differences: int) -> None:
        line = f"drill: {differences} files differed" if differences else "drill: every file was as it should be"
        for place, one in enumerate(self._history):
            if one.run == run:
                self._history[place] = replace(one, line=one.line or line)
        if run in self._runs:
            self._runs[run].line = line

    def snapshot(self, now: datetime) -> Snapshot:
        """Everything as it is at `now`."""
        mounts = [mount for run in self._runs.values() for mount in run.mounts.values()]
        return Snapshot(
            at=now,
            since=self._since,
            changes=self._changes,
            runs=tuple(run.snapshot(now) for run in self._runs.values()),
            mounts=tuple(sorted(mounts, key=lambda mount: mount.opened)),
            mounts_left=tuple(self._left.values()),
            stopping=self._stopping,
            outlook=self._outlook(now),
            history=tuple(one for one in reversed(self._history) if one.run not in self._runs),
            missed=tuple(one for one in reversed(self._missed) if now - one.at < MISSED_FOR),
            session_renewals=self._renewals,
            recent=tuple(reversed(self._recent)),
            limits=tuple(one for one in self._limits.values() if one.value != "none" or one.cause == BY_HAND),
            sites=tuple(self._sites[site] for site in sorted(self._sites)),
        )


def _noteworthy(event: Event) -> bool:
    match event:
        case GroupEnded(state=state):
            return state != GroupState.DONE.value
        case SweepEnded(cleared=cleared):
            return bool(cleared)
        case _:
            return isinstance(event, _NOTEWORTHY)


def _same(one: Ended, other: Ended) -> bool:
    return one.run == other.run if one.run or other.run else bool(one.drop) and one.drop == other.drop
