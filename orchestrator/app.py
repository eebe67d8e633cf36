"""The roof: one command's story told in calls. The rooms are opened in `opening`, plans are made in `planning`.

No decision is made here.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from orchestrator.announcing import announced
from orchestrator.artefacts import (
    checksum_of,
    files_anew,
    keep_changes,
    keep_job,
    read_report,
    run_folder,
    write_artefacts,
    written,
)
from orchestrator.config import Config
from orchestrator.core.entries import has_content
from orchestrator.core.entry import Compare, Verify
from orchestrator.core.errors import ExitCode, OrchestratorError, StateUnusable, worst
from orchestrator.core.events import Notice, SweepEnded, WorkerReady
from orchestrator.core.ledger import LeaseRow, RunRow, RunState
from orchestrator.core.lifecycle import OPEN_STATES
from orchestrator.core.looks import is_look
from orchestrator.core.plan import Plan, comparing, plan_from_json, plan_to_json
from orchestrator.core.report import LeftMount, left_mount, reported
from orchestrator.drilling import Finished, finish_drill
from orchestrator.engine.beside import in_thread
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.restore import Ending, leave, run_job
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.stopping import Stop
from orchestrator.engine.sweeping import sweep
from orchestrator.engine.verifying import Verified, verify
from orchestrator.files import Sidecar
from orchestrator.guest_accounts import accounts, names_in
from orchestrator.journal import Journal, is_locked
from orchestrator.listing import NamedJob
from orchestrator.opening import (
    App,
    Listen,
    belonging,
    hiring_of,
    make_notifier,
    now,
    opened,
    reading,
    steered,
    stopped_from_outside,
)
from orchestrator.planning import checked_plan, close, show_plans
from orchestrator.reaching import make_verifier
from orchestrator.which_run import new_run, resumable

if TYPE_CHECKING:
    from orchestrator.engine.serving import Companion
    from orchestrator.freezing import FrozenPlan
    from orchestrator.handing_out import Perish

__all__ = [
    "App",
    "Finished",
    "Listen",
    "NamedJob",
    "exit_code",
    "is_locked",
    "left_mounts",
    "make_notifier",
    "now",
    "opened",
    "reading",
    "resume_run",
    "run_jobs",
    "serve_units",
    "show_plans",
    "stopped_from_outside",
    "sweep_mounts",
    "verify_run",
]


async def run_jobs(
    app: App, jobs: "Sequence[NamedJob | FrozenPlan]", keep_going: bool, compare: Compare | None = None
) -> list[Finished]:
    """Run `jobs`, or plans that were frozen, one after the other. Every plan is made before the first run begins; after
    a stop the others are only begun, so that `resume` knows of them. `compare` is instead of what the jobs say."""
    rooms = app.rooms()
    async with announced(app.services, app.listen, now, app.docket), working(app, rooms) as (books, stop, seats):
        plans: list[Plan] = []
        with stop.forestalls():
            for named in jobs:
                frozen = "" if isinstance(named, NamedJob) else named.document.plan.run
                run = await books.ask(new_run, app.journal, named.name, [one.run for one in plans], frozen, app.run_tag)
                if not isinstance(named, NamedJob):
                    from orchestrator.freezing import thawed_plan  # all that looks at plans, for who has one

                    plans.append(await thawed_plan(app, rooms, named, run))
                    continue
                one = await checked_plan(app, rooms, books, named, run, keep_going)
                plans.append(comparing(one, compare) if compare else one)
        for named, one in zip(jobs, plans, strict=True):
            if not isinstance(named, NamedJob):
                from orchestrator.freezing import compare_survey

                await compare_survey(app, rooms, books, stop, seats, named, one)
        finished = []
        for named, one in zip(jobs, plans, strict=True):
            content, document = named.content, b""
            if not isinstance(named, NamedJob):
                content, document = named.document.job_text.encode(), named.content
            finished.append(await run_plan(app, rooms, books, stop, content, one, seats, document=document))
        return finished


async def run_plan(
    app: App,
    rooms: Rooms,
    books: Books,
    stop: Stop,
    content: bytes,
    one: Plan,
    seats: Seats | None = None,
    priority: int = 0,
    document: bytes = b"",
) -> Finished:
    """Run a plan whose job file was `content`, and which came from `document` if it was frozen."""
    row = await in_thread(lambda: _new_row(app.config, one))
    kept = await books.ask(keep_job, app.config, row.id, content, document)
    await _tell_written(app, books, row.id, kept)
    return await _run(app, rooms, books, stop, one, row, seats, priority)


async def go_on(
    app: App, rooms: Rooms, books: Books, stop: Stop, row: RunRow, seats: Seats | None = None, priority: int = 0
) -> Finished:
    """Go on with a run that the journal knows, as its row says."""
    again = replace(row, state=RunState.RUNNING, ended=None, exit_code=None, checksum=checksum_of(app.config, row))
    one = await in_thread(lambda: plan_from_json(row.plan))
    return await _run(app, rooms, books, stop, one, again, seats, priority)


async def _run(
    app: App, rooms: Rooms, books: Books, stop: Stop, one: Plan, row: RunRow, seats: Seats | None, priority: int
) -> Finished:
    """Every run has a target of its own: its kind of checksum, its sidecar, and its half-copied large files.
    RunFollowed when it is going on elsewhere, before anything of it is changed."""
    if app.fleet is not None:
        await books.ask(app.fleet.desk.check_followed, row.id, app.fleet.me)
    checksum, read_back = checksum_of(app.config, row), one.verify is Verify.READ_BACK
    guests = accounts(app.config, names_in(one))
    with closing(Sidecar(run_folder(app.config, row.id))) as sidecar:
        target = app.target.hashing(checksum, sidecar, read_back=read_back)
        rooms = replace(
            rooms,
            target=target,
            accounts=guests,
            flush=target.flush if rooms.flush is not None else None,
            hiring=hiring_of(app.config, checksum, read_back, run_folder(app.config, row.id)),
        )
        dispatching = None
        if app.fleet is not None:
            from orchestrator.handing_out import deferring  # who is alone pays for no fleet

            rooms, dispatching = deferring(app, rooms, books, stop, one, seats)
        ending = await run_job(one, row, rooms, books, stop, app.watch, seats, priority, dispatching=dispatching)
        with suppress(TimeoutError):  # a dead disk: what is left there is removed when the file is begun anew
            await Calls(rooms.settings.stall).run("destination", lambda beat: target.forget_interrupted())
    finished = await _finish(app, books, ending)
    return await finish_drill(app, books, stop, one, finished) if one.scratch else finished


async def resume_run(app: App, run: str | None, compare: Compare | None = None) -> Finished:
    """Go on with a run that was stopped or died; without `run` the newest such run. RunUnknown if there is none.
    `compare` is instead of what its job says."""
    rooms = app.rooms()
    followed = frozenset[str]()
    if app.fleet is not None:
        followed = await books_of(rooms).ask(app.fleet.desk.followed, app.fleet.me, app.fleet.earlier)
    row = await books_of(rooms).ask(resumable, app.journal, run, followed)
    if compare is not None:
        row = replace(row, plan=plan_to_json(comparing(plan_from_json(row.plan), compare)))
    app.docket.expect([row.job])
    async with announced(app.services, app.listen, now, app.docket), working(app, rooms) as (books, stop, seats):
        return await go_on(app, rooms, books, stop, row, seats)


async def serve_units(
    app: App, site: str, mounts: int, name: str, perish: "Perish", companions: "Sequence[Companion]" = ()
) -> None:
    """Serve a fleet as a worker, until a stop is asked for and nothing is in hand any more; `companions` run as long.
    NameTaken, ProgramOutdated, and what ends the process as a whole; called dead, it perishes."""
    from orchestrator.engine.serving_units import UnitServer
    from orchestrator.handing_out import worker_post

    rooms = app.rooms()
    books, seats = books_of(rooms), Seats(rooms.settings, rooms.emit, rooms.clock)
    post = worker_post(app, books, site, mounts, name, perish)
    async with (
        stopped_from_outside(app.listen, app.config.state.folder, app.must_end) as stop,
        logged_on(app, rooms, books, stop),
    ):
        app.listen(WorkerReady(now(), post.member.name, site, mounts))
        await UnitServer(post, rooms, books, stop, app.watch, seats).serve(companions)
    if app.fleet is not None:
        app.fleet.check_outdated()


async def sweep_mounts(app: App, within: float) -> tuple[list[LeaseRow], list[LeaseRow]]:
    """(cleared, left): what dead runs had left at EM. A stop gives up waiting, never a DELETE that has begun."""
    rooms = app.rooms()
    stopped = stopped_from_outside(app.listen, app.config.state.folder, app.must_end)
    async with belonging(app), app.client, stopped as stop:
        try:
            with stop.forestalls():
                await app.client.open()
                cleared, left = await sweep(rooms, books_of(rooms), within)
                app.listen(_swept(cleared, left))
                return cleared, left
        finally:
            await close(app.client)
    raise AssertionError("a forestalled block returns or raises")


async def verify_run(config: Config, journal: Journal, run: RunRow, tell: Callable[[int, int], None]) -> Verified:
    """Re-read everything that `run` restored."""
    threads = min(config.limits.copies, 4 * (os.cpu_count() or 1))
    algorithm = checksum_of(config, run)
    with closing(make_verifier(config)) as copies:
        return await verify(
            filter(has_content, journal.restored(run.id)),
            lambda path, check: copies.verify_file(path, algorithm, check),
            threads,
            tell,
        )


@asynccontextmanager
async def working(app: App, rooms: Rooms) -> AsyncIterator[tuple[Books, Stop, Seats]]:
    """Signals and control socket obeyed, logged on, leftovers swept; logged off at the end unless a mount is left."""
    books, seats = books_of(rooms), Seats(rooms.settings, rooms.emit, rooms.clock)
    async with (
        stopped_from_outside(app.listen, app.config.state.folder, app.must_end) as stop,
        steered(app, seats),
        logged_on(app, rooms, books, stop),
    ):
        yield books, stop, seats


@asynccontextmanager
async def logged_on(app: App, rooms: Rooms, books: Books, stop: Stop) -> AsyncIterator[None]:
    """Logged on, leftovers swept; logged off at the end unless a mount is left. StoppedEarly while logging on."""
    async with belonging(app), app.client:
        with stop.forestalls():
            generation = await app.client.open()
        try:
            await books.session_id(generation)
            with stop.forestalls():
                await _sweep_before(app, rooms, books)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await _leave(app, rooms, books)


async def _leave(app: App, rooms: Rooms, books: Books) -> None:
    try:
        await leave(rooms, books)
    except (OrchestratorError, TimeoutError) as error:
        app.listen(Notice(now(), f"the session could not be logged off and will expire by itself: {error}"))


def books_of(rooms: Rooms) -> Books:
    """The way to the journal for one process."""
    return Books(rooms.leases, rooms.session, rooms.em_url, rooms.new_id, rooms.clock)


async def _sweep_before(app: App, rooms: Rooms, books: Books) -> None:
    """No new mount before the old ones are dealt with; a run is not held up by what cannot be proved."""
    cleared, left = await sweep(rooms, books, within=0)
    if app.fleet is None:  # in a fleet it may be another's look that goes on just now
        await books.ask(_forget_looks, app.journal)
    if cleared or left:
        app.listen(_swept(cleared, left))
    if cleared:
        app.listen(Notice(now(), f"swept {len(cleared)} mount(s) that an earlier run had left"))
    if left:
        app.listen(
            Notice(now(), f"{len(left)} mount(s) of earlier runs may still be open; `orchestrator sweep` tells which")
        )


def _forget_looks(journal: Journal) -> None:
    """Forget surveys that were killed, once their mounts are gone. Blocks."""
    for row in journal.runs():
        if is_look(row.id) and not any(one.state in OPEN_STATES for one in journal.leases(row.id)):
            journal.forget_run(row.id)


def _swept(cleared: Sequence[LeaseRow], left: Sequence[LeaseRow]) -> SweepEnded:
    def names(rows: Sequence[LeaseRow]) -> tuple[str, ...]:
        return tuple(row.mount_href or row.task_href or row.point.mounts_href for row in rows)

    return SweepEnded(now(), names(cleared), names(left))


def _new_row(config: Config, one: Plan) -> RunRow:
    checksum = "none" if one.verify is Verify.NONE else config.copying.checksum
    return RunRow(one.run, one.job, RunState.RUNNING, now(), plan_to_json(one), checksum=checksum)


async def _finish(app: App, books: Books, ending: Ending) -> Finished:
    """The report, told even when its files cannot be written."""
    try:
        await books.ask(keep_changes, app.config, ending.row.id, ending.changes)
        report = await books.ask(write_artefacts, app.journal, app.config, ending.row.id)
        app.listen(reported(report, now()))
        await _tell_written(app, books, ending.row.id, files_anew(report))
        return Finished(report, ending.error)
    except StateUnusable as error:
        report = await books.ask(read_report, app.journal, app.config, ending.row.id)
        app.listen(reported(report, now()))
        return Finished(replace(report, files={}), ending.error or error)


async def _tell_written(app: App, books: Books, run: str, files: Mapping[str, str]) -> None:
    for event in await books.ask(written, run, files, now):
        app.listen(event)


def exit_code(finished: Sequence[Finished]) -> ExitCode:
    """The worst exit code of several runs."""
    codes = [ExitCode(one.report.exit_code or 0) for one in finished]
    return worst(*codes, *(one.error.exit_code for one in finished if one.error is not None))


def left_mounts(rows: Sequence[LeaseRow]) -> list[LeftMount]:
    """What is known of mounts that a sweep could not clear."""
    return [left_mount(row) for row in rows]
