"""One job of the watcher, from its place in the queue to its answer, or back into the queue."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from anyio import TASK_STATUS_IGNORED, to_thread
from anyio.abc import TaskStatus

from orchestrator.core.drops import DropRow, DropState, ending_line, retry_delay
from orchestrator.core.errors import ExitCode, OrchestratorError, StateError, StoppedEarly, worst
from orchestrator.core.events import JobNotStarted
from orchestrator.core.ledger import RunState
from orchestrator.core.report import Report
from orchestrator.engine.books import Books
from orchestrator.engine.intake import Intake
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.ports_watch import ClaimedJobs, DropLedger
from orchestrator.engine.queueing import Queue, Running, Waiting
from orchestrator.engine.stopping import Stop

OPERATOR = "an operator"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a job's run ended. `error` is what cut it short."""

    report: Report
    error: OrchestratorError | None = None


Restore = Callable[[DropRow, bytes, Stop, Callable[[str], Awaitable[None]]], Awaitable[Ran]]
"""Runs a job, or goes on with its run. The callable is told the run's id before anything is mounted. Raises
OrchestratorError when no run came of it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a job that failed for a passing reason is tried again, and after how many seconds at first. With
    `once`, the watcher ends when nothing is left to do, and waits for no schedule."""

    retries: int = 3
    first: float = 60.0
    once: bool = False


class Answering:
    """Runs the jobs of one watcher and answers them. Raises StateError when the journal fails, and nothing else of a
    job."""

    def __init__(
        self,
        intake: Intake,
        queue: Queue,
        jobs: ClaimedJobs,
        drops: DropLedger,
        books: Books,
        patience: Patience,
        emit: Emit,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._queue = queue
        self._jobs = jobs
        self._drops = drops
        self._books = books
        self._patience = patience
        self._emit = emit
        self._clock = clock

    async def run(
        self, one: Waiting, stop: Stop, restore: Restore, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
    ) -> None:
        """One job from its place in the queue to its answer, or back into the queue."""
        with stop.part(one.row.run) as mine:
            running = self._queue.begin(one, mine)
            task_status.started()
            try:
                with mine.forestalls():  # the drop folder may hang
                    content = await to_thread.run_sync(self._jobs.content, running.row, abandon_on_cancel=True)
                if content is None:
                    line = "withdrawn: its file was removed from active"
                    await self._intake.finish(running.row, ExitCode.STOPPED, line)
                    return
                ran = await restore(running.row, content, mine, lambda run: self._begun(running, run))
            except StateError:
                raise
            except OrchestratorError as error:
                await self._not_started(running, error)
            else:
                await self._ran(running, ran)
            finally:
                self._queue.end(running)

    async def _begun(self, one: Running, run: str) -> None:
        """The run has an id; from now on the job is answered for by its run."""
        one.row = replace(one.row, run=run, state=DropState.RUNNING, attempts=one.row.attempts + 1)
        one.stop.run = run
        await self._write(one.row)

    async def _ran(self, one: Running, ran: Ran) -> None:
        """What becomes of a job whose run has ended."""
        report, error = ran.report, ran.error
        stopped = report.state != RunState.FINISHED.value
        if isinstance(error, StoppedEarly) and one.by != OPERATOR:
            await self._wait(replace(one.row, attempts=0), one, None)  # a drill that is still to be verified
        elif stopped and error is None and one.by != OPERATOR and one.stop.draining and (one.by or one.stop.with_all):
            await self._wait(replace(one.row, attempts=0), one, None)  # it goes on when window and watcher allow
        elif stopped and error is not None and error.exit_code is ExitCode.EM and self._may_try_again(one.row):
            await self._wait(one.row, one, self._clock() + retry_delay(one.row.attempts, self._patience.first))
        else:
            await self._answer(one, ran)

    async def _not_started(self, one: Running, error: OrchestratorError) -> None:
        """No run came of it: later, when the reason may pass, else the job is answered."""
        if isinstance(error, StoppedEarly) and one.by != OPERATOR:
            await self._wait(one.row, one, None)
            return
        one.row = row = replace(one.row, attempts=one.row.attempts + (not one.row.run))
        self._emit(JobNotStarted(self._clock(), row.id, row.job, int(error.exit_code), str(error)))
        if (error.transient or error.exit_code is ExitCode.EM) and self._may_try_again(row):
            await self._wait(row, one, self._clock() + retry_delay(row.attempts, self._patience.first))
            return
        await self._intake.finish(one.row, error.exit_code, f"not started: {error}")

    def _may_try_again(self, row: DropRow) -> bool:
        return row.attempts <= self._patience.retries

    async def _answer(self, one: Running, ran: Ran) -> None:
        report, error = ran.report, ran.error
        code = worst(ExitCode(report.exit_code or 0), *([error.exit_code] if error else []))
        line = ending_line(report) + (f"; {error}" if error else "")
        if report.state != RunState.FINISHED.value:
            by = f"stopped by {one.by}; " if one.by else ""
            line += f"; {by}{_goes_on(report.run)}"
        await self._intake.finish(one.row, code, line)

    async def _wait(self, row: DropRow, one: Running, next_try: datetime | None) -> None:
        row = replace(row, state=DropState.WAITING, next_try=next_try)
        await self._write(row)
        self._queue.again(one, row)

    async def _write(self, row: DropRow) -> None:
        await self._books.ask(self._drops.write_drop, row)


def _goes_on(run: str) -> str:
    """How an answered job goes on. `resume` is refused for as long as this watcher has the state folder."""
    again = "to go on, drop it again with `again = true`"
    return f"{again}; or end the watcher, then `orchestrator resume {run}`"
