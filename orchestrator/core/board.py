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
    JobEnded,
    JobHeld,
    JobNotStarted,
    JobRejected,
    JobTaken,
    MountDeleted,
    MountGone,
    MountLeft,
    Notice,
    OperatorActed,
    QueuePaused,
    RequestAnswered,
    RunEnded,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    Stopping,
)
from orchestrator.core.ledger import GroupState
from orchestrator.core.running import Running
from orchestrator.core.snapshot import Ended, LeftBehind, Snapshot, Upcoming, Waiting

HISTORY = 100
"""Ended runs and jobs that are kept."""

RECENT = 50
LEFT_KEPT = 200
MISSED_KEPT = 20
QUEUE_SHOWN = 100
UPCOMING_SHOWN = 20

MISSED_FOR = timedelta(days=7)
"""How long a missed due time stays on the page."""

_NOTEWORTHY = (
    RunStarted,
    RunEnded,
    MountGone,
    MountLeft,
    SessionRenewed,
    Stopping,
    Notice,
    JobRejected,
    JobNotStarted,
    ScheduleMissed,
    QueuePaused,
    DeadlineInDanger,
    DrillEnded,
    OperatorActed,
)


class Board:
    """A running fold over all events of a process; `add` costs the same however long that process lives.

    `history` is what earlier processes did, newest first, as far as it is to be shown. `upcoming` gives what the clock
    will start; it is asked at every snapshot and must not block.
    """

    def __init__(
        self,
        since: datetime,
        history: Sequence[Ended] = (),
        upcoming: Callable[[datetime], Iterable[Upcoming]] = lambda now: (),
    ) -> None:
        self.changes = 0
        self._since = since
        self._upcoming = upcoming
        self._runs: dict[str, Running] = {}
        self._history: deque[Ended] = deque(list(history)[:HISTORY][::-1], maxlen=HISTORY)
        self._left: dict[str, LeftBehind] = {}
        self._waiting: dict[str, Waiting] = {}
        self._drop_of: dict[str, str] = {}
        self._paused = False
        self._stopping = ""
        self._missed: deque[ScheduleMissed] = deque(maxlen=MISSED_KEPT)
        self._renewals = 0
        self._recent: deque[Event] = deque(maxlen=RECENT)

    def add(self, event: Event) -> None:
        """Fold one event in."""
        if isinstance(event, RequestAnswered):
            return  # many, and nothing of them is shown
        self.changes += 1
        if isinstance(event, _NOTEWORTHY) or (isinstance(event, GroupEnded) and event.state != GroupState.DONE.value):
            self._recent.append(event)
        if isinstance(event, RunStarted):
            self._begin(event)
        elif (run := self._runs.get(getattr(event, "run", ""))) is not None:
            run.add(event)
        self._fold(event)

    def know_left(self, mounts: Iterable[LeftBehind]) -> None:
        """The mounts that nobody holds and that may still be open, as the journal knows them: at the start and after
        every sweep. Until the next time, events add to them and take from them."""
        self.changes += 1
        self._left = {mount.href: mount for mount in mounts}

    def _fold(self, event: Event) -> None:
        match event:
            case RunEnded():
                self._end(event)
            case MountLeft(at, run, _, vm, server, href, cause):
                self._left[href] = LeftBehind(at, run, vm, server, href, cause)
                if len(self._left) > LEFT_KEPT:
                    del self._left[next(iter(self._left))]
            case MountDeleted(href=href):
                self._left.pop(href, None)
            case SessionRenewed():
                self._renewals += 1
            case Stopping(how=how, run=""):
                self._stopping = how
            case QueuePaused(paused=paused):
                self._paused = paused
            case ScheduleMissed():
                self._missed.append(event)
            case DrillEnded(run=run, differences=differences):
                self._tell_of_drill(run, differences)
            case JobTaken() | JobHeld() | JobRejected() | JobNotStarted() | JobEnded():
                self._queue(event)
            case _:
                pass

    def _begin(self, event: RunStarted) -> None:
        self._runs[event.run] = Running(event)
        drops = [one for one in self._waiting.values() if one.job == event.job]
        if drops:  # an event of a run does not say which drop it came from; one that is held it was not
            self._drop_of[event.run] = min(drops, key=lambda one: bool(one.cause)).drop

    def _end(self, event: RunEnded) -> None:
        self._drop_of.pop(event.run, None)
        run = self._runs.pop(event.run, None)
        if run is not None:
            self._remember(run.ended(event))

    def _remember(self, ended: Ended) -> None:
        """A run that goes on after it was stopped stands in the history once, as it ended last."""
        if ended.run:
            self._history = deque((one for one in self._history if one.run != ended.run), maxlen=HISTORY)
        self._history.append(ended)

    def _queue(self, event: JobTaken | JobHeld | JobRejected | JobNotStarted | JobEnded) -> None:
        match event:
            case JobTaken(at, drop, file, job, _, owner):
                self._waiting[drop] = Waiting(drop, job, at, file, owner)
            case JobHeld(at, drop, job, until, cause):
                known = self._waiting.get(drop, Waiting(drop, job, at))
                self._waiting[drop] = replace(known, until=until, cause=cause)
            case JobRejected(at, file, message=message):
                self._remember(Ended(file, "", at, at, int(ExitCode.WORDS), line=message))
            case JobNotStarted(at, drop, job, code, message):
                self._remember(Ended(job, "", at, at, code, line=message, drop=drop))
            case JobEnded():
                self._settle(event)

    def _settle(self, event: JobEnded) -> None:
        """The last word on a dropped job: it names the run, or the start that came to nothing."""
        self._waiting.pop(event.drop, None)
        self._drop_of.pop(event.run, None)
        run = self._runs.pop(event.run, None)
        if run is not None:  # it died without a word of its own
            self._remember(Ended(event.job, event.run, run.begun.at, event.at, event.exit_code))
        for place, one in enumerate(self._history):
            if (one.run == event.run) if event.run else (one.drop == event.drop):
                self._history[place] = replace(one, line=event.line, drop=event.drop)
                return
        self._remember(
            Ended(event.job, event.run, event.at, event.at, event.exit_code, line=event.line, drop=event.drop)
        )

    def _tell_of_drill(self, run: str, differences: int) -> None:
        line = f"drill: {differences} files differed" if differences else "drill: every file was as it should be"
        for place, one in enumerate(self._history):
            if one.run == run:
                self._history[place] = replace(one, line=one.line or line)
        if run in self._runs:
            self._runs[run].line = line

    def snapshot(self, now: datetime) -> Snapshot:
        """Everything as it is at `now`."""
        running = set(self._drop_of.values())
        waiting = [one for one in self._waiting.values() if one.drop not in running]
        mounts = [mount for run in self._runs.values() for mount in run.mounts.values()]
        return Snapshot(
            at=now,
            since=self._since,
            changes=self.changes,
            runs=tuple(run.snapshot(now) for run in self._runs.values()),
            mounts=tuple(sorted(mounts, key=lambda mount: mount.opened)),
            mounts_left=tuple(self._left.values()),
            paused=self._paused,
            stopping=self._stopping,
            queue=tuple(waiting[:QUEUE_SHOWN]),
            queue_length=len(waiting),
            upcoming=tuple(sorted(self._upcoming(now), key=lambda one: one.due)[:UPCOMING_SHOWN]),
            history=tuple(reversed(self._history)),
            missed=tuple(one for one in reversed(self._missed) if now - one.at < MISSED_FOR),
            session_renewals=self._renewals,
            recent=tuple(reversed(self._recent)),
        )
