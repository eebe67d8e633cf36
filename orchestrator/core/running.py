"""One run that is going on, folded from its events for the status page."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.core.events import (
    DeadlineInDanger,
    Event,
    FileProblem,
    FilesDone,
    GroupEnded,
    GroupPutOff,
    GroupsStuck,
    GroupStarted,
    LimitChanged,
    MountDeleted,
    MountGone,
    MountOpened,
    OtherPointTaken,
    RunEnded,
    RunStarted,
    Stopping,
)
from orchestrator.core.ledger import GroupState
from orchestrator.core.snapshot import Ended, Example, GroupNow, OpenMount, ProblemsNow, RunNow
from orchestrator.core.tally import Tally

EXAMPLES = 3
"""Files kept for each reason; the report has them all."""

UNDONE_SHOWN = 20
ENDED_SHOWN = 3


@dataclass(slots=True)
class Running:
    """The fold. What it keeps is bounded by the plan of the run, never by the number of its files."""

    begun: RunStarted
    tally: Tally = field(default_factory=Tally)
    mounts: dict[str, OpenMount] = field(default_factory=dict)
    line: str = ""
    _moved: datetime = field(init=False)
    _active: dict[str, None] = field(default_factory=dict)
    _undone: dict[str, str] = field(default_factory=dict)
    _ended: deque[str] = field(default_factory=lambda: deque(maxlen=ENDED_SHOWN))
    _reasons: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, deque[Example]] = field(default_factory=dict)
    _stopping: str = ""
    _danger: DeadlineInDanger | None = None
    stuck_because: tuple[str, ...] = ()
    """Why groups wait that nobody can take."""

    def __post_init__(self) -> None:
        self._moved = self.begun.at
        self.tally.add(self.begun)

    def add(self, event: Event) -> None:
        """Fold one event of this run in."""
        self.tally.add(event)
        match event:
            case Stopping(how=how):
                self._stopping = how
                return
            case LimitChanged():
                return
            case DeadlineInDanger():
                self._danger = event
                return
            case GroupsStuck(why=why):
                self.stuck_because = why
                return
            case GroupStarted(group=group):
                self._active[group] = None
                self._undone.pop(group, None)
            case GroupPutOff(group=group) | OtherPointTaken(group=group):
                self._active.pop(group, None)
            case GroupEnded():
                self._end(event)
            case MountOpened(at, run, group, vm, server, href):
                self.mounts[href] = OpenMount(run, group, vm, server, href, at)
            case MountDeleted(href=href) | MountGone(href=href):
                self.mounts.pop(href, None)
            case FileProblem():
                self._problem(event)
            case FilesDone(solved=solved):
                for _, reason, files in solved:
                    self._reasons[reason] -= files
        self._moved = event.at

    def _end(self, event: GroupEnded) -> None:
        self._active.pop(event.group, None)
        if event.state == GroupState.DONE.value:
            self._ended.append(event.group)
        else:
            self._undone[event.group] = event.message

    def _problem(self, event: FileProblem) -> None:
        self._reasons[event.reason] += 1
        group = self.tally.groups.get(event.group)
        example = Example(event.at, group.vm if group else "", event.guest_path, event.message)
        self._examples.setdefault(event.reason, deque(maxlen=EXAMPLES)).appendleft(example)

    def ended(self, event: RunEnded) -> Ended:
        """What is kept of the run when it is through."""
        return Ended(
            job=self.begun.job,
            run=self.begun.run,
            started=self.begun.at,
            ended=event.at,
            exit_code=event.exit_code,
            totals=event.totals,
            problems=tuple((+self._reasons).most_common()),
            mounts_left=event.mounts_left,
            line=self.line,
        )

    def snapshot(self, now: datetime) -> RunNow:
        """Where the run is."""
        tally, begun = self.tally, self.begun
        opened = {mount.group: mount.opened for mount in self.mounts.values()}
        active = tuple(self._group(name, opened) for name in self._active)
        undone = [self._group(name, opened) for name in list(self._undone)[: -UNDONE_SHOWN - 1 : -1]]
        ended = [self._group(name, opened) for name in reversed(self._ended)]
        files_rate, bytes_rate = tally.rate(now)
        eta = tally.eta(now)
        deadline, forecast = self._deadline(now, eta)
        return RunNow(
            run=begun.run,
            job=begun.job,
            started=begun.at,
            resumed=begun.resumed,
            groups_planned=tally.planned,
            groups_ended=tally.ended,
            groups_failed=sum(tally.groups[name].state == GroupState.FAILED.value for name in self._undone),
            groups_waiting=max(0, tally.planned - tally.ended - len(active)),
            groups=active,
            ended_groups=(*undone, *ended),
            totals=tally.totals,
            files_done=tally.files_done,
            files_found=tally.files_found,
            bytes_done=tally.bytes_done,
            bytes_found=tally.bytes_found,
            progress=self._progress(active),
            files_per_second=files_rate,
            bytes_per_second=bytes_rate,
            eta_seconds=eta,
            moved=self._moved,
            stopping=self._stopping,
            paused=tally.paused,
            deadline=deadline,
            forecast=forecast,
            late=deadline is not None and forecast is not None and forecast > deadline,
            mounts_open=len(self.mounts),
            mounts_opened=tally.mounts_opened,
            mounts_deleted=tally.mounts_deleted,
            mounts_left=tally.mounts_left,
            problems=tuple(
                ProblemsNow(reason, count, tuple(self._examples[reason]))
                for reason, count in (+self._reasons).most_common()
            ),
            groups_stuck=tally.stuck,
            stuck_because=self.stuck_because,
        )

    def _deadline(self, now: datetime, eta: float | None) -> tuple[datetime | None, datetime | None]:
        """(deadline, forecast). What was foreseen when the danger was told holds only until more is known."""
        forecast = now + timedelta(seconds=eta) if eta is not None else None
        if self._danger is None:
            return None, forecast
        return self._danger.deadline, forecast or self._danger.forecast

    def _progress(self, active: tuple[GroupNow, ...]) -> float:
        if not self.tally.planned:
            return 1.0
        through = self.tally.ended + sum(group.share or 0.0 for group in active)
        return min(1.0, through / self.tally.planned)

    def _group(self, name: str, opened: dict[str, datetime]) -> GroupNow:
        group, done = self.tally.groups[name], self.tally.group_bytes_done(name)
        part, whole = (done, group.bytes) if group.bytes else (group.totals.files, group.files)
        share = (min(1.0, part / whole) if whole else 1.0) if group.scanned else None
        return GroupNow(
            group=name,
            vm=group.vm,
            backup_server=group.backup_server,
            state=group.state,
            files_done=group.totals.files,
            files_found=group.files,
            bytes_done=done,
            bytes_found=group.bytes,
            share=share,
            problems=group.totals.refused + group.totals.failed,
            started=group.started,
            opened=opened.get(name),
            message=self._undone.get(name, ""),
        )
