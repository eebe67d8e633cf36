"""What the outside is told of a command that breaks off, and the notifications that go out beside it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from orchestrator.core.errors import ExitCode, OrchestratorError, StoppedEarly
from orchestrator.core.events import Event, JobEnded, JobNotStarted, RunEnded, RunStarted
from orchestrator.engine.beside import Service, beside
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Clock, Emit


class Docket:
    """Which jobs a command still has to run, and which runs are going on: a fold over its events."""

    def __init__(self, jobs: Sequence[str] = ()) -> None:
        self._waiting = list(jobs)
        self._running: dict[str, str] = {}

    def expect(self, jobs: Sequence[str]) -> None:
        """Which jobs there are turns out to be this."""
        self._waiting = list(jobs)

    def add(self, event: Event) -> None:
        """Fold one event in."""
        match event:
            case RunStarted(run=run, job=job):
                self._running[run] = job
                if job in self._waiting:
                    self._waiting.remove(job)
            case RunEnded(run=run):
                self._running.pop(run, None)
            case _:
                pass

    def broken_off(self, error: Exception, at: datetime) -> list[Event]:
        """What is to be told when `error` ends the command: of every run that was going on, and of every job that has
        had none. Who stops a command before anything has begun knows."""
        if isinstance(error, StoppedEarly):
            return []
        code, line = ExitCode.BUG, f"a mistake in orchestrator itself ({type(error).__name__}); see its output"
        if isinstance(error, OrchestratorError):
            code, line = error.exit_code, str(error)
        broken = [JobEnded(at, "", job, run, code, "", line) for run, job in self._running.items()]
        return [*broken, *(JobNotStarted(at, "", job, code, line) for job in self._waiting)]


@asynccontextmanager
async def announced(services: Sequence[Service], emit: Emit, clock: Clock, docket: Docket) -> AsyncIterator[None]:
    """The block, with `services` beside it. When it breaks off, that is told before the error goes on."""
    async with beside(services, emit, clock):
        try:
            with one_error():
                yield
        except Exception as error:
            for event in docket.broken_off(error, clock()):
                emit(event)
            raise


async def announce_unopened(
    services: Sequence[Service], emit: Emit, clock: Clock, docket: Docket, error: Exception
) -> None:
    """Tell of a command that `error` kept from beginning, and wait as long as `services` linger."""
    async with beside(services, emit, clock):
        for event in docket.broken_off(error, clock()):
            emit(event)
