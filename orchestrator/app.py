"""The roof: opens every room on one exit stack, hands the real things to the engine, and closes them again.

No decision is made here; a function here is one command's story told in calls.
"""

import os
import random
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from orchestrator.artefacts import keep_job, read_report, write_artefacts
from orchestrator.config import BackupServerSettings, Config, read_password
from orchestrator.core.errors import (
    ExitCode,
    JobInvalid,
    OrchestratorError,
    StateError,
    StateUnusable,
    WordsError,
    worst,
)
from orchestrator.core.events import Event, Notice
from orchestrator.core.job import Job
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.limits import Limits
from orchestrator.core.plan import Plan, plan, plan_from_json, plan_to_json, questions, without
from orchestrator.core.report import LeftMount, Report, left_mount
from orchestrator.core.words import listed
from orchestrator.engine.books import Books
from orchestrator.engine.preflight import preflight
from orchestrator.engine.restore import LOG_OFF_WITHIN, Ending, leave, run_job
from orchestrator.engine.rooms import EngineSettings, Reach, Rooms
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop, obeying
from orchestrator.engine.sweeping import sweep
from orchestrator.engine.verifying import Verified, verify
from orchestrator.enterprise_manager import Client, ssl_context
from orchestrator.files import LocalSource, LocalTarget, verify_file
from orchestrator.journal import Journal, open_journal

Listen = Callable[[Event], None]


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Finished:
    """One run as a command shows it. `error` is what cut it short, when something did."""

    report: Report
    error: OrchestratorError | None = None


@dataclass(frozen=True, slots=True)
class NamedJob:
    """A job with the file it came from."""

    job: Job
    place: str
    content: bytes = field(repr=False)


@dataclass(slots=True)
class App:
    """The rooms, opened. `listen` takes every event."""

    config: Config
    client: Client
    journal: Journal
    target: LocalTarget
    listen: Listen
    watch: SessionWatch

    def rooms(self) -> Rooms:
        """Everything the engine is given."""
        config = self.config
        return Rooms(
            catalogue=self.client,
            mounts=self.client,
            browser=self.client,
            session=self.client,
            reviver=self.client,
            source=LocalSource(),
            target=self.target,
            runs=self.journal,
            leases=self.journal,
            outcomes=self.journal,
            emit=self.listen,
            clock=now,
            new_id=_new_id,
            em_url=config.enterprise_manager.url,
            settings=engine_settings(config),
            folds_case=self.target.folds_case,
            flush=self.target.flush if config.copying.durable == "batch" else None,
        )


def _new_id() -> str:
    return uuid.uuid4().hex


def engine_settings(config: Config) -> EngineSettings:
    """The engine's slice of the config."""
    limits = config.limits
    default = config.backup_server("*")
    return EngineSettings(
        limits=Limits(
            limits.mounts,
            {server.name: server.max_mounts for server in config.backup_servers},
            default.max_mounts if default else BackupServerSettings.model_fields["max_mounts"].default,
        ),
        reach=lambda name: _reach(config.backup_server(name)),
        copies=limits.copies,
        mount_timeout=limits.mount_timeout,
        folder_timeout=limits.folder_timeout,
        unmount_timeout=limits.unmount_timeout,
        keep_alive=config.enterprise_manager.keep_alive,
        grace=limits.grace,
        poll_first=limits.poll_interval,
        poll_most=max(limits.poll_interval, 10.0),
        stall=limits.stall_timeout,
        reserve=limits.reserve_mib << 20,
        space_wait=limits.space_wait,
        failure_rate=limits.failure_rate,
        failure_floor=limits.failure_floor,
    )


def _reach(server: BackupServerSettings | None) -> Reach | None:
    return Reach(tuple(server.shares), server.volumes) if server else None


@contextmanager
def opened(config: Config, listen: Listen) -> Iterator[App]:
    """The rooms on one exit stack. Everything that blocks or may be wrong is opened here, before the loop starts.

    ConfigInvalid for a password or CA file that is not there; StateError for the journal.
    """
    with ExitStack() as stack:
        watch = SessionWatch(listen, now)
        client = _client(config, watch)
        journal = stack.enter_context(closing(open_journal(config.state.folder)))
        durable = config.copying.durable == "file"
        target = LocalTarget(config.targets.allow, config.copying.checksum, durable=durable)
        stack.enter_context(closing(target))
        yield App(config, client, journal, target, listen, watch)


def _client(config: Config, watch: SessionWatch | None = None) -> Client:
    settings = config.enterprise_manager
    return Client(
        settings,
        read_password(settings),
        ssl=ssl_context(settings),
        clock=now,
        random=random.random,
        sleep=anyio.sleep,
        on_renewed=watch.renewed if watch else None,
    )


@contextmanager
def reading(config: Config) -> Iterator[Journal]:
    """The journal for looking only: takes no lock, works while a run is going on. StateError when there is none."""
    with closing(open_journal(config.state.folder, read_only=True)) as journal:
        yield journal


@asynccontextmanager
async def stopped_from_outside(listen: Listen, state: Path) -> AsyncIterator[Stop]:
    """A Stop that SIGINT, SIGTERM, a lost terminal and a file named `stop` in the state folder ask for."""
    stop = Stop(listen, now)
    with anyio.open_signal_receiver(*_stop_signals()) as signals:
        async with obeying(stop, signals, lambda: _take_stop_file(state)):
            yield stop


def _stop_signals() -> list[signal.Signals]:
    """A connection that breaks hangs up on the run, which must not leave its mounts behind; under nohup it may."""
    hang_up = [one for one in signal.Signals if one.name == "SIGHUP" and signal.getsignal(one) is not signal.SIG_IGN]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


def _take_stop_file(state: Path) -> bool:
    """Remove `stop` from the state folder; whether it was there. A file that cannot be removed asks only once."""
    try:
        (state / "stop").unlink()
    except OSError:
        return False
    return True


async def _find_plan(client: Client, config: Config, named: NamedJob, run: str, history: Mapping[str, float]) -> Plan:
    """Ask EM every distinct question of a job and resolve it; nothing is mounted."""
    catalog = {question: await client.find(question) for question in questions(named.job)}
    return plan(named.job, catalog, run=run, allow=config.targets.allow, history=history)


async def _checked_plan(app: App, rooms: Rooms, books: Books, named: NamedJob, run: str, keep_going: bool) -> Plan:
    """A plan that can be run. JobInvalid or ShareUnreadable unless `keep_going`, which leaves out what cannot be."""
    history = await books.ask(app.journal.vm_seconds)
    found = await _find_plan(app.client, app.config, named, run, history)
    checked = await preflight(found, rooms.target, rooms.source, rooms.settings)
    usable = without(found, checked.destinations, checked.unknown_servers)
    if usable.problems and not keep_going:
        hint = "nothing was mounted; --keep-going runs the other entries"
        raise JobInvalid(place=named.place, problems=listed([*map(str, usable.problems), hint]))
    if checked.unreadable_servers and not keep_going:
        raise next(iter(checked.unreadable_servers.values()))
    return without(usable, {}, {server: str(error) for server, error in checked.unreadable_servers.items()})


async def show_plans(config: Config, jobs: Sequence[NamedJob]) -> list[Plan]:
    """The plans of `jobs`, problems and all; nothing is mounted or written, and no lock is taken."""
    history = _past_seconds(config)
    client = _client(config)
    with closing(LocalTarget(config.targets.allow)) as target:
        async with client, stopped_from_outside(_unheard, config.state.folder) as stop:
            try:
                with stop.forestalls():
                    await client.open()
                    return [await _shown_plan(client, config, named, history, target) for named in jobs]
            finally:
                await _close(client)
    raise AssertionError("a forestalled block returns or raises")


async def _shown_plan(
    client: Client, config: Config, named: NamedJob, history: Mapping[str, float], target: LocalTarget
) -> Plan:
    found = await _find_plan(client, config, named, named.job.name, history)
    checked = await preflight(found, target, LocalSource(), engine_settings(config))
    unreadable = {server: str(error) for server, error in checked.unreadable_servers.items()}
    return without(found, checked.destinations, checked.unknown_servers | unreadable)


def _unheard(_: Event) -> None:
    """For commands that show no events."""


def _past_seconds(config: Config) -> dict[str, float]:
    """How long each machine took before; nothing when there has been no run yet."""
    try:
        with reading(config) as journal:
            return journal.vm_seconds()
    except StateError:
        return {}


async def run_jobs(app: App, jobs: Sequence[NamedJob], keep_going: bool) -> list[Finished]:
    """Run `jobs` one after the other. Every plan is made before the first run begins; after a stop the others are
    only begun, so that `resume` knows of them."""
    rooms = app.rooms()
    async with _working(app, rooms) as (books, stop):
        plans: list[Plan] = []
        with stop.forestalls():
            for named in jobs:
                run = await books.ask(_new_run, app.journal, named.job.name, [one.run for one in plans])
                plans.append(await _checked_plan(app, rooms, books, named, run, keep_going))
        finished = []
        for named, one in zip(jobs, plans, strict=True):
            row = RunRow(one.run, one.job, RunState.RUNNING, now(), plan_to_json(one))
            await books.ask(keep_job, app.config, row.id, named.content)
            ending = await run_job(one, row, rooms, books, stop, app.watch)
            await books.ask(app.target.forget_interrupted)
            finished.append(await _finish(app, books, ending))
        return finished


async def resume_run(app: App, run: str | None) -> Finished:
    """Go on with a run that was stopped or died; without `run` the newest such run. RunUnknown if there is none."""
    rooms = app.rooms()
    async with _working(app, rooms) as (books, stop):
        row = await books.ask(_resumable, app.journal, run)
        again = replace(row, state=RunState.RUNNING, ended=None, exit_code=None)
        ending = await run_job(plan_from_json(row.plan), again, rooms, books, stop, app.watch)
        await books.ask(app.target.forget_interrupted)
        return await _finish(app, books, ending)


async def sweep_mounts(app: App, within: float) -> tuple[list[LeaseRow], list[LeaseRow]]:
    """(cleared, left): what dead runs had left at EM. A stop gives up waiting, never a DELETE that has begun."""
    rooms = app.rooms()
    async with app.client, stopped_from_outside(app.listen, app.config.state.folder) as stop:
        try:
            with stop.forestalls():
                await app.client.open()
                return await sweep(rooms, _books(rooms), within)
        finally:
            await _close(app.client)
    raise AssertionError("a forestalled block returns or raises")


async def verify_run(config: Config, journal: Journal, run: str, tell: Callable[[int, int], None]) -> Verified:
    """Re-read everything that `run` restored."""
    row = journal.run(run)
    threads = min(config.limits.copies, 4 * (os.cpu_count() or 1))
    algorithm = config.copying.checksum
    return await verify(
        journal.restored(row.id), lambda path, check: verify_file(path, algorithm, check), threads, tell
    )


@asynccontextmanager
async def _working(app: App, rooms: Rooms) -> AsyncIterator[tuple[Books, Stop]]:
    """Logged on, leftovers swept, signals obeyed; logged off at the end unless a mount is left."""
    books = _books(rooms)
    async with app.client, stopped_from_outside(app.listen, app.config.state.folder) as stop:
        with stop.forestalls():
            generation = await app.client.open()
        try:
            await books.session_id(generation)
            with stop.forestalls():
                await _sweep_before(app, rooms, books)
            yield books, stop
        finally:
            with anyio.CancelScope(shield=True):
                await _leave(app, rooms, books)


async def _leave(app: App, rooms: Rooms, books: Books) -> None:
    try:
        await leave(rooms, books)
    except (OrchestratorError, TimeoutError) as error:
        app.listen(Notice(now(), f"the session could not be logged off and will expire by itself: {error}"))


def _books(rooms: Rooms) -> Books:
    return Books(rooms.leases, rooms.session, rooms.em_url, rooms.new_id, rooms.clock)


async def _sweep_before(app: App, rooms: Rooms, books: Books) -> None:
    """No new mount before the old ones are dealt with; a run is not held up by what cannot be proved."""
    cleared, left = await sweep(rooms, books, within=0)
    if cleared:
        app.listen(Notice(now(), f"swept {len(cleared)} mount(s) that an earlier run had left"))
    if left:
        app.listen(
            Notice(now(), f"{len(left)} mount(s) of earlier runs may still be open; `orchestrator sweep` tells which")
        )


async def _close(client: Client) -> None:
    """Log off when nothing was mounted; a failure only means that the session expires by itself."""
    with anyio.move_on_after(LOG_OFF_WITHIN, shield=True), suppress(OrchestratorError):
        await client.close()


def _new_run(journal: Journal, job: str, planned: Sequence[str]) -> str:
    """A run id that a person can read, that the journal does not have yet and that no other job of this command has."""
    stem = f"{job}-{now():%Y%m%dT%H%M%SZ}"
    taken = {row.id for row in journal.runs()}.union(planned)
    return next(name for name in (stem, *(f"{stem}-{n}" for n in range(2, 1000))) if name not in taken)


def _resumable(journal: Journal, run: str | None) -> RunRow:
    if run is not None:
        return journal.run(run)
    unfinished = [row for row in journal.runs() if row.state is not RunState.FINISHED]
    if not unfinished:
        raise WordsError(
            what="there is no unfinished run. To try the failed machines of a finished one again, name it: "
            "orchestrator resume RUN; `orchestrator status` lists the runs"
        )
    return unfinished[0]


async def _finish(app: App, books: Books, ending: Ending) -> Finished:
    """The report, told even when its files cannot be written."""
    try:
        return Finished(await books.ask(write_artefacts, app.journal, app.config, ending.row.id), ending.error)
    except StateUnusable as error:
        report = await books.ask(read_report, app.journal, app.config, ending.row.id)
        return Finished(replace(report, files={}), ending.error or error)


def exit_code(finished: Sequence[Finished]) -> ExitCode:
    """The worst exit code of several runs."""
    codes = [ExitCode(one.report.exit_code or 0) for one in finished]
    return worst(*codes, *(one.error.exit_code for one in finished if one.error is not None))


def left_mounts(rows: Sequence[LeaseRow]) -> list[LeftMount]:
    """What is known of mounts that a sweep could not clear."""
    return [left_mount(row) for row in rows]
