"""The watcher's story: drop folder, queue and timetable are opened, and jobs run until a stop is asked for."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from orchestrator.announcing import announced
from orchestrator.app import books_of, go_on, logged_on, run_plan
from orchestrator.artefacts import read_report, run_folder
from orchestrator.config import Config
from orchestrator.core.dropped import is_document, read_dropped
from orchestrator.core.drops import DrillRow, DropRow
from orchestrator.core.errors import ExitCode, RunUnknown, WordsError
from orchestrator.core.events import Event, Notice, RunStarted
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.plan import plan_from_json
from orchestrator.core.snapshot import Outlook
from orchestrator.core.waiting import QueueLine, queue_lines
from orchestrator.drilling import Finished, finish_drill
from orchestrator.engine.answering import Answering, Patience, Ran, Restore
from orchestrator.engine.beside import in_thread
from orchestrator.engine.books import Books
from orchestrator.engine.intake import Intake, IntakeSettings
from orchestrator.engine.queueing import Queue
from orchestrator.engine.resting import Resting
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.serving import Ask, Companion, Serving
from orchestrator.engine.stopping import Stop
from orchestrator.engine.timetable import Timetable
from orchestrator.inbox import DropFolder
from orchestrator.journal import Journal, is_locked
from orchestrator.listing import NamedJob
from orchestrator.opening import App, Listen, belonging, new_id, now, steered, stopped_from_outside
from orchestrator.own_jobs import own_jobs, tag_of
from orchestrator.planning import checked_plan
from orchestrator.pruning import prune
from orchestrator.resting import let_go
from orchestrator.which_run import new_run

BESIDE = {"report.json": ".report.json", "report.html": ".report.html", "residual.toml": ".residual.toml"}
"""What is put beside an ended job, of the files in the folder of its run."""


LISTS = "lists"
"""The folder below the drop folder in which the lists that dropped jobs name must be: the watcher may read more than
those who drop."""


class Watch:
    """A watcher over the opened rooms. Made before the event loop starts; `folder` is usable by then."""

    def __init__(self, config: Config, listen: Listen) -> None:
        """DropFolderUnusable when jobs could neither come in nor be answered."""
        self._listeners = [listen]
        self._serving: Serving | None = None
        self.folder = DropFolder(config.watch.folder)
        self.folder.prepare()

    def hear(self, event: Event) -> None:
        """Every event of the process, for those who are told and for the watcher itself."""
        for listen in self._listeners:
            listen(event)
        if self._serving is not None:
            self._serving.hear(event)

    def also_tell(self, listen: Listen) -> None:
        """One more who is told of every event from now on."""
        self._listeners.append(listen)

    def outlook(self) -> Outlook:
        """What comes next, as far as that is known before the watcher has begun and after its end."""
        return self._serving.outlook() if self._serving else Outlook()

    def hindrances(self) -> list[str]:
        """Why no job would be begun just now; nothing when one would."""
        return self._serving.hindrances() if self._serving else ["the watcher is not at work"]

    async def do(self, ask: Ask) -> bool:
        """Do what somebody asks for; False when there is no such run, or nobody to do it any more."""
        return await self._serving.do(ask) if self._serving else False

    async def serve(self, app: App, *, once: bool = False, beside: Sequence[Companion] = ()) -> ExitCode:
        """Watch until a stop is asked for, or with `once` until nothing is left to do; `beside` runs as long. What the
        watcher may leave behind decides the exit code; how each job ended stands beside it. StateError when the
        journal fails."""
        rooms = app.rooms()
        books = books_of(rooms)
        told = announced(app.services, app.listen, now, app.docket)
        stopped = stopped_from_outside(app.listen, app.config.state.folder, app.must_end)
        async with told, stopped as stop, belonging(app):
            seats = Seats(rooms.settings, rooms.emit, rooms.clock)
            resting = Resting(lambda: let_go(app, books))
            self._serving = self._built(app, rooms, books, seats, once, resting)
            try:
                async with steered(app, seats):
                    await self._serving.serve(stop, [*beside, resting.rest])
            finally:
                self._serving = None
            left = await books.ask(app.leases.open_leases)
        if app.fleet is not None:
            app.fleet.check_outdated()
        return ExitCode.MOUNTS_LEFT if left else ExitCode.OK

    def _built(self, app: App, rooms: Rooms, books: Books, seats: Seats, once: bool, resting: Resting) -> Serving:
        config, journal = app.config, own_jobs(app.config, app.journal)
        watch, tag = config.watch, tag_of(config.state.folder)
        queue = Queue(watch.runs, rooms.emit, rooms.clock)
        timetable = Timetable(
            journal, journal, self.folder, queue, books, rooms.emit, rooms.clock, timedelta(seconds=watch.misfire_grace)
        )
        intake = Intake(
            self.folder, self.folder, journal, queue, timetable, books,
            IntakeSettings(tag, watch.settle, watch.poll), rooms.emit, rooms.clock, lambda: f"{tag}-{new_id()[:8]}",
            lambda run: _beside(config, run),
        )  # fmt: skip
        restorer = _Restorer(app, rooms, books, seats, resting)
        patience = Patience(watch.retries, watch.retry_after, once)
        answering = Answering(intake, queue, self.folder, journal, books, patience, rooms.emit, rooms.clock)
        return Serving(
            intake, timetable, queue, seats, answering, app.leases, journal, books, restorer.period, patience,
            lambda: take_asked(config.state.folder),
            lambda: _tidy(app), str(watch.folder), rooms.emit, rooms.clock,
        )  # fmt: skip


class _Restorer:
    """Runs the jobs of a watcher, all of them under one logon session and with one set of seats."""

    def __init__(self, app: App, rooms: Rooms, books: Books, seats: Seats, resting: Resting) -> None:
        self._app = app
        self._rooms = rooms
        self._books = books
        self._seats = seats
        self._resting = resting

    @asynccontextmanager
    async def period(self, stop: Stop) -> AsyncIterator[Restore]:
        """Logged on and swept while it is open."""
        with self._resting.work():
            async with logged_on(self._app, self._rooms, self._books, stop):
                yield self._restore

    async def _restore(self, row: DropRow, content: bytes, stop: Stop, begun: Callable[[str], Awaitable[None]]) -> Ran:
        app, rooms, books = self._app, _owned(self._rooms, row.owner), self._books
        job = await in_thread(partial(read_dropped, content, row.file))
        known = await books.ask(_run_of, app.journal, row.run)
        if known is not None and known.state is RunState.FINISHED:  # only its answer was still to be given
            finished = Finished(await books.ask(read_report, app.journal, app.config, row.run))
            one = await in_thread(partial(plan_from_json, known.plan))
            return _ran(await finish_drill(app, books, stop, one, finished) if one.scratch else finished)
        if known is not None:
            await begun(known.id)
            return _ran(await go_on(app, rooms, books, stop, known, self._seats, job.priority))
        if is_document(content):
            return await self._restore_planned(row, content, stop, begun, job.priority)
        with stop.forestalls():
            run = row.run or await books.ask(new_run, app.journal, job.name, (), "", app.run_tag)
            named = NamedJob(job, row.file, content, app.config.watch.folder / LISTS, confined=True)
            one = await checked_plan(app, rooms, books, named, run, keep_going=False)
        await begun(run)
        return _ran(await run_plan(app, rooms, books, stop, content, one, self._seats, job.priority))

    async def _restore_planned(
        self, row: DropRow, content: bytes, stop: Stop, begun: Callable[[str], Awaitable[None]], priority: int
    ) -> Ran:
        """As `orchestrator run` does with a plan: as it stands, or not at all. PlanDiffers."""
        from orchestrator.freezing import compare_survey, read_frozen, thawed_plan  # what few ever drop

        app, rooms, books = self._app, _owned(self._rooms, row.owner), self._books
        frozen = await in_thread(partial(read_frozen, content, row.file))
        plan, job_text = frozen.document.plan, frozen.document.job_text.encode()
        with stop.forestalls():
            run = row.run or await books.ask(new_run, app.journal, plan.job, (), plan.run, app.run_tag)
            one = await thawed_plan(app, rooms, frozen, run)
        await compare_survey(app, rooms, books, stop, self._seats, frozen, one)
        await begun(run)
        return _ran(await run_plan(app, rooms, books, stop, job_text, one, self._seats, priority, content))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What earlier processes of this watcher have left behind: a journal that others use too has more."""

    app: App

    def heads(self) -> list[RunRow]:
        return self.app.journal.heads()

    def drills(self) -> list[DrillRow]:
        return self.app.journal.drills()

    def open_leases(self) -> list[LeaseRow]:
        return self.app.leases.open_leases()

    def unfinished_drops(self) -> list[DropRow]:
        return own_jobs(self.app.config, self.app.journal).unfinished_drops()

    def paused(self) -> bool:
        return own_jobs(self.app.config, self.app.journal).paused()


def _owned(rooms: Rooms, owner: str) -> Rooms:
    """`rooms` for the run of a dropped job, which says whose it was."""

    def emit(event: Event) -> None:
        rooms.emit(replace(event, owner=owner) if isinstance(event, RunStarted) else event)

    return replace(rooms, emit=emit)


def _ran(finished: Finished) -> Ran:
    return Ran(finished.report, finished.error)


def _beside(config: Config, run: str) -> dict[str, Path]:
    """The files of a run that are put beside its job; those that there are. Blocks."""
    folder = run_folder(config, run)
    return {suffix: folder / name for name, suffix in BESIDE.items() if (folder / name).exists()}


def _tidy(app: App) -> None:
    """Forget old runs. What cannot be removed is told and tried again the next day. Blocks."""
    days = app.config.watch.keep_days
    if days is None:
        return
    pruned = prune(app.config, app.journal, now() - timedelta(days=days), dry=False)
    if pruned.removed:
        app.listen(Notice(now(), f"{len(pruned.removed)} runs that ended more than {days} days ago were removed"))
    for run, cause in pruned.left.items():
        app.listen(Notice(now(), f"{run} could not be removed: {cause}"))


def _run_of(journal: Journal, run: str) -> RunRow | None:
    try:
        return journal.run(run) if run else None
    except RunUnknown:
        return None


def take_asked(state: Path) -> Sequence[Ask]:
    """What people have asked for by files in the state folder (`pause`, `unpause`, `sweep`, `drain.RUN`, `cancel.RUN`).
    Each is removed; one that cannot be is not obeyed."""
    asked = []
    try:
        files = list(state.iterdir())
    except OSError:
        return ()  # the journal lies there too, and says so better
    for file in files:
        word, _, run = file.name.partition(".")
        if (word in ("pause", "unpause", "sweep") and not run) or (word in ("drain", "cancel") and run):
            try:
                file.unlink()
            except OSError:
                continue
            asked.append(Ask(word, run))
    return asked


def queue_of(config: Config, journal: Journal) -> tuple[list[QueueLine], bool]:
    """(the queue, whether it is paused) as the journal and the drop folder have it now. Blocks."""
    folder, own = DropFolder(config.watch.folder), own_jobs(config, journal)
    rows, jobs = own.unfinished_drops(), {}
    for row in rows:
        with suppress(WordsError):  # told in its line
            content = folder.content(row)
            if content is not None:
                jobs[row.id] = read_dropped(content, row.file)
    seen = {one.job: one.seen for one in own.schedules()}
    watched = is_locked(config.state.folder)
    return queue_lines(rows, jobs, seen, now(), watched=watched, at_once=config.watch.runs), own.paused()
