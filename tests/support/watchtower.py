"""A watcher in virtual time: the real engine over ports in memory, on a loop whose clock jumps to the next timer.

Two weeks pass in about a second, and always in the same order: nothing runs in a thread.
"""

import asyncio
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from orchestrator.core.drops import DropRow
from orchestrator.core.errors import DropFolderUnusable, OrchestratorError
from orchestrator.core.events import Event, JobEnded, RunEnded, RunStarted
from orchestrator.core.job import read_job
from orchestrator.core.ledger import RunState, Totals
from orchestrator.core.limits import Limits
from orchestrator.core.report import LeftMount, Report
from orchestrator.core.settling import DropFile
from orchestrator.engine import deadlines, intake, serving
from orchestrator.engine.answering import Answering, Patience, Ran, Restore
from orchestrator.engine.books import Books
from orchestrator.engine.intake import Intake, IntakeSettings
from orchestrator.engine.queueing import Queue
from orchestrator.engine.rooms import EngineSettings
from orchestrator.engine.seats import Seats
from orchestrator.engine.serving import Ask, Serving
from orchestrator.engine.stopping import Stop
from orchestrator.engine.timetable import Timetable
from tests.support.fakes import MemoryJournal

TAG = "abc123"

LONGEST = 40 * 86400.0
"""Seconds of virtual time after which a story has got stuck."""


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for a timer, the clock is put forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found and timeout != 0:
            assert timeout is not None, "everybody waits for somebody else"
            self.now += timeout
            assert self.now < LONGEST, "the story does not come to its end"
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class _Hangs(BaseException):
    """Raised where a real thread would not come back."""


def _hang(*_: Any) -> None:
    raise _Hangs


async def _at_once(
    function: Callable[..., Any], *arguments: Any, abandon_on_cancel: bool = False, limiter: Any = None
) -> Any:
    """In place of a thread. The wait for the drop folder takes virtual time; all else takes none. A thread that is not
    abandoned is waited for, whoever is cancelled."""
    await anyio.lowlevel.checkpoint()
    try:
        found = function(*arguments)
    except _Hangs:
        found = anyio.sleep_forever()
    if not isinstance(found, Coroutine):
        return found
    with anyio.CancelScope(shield=not abandon_on_cancel):
        return await found


def in_virtual_time(story: Callable[[], Awaitable[None]], patch: pytest.MonkeyPatch) -> None:
    """Run a whole story on a loop of its own."""
    patch.setattr(to_thread, "run_sync", _at_once)
    # What is looked at every second is looked at every minute, or two weeks would be a million looks.
    patch.setattr(serving, "OBEY_EVERY", 60.0)
    patch.setattr(deadlines, "FORECAST_EVERY", 120.0)
    patch.setattr(intake, "SLICE", 600.0)

    async def tell() -> None:
        await story()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(tell())


@dataclass
class MemoryFolder:
    """Incoming and ClaimedJobs over dictionaries. With `trouble`, nothing can be done with it; the methods in `hang` do
    not come back."""

    incoming: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    active: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    ended: list[tuple[str, str, str]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    hang: set[str] = field(default_factory=set)

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name != "hang" and name in self.hang:
            return _hang
        return super().__getattribute__(name)

    def drop(self, content: str, name: str = "night.toml") -> None:
        """What a person does. Another content is another time."""
        self.incoming[name] = content.encode(), hash(content)

    def _usable(self) -> None:
        if self.trouble:
            raise DropFolderUnusable(folder="memory", cause=self.trouble)

    def look(self) -> list[DropFile]:
        self._usable()
        return [DropFile(name, len(data), time) for name, (data, time) in self.incoming.items()]

    def wait(self, seconds: float) -> Any:
        return anyio.sleep(seconds)

    def read(self, file: DropFile) -> tuple[bytes, str] | None:
        self._usable()
        found = self.incoming.get(file.name)
        return (found[0], "operator") if found and found[1] == file.mtime_ns else None

    def claim(self, row: DropRow, file: DropFile) -> bool:
        self._usable()
        if self.read(file) is None:
            return False
        self.active[row.id] = row.file, self.incoming.pop(file.name)[0]
        return True

    def reject(self, row: DropRow, message: str) -> None:
        self._usable()
        del self.active[row.id]
        self.answers[row.file] = message

    def refuse(self, file: DropFile, message: str) -> None:
        self._usable()
        self.answers.setdefault(file.name, message)

    def claimed(self, tag: str) -> list[tuple[str, str]]:
        self._usable()
        return [(id, name) for id, (name, _) in sorted(self.active.items()) if id.startswith(f"{tag}-")]

    def content(self, row: DropRow) -> bytes | None:
        self._usable()
        return self.active[row.id][1] if row.id in self.active else None

    def put(self, row: DropRow, content: bytes) -> None:
        self._usable()
        self.active[row.id] = row.file, content

    def first(self, row: DropRow) -> str:
        self._usable()
        known = self.seen.setdefault(row.digest, row.id)
        return "" if known == row.id else known

    def forget(self, row: DropRow) -> None:
        self._usable()
        self.seen.pop(row.digest, None)

    def end(self, row: DropRow, folder: str, line: str, beside: Mapping[str, Path]) -> None:
        self._usable()
        self.active.pop(row.id, None)
        self.ended.append((row.job, folder, line))


@dataclass
class Made:
    """A run as the world remembers it: how much of it is done, in virtual seconds."""

    job: str
    length: float
    done: float = 0.0
    finished: bool = False


@dataclass
class World:
    """Everything that outlives a watcher, and the clock on the wall. `lengths` are the seconds that a job takes."""

    start: datetime
    lengths: dict[str, float] = field(default_factory=dict)
    folder: MemoryFolder = field(default_factory=MemoryFolder)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    events: list[Event] = field(default_factory=list)
    runs: dict[str, Made] = field(default_factory=dict)
    worked: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    logons: list[datetime] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    tidied: list[datetime] = field(default_factory=list)
    poll: float = 20.0
    em_is_away: OrchestratorError | None = None
    refuses: OrchestratorError | None = None
    ends: Callable[[Report], Report] = lambda report: report
    most_at_once: int = 0
    ahead: timedelta = timedelta()
    _running: int = 0
    _numbers: int = 0

    def now(self) -> datetime:
        return self.start + self.ahead + timedelta(seconds=asyncio.get_running_loop().time())

    async def until(self, time: datetime) -> None:
        await anyio.sleep(max(0.0, (time - self.now()).total_seconds()))

    def told(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    def starts(self, job: str) -> list[datetime]:
        return [event.at for event in self.told(RunStarted) if event.job == job and not event.resumed]

    def lines(self, job: str) -> list[str]:
        return [event.line for event in self.told(JobEnded) if event.job == job]

    def _tidy(self) -> None:
        self.tidied.append(self.now())

    def _take_asked(self) -> list[Ask]:
        asked, self.asked = self.asked, []
        return asked

    def _id(self) -> str:
        self._numbers += 1
        return f"{TAG}-{self._numbers:08x}"

    @asynccontextmanager
    async def _period(self, stop: Stop) -> AsyncIterator[Restore]:
        self.logons.append(self.now())
        if self.em_is_away is not None:
            raise self.em_is_away
        yield self._restore

    async def _restore(self, row: DropRow, content: bytes, stop: Stop, begun: Callable[[str], Awaitable[None]]) -> Ran:
        """A run that takes its time, and stops when it is asked to."""
        job = read_job(content, row.file).name
        if self.refuses is not None:
            raise self.refuses
        resumed = row.run in self.runs
        run = row.run or f"{job}-{self.now():%Y%m%dT%H%M%SZ}"
        made = self.runs.setdefault(run, Made(job, self.lengths.get(job, 60.0)))
        await begun(run)
        self.events.append(RunStarted(self.now(), run, job, 1, resumed))
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        began = self.now()
        try:
            with anyio.move_on_after(made.length - made.done):
                await stop.requested()
        finally:
            self._running -= 1
            made.done += (self.now() - began).total_seconds()
            self.worked.append((job, began, self.now()))
        made.finished = made.done >= made.length - 0.001
        self.events.append(RunEnded(self.now(), run, 0 if made.finished else 6, Totals(), 1, 1, 0))
        return Ran(self.ends(self._report(run, made, began)))

    def _report(self, run: str, made: Made, began: datetime) -> Report:
        state = RunState.FINISHED if made.finished else RunState.STOPPED
        code = 0 if made.finished else 6
        left: tuple[LeftMount, ...] = ()
        return Report(run, made.job, state.value, began, self.now(), code, Totals(), (), (), {}, 1, 1, left)

    @asynccontextmanager
    async def watcher(self, at_once: int = 2, once: bool = False) -> AsyncIterator[Serving]:
        """A watcher that works while this is open, and is asked to stop at its end."""
        watcher, stop = self.build(at_once, once), Stop(self.events.append, self.now)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.serve, stop)
            yield watcher
            stop.drain()

    @asynccontextmanager
    async def killed(self, at_once: int = 2) -> AsyncIterator[Serving]:
        """A watcher that is gone from one moment to the next at the end."""
        watcher, stop = self.build(at_once, False), Stop(self.events.append, self.now)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.serve, stop)
            yield watcher
            tasks.cancel_scope.cancel()

    def build(self, at_once: int, once: bool) -> Serving:
        def emit(event: Event) -> None:
            self.events.append(event)

        settings = EngineSettings(Limits(4), lambda _: None)
        books = Books(self.journal, _NoSession(), "https://em", self._id, self.now)
        queue = Queue(at_once, emit, self.now)
        table = Timetable(self.journal, self.journal, self.folder, queue, books, emit, self.now, timedelta(hours=1))
        settings_of_intake = IntakeSettings(TAG, poll=self.poll)
        jobs_come_in = Intake(
            self.folder,
            self.folder,
            self.journal,
            queue,
            table,
            books,
            settings_of_intake,
            emit,
            self.now,
            self._id,
            lambda run: {".report.json": Path(run)},
        )
        patience = Patience(once=once)
        answering = Answering(jobs_come_in, queue, self.folder, self.journal, books, patience, emit, self.now)
        return Serving(
            jobs_come_in, table, queue, Seats(settings, emit, self.now), answering, self.journal, self.journal,
            books, self._period, patience, self._take_asked, self._tidy, "jobs",
            emit, self.now,
        )  # fmt: skip


class _NoSession:
    generation = 0

    async def open(self) -> int:
        return 0

    async def touch(self) -> None: ...

    async def close(self) -> None: ...

    def forget(self) -> None: ...

    def sealed(self) -> bytes:
        return b""


def job_text(name: str, **more: Any) -> str:
    """A job file; `more` are its keys."""
    keys: Sequence[str] = [f"{key} = {_toml(value)}" for key, value in more.items()]
    return "\n".join([f'name = "{name}"', *keys, "[[restore]]", 'vm = "fs01"', 'paths = ["*"]', 'to = "/restore"', ""])


def _toml(value: Any) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case str():
            return f'"{value}"'
        case _:
            return str(value)
