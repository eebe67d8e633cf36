"""The queue as a person looks at it: which jobs wait, run or recur, and when each begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.drops import DropRow, DropState
from orchestrator.core.job import Job
from orchestrator.core.queue import Hold, QueueEntry

NOBODY = "no watcher is running"
DIED = "its watcher has ended; it goes on when one is started"
AGAIN = "tried again after a failure that may pass"
NEXT = "its turn is next; if it does not begin, the watcher's log says why"


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One job. `state` is running, waiting, held or recurring; `begins` is None when only its turn is waited for."""

    job: str
    state: str
    priority: int
    taken: datetime
    begins: datetime | None
    cause: str
    run: str
    file: str


def queue_lines(
    rows: Sequence[DropRow],
    jobs: Mapping[str, Job],
    seen: Mapping[str, datetime],
    now: datetime,
    *,
    watched: bool,
    at_once: int,
) -> list[QueueLine]:
    """What runs first, then what waits in the order of turns, then what recurs. `jobs` are what the claimed files say,
    by claim; `seen` is up to when due times have been dealt with, by job; `watched`: there is a watcher, which runs
    `at_once` jobs at once."""
    running: list[QueueLine] = []
    unreadable: list[QueueLine] = []
    waiting: list[tuple[QueueEntry, QueueLine]] = []
    recurring: list[QueueLine] = []
    begun = [row.job for row in rows if row.state is DropState.RUNNING]
    for row in rows:
        job = jobs.get(row.id)
        if row.state is DropState.RUNNING:
            running.append(_line(row, job, "running", None, "" if watched else DIED))
        elif job is None:
            unreadable.append(_line(row, None, "held", None, "its file in active cannot be read"))
        elif (due := job.due_times) is not None and row.due is None:
            begins = due.next_after(seen.get(row.job, row.taken))
            recurring.append(_line(row, job, "recurring", begins, f"schedule {job.schedule} ({job.time_zone})"))
        else:
            entry = QueueEntry.of(job, row.id, row.taken, row.run, row.next_try)
            waiting.append((entry, _waits(row, job, Hold.of(entry, now), watched, begun, at_once)))
    waiting.sort(key=lambda pair: pair[0].turn)
    return [*running, *(line for _, line in waiting), *unreadable, *recurring]


def _waits(row: DropRow, job: Job, hold: Hold, watched: bool, begun: Sequence[str], at_once: int) -> QueueLine:
    if not watched:
        return _line(row, job, "waiting", hold.until, NOBODY)
    if hold.cause:
        return _line(row, job, "held", hold.until, AGAIN if hold.until == row.next_try else hold.cause)
    if row.job in begun:
        return _line(row, job, "waiting", None, "another run of the same job is going on")
    if len(begun) >= at_once:
        return _line(row, job, "waiting", None, f"watch.runs = {at_once}: that many run already")
    return _line(row, job, "waiting", None, NEXT)


def _line(row: DropRow, job: Job | None, state: str, begins: datetime | None, cause: str) -> QueueLine:
    priority = job.priority if job else 0
    return QueueLine(row.job, state, priority, row.taken, begins, cause, row.run, row.file)
