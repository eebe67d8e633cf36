"""What the outside is told of a command that breaks off, and the notifications that go out beside it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from orchestrator.core.errors import ExitCode, OrchestratorError, StoppedEarly
from orchestrator.core.events import Event, JobEnded, JobNotStarted
from orchestrator.engine.beside import Service, beside
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Clock, Emit


class Docket:
    """The jobs of one command in their order: which have had their run, and which run is going on."""

    def __init__(self, jobs: Sequence[str]) -> None:
        self._waiting = list(jobs)
        self._running: tuple[str, str] | None = None

    def begins(self, job: str, run: str) -> None:
        """The run of the next job begins."""
        self._waiting.pop(0)
        self._running = job, run

    def ends(self) -> None:
        """It has come to its end and said so."""
        self._running = None

    def broken_off(self, error: Exception, at: datetime) -> list[Event]:
        """What is to be told when `error` ends the command: of the run that was going on, and of every job after it.
        Who stops a command before anything has begun knows."""
        if isinstance(error, StoppedEarly):
            return []
        code, line = ExitCode.BUG, f"a mistake in orchestrator itself ({type(error).__name__}); see its output"
        if isinstance(error, OrchestratorError):
            code, line = error.exit_code, str(error)
        told: list[Event] = []
        if self._running is not None:
            told.append(JobEnded(at, "", *self._running, code, "", line))
        return [*told, *(JobNotStarted(at, "", job, code, line) for job in self._waiting)]


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
