"""The queue as a person looks at it: which jobs wait, run or recur, and when each begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.drops import DropRow, DropState
from orchestrator.core.job import Job
from orchestrator.core.queue import Hold, QueueEntry


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
    rows: Sequence[DropRow], jobs: Mapping[str, Job], seen: Mapping[str, datetime], now: datetime
) -> list[QueueLine]:
    """What runs first, then what waits in the order of turns, then what recurs. `jobs` are what the claimed files say,
    by claim; `seen` is up to when due times have been dealt with, by job."""
    running: list[QueueLine] = []
    unreadable: list[QueueLine] = []
    waiting: list[tuple[QueueEntry, QueueLine]] = []
    recurring: list[QueueLine] = []
    for row in rows:
        job = jobs.get(row.id)
        if row.state is DropState.RUNNING:
            running.append(_line(row, job, "running", None, ""))
        elif job is None:
            unreadable.append(_line(row, None, "held", None, "its file in active cannot be read"))
        elif (due := job.due_times) is not None and row.due is None:
            begins = due.next_after(seen.get(row.job, row.taken))
            recurring.append(_line(row, job, "recurring", begins, f"schedule {job.schedule} ({job.time_zone})"))
        else:
            entry = QueueEntry.of(job, row.id, row.taken, row.run, row.next_try)
            hold = Hold.of(entry, now)
            line = _line(row, job, "held" if hold.cause else "waiting", hold.until, hold.cause)
            waiting.append((entry, line))
    waiting.sort(key=lambda pair: pair[0].turn)
    return [*running, *(line for _, line in waiting), *unreadable, *recurring]


def _line(row: DropRow, job: Job | None, state: str, begins: datetime | None, cause: str) -> QueueLine:
    priority = job.priority if job else 0
    return QueueLine(row.job, state, priority, row.taken, begins, cause, row.run, row.file)
