"""One job on one page: the witness writes what the work does, and outlives it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from anyio import CancelScope, create_memory_object_stream, create_task_group, fail_after

from orchestrator.core.errors import ExitCode, OrchestratorError, worst
from orchestrator.core.events import FilesDone, LimitChanged, Notice, RunEnded, RunPaused, RunStarted
from orchestrator.core.falling_back import plan_as_taken
from orchestrator.core.ledger import GroupRow, GroupState, RunRow, RunState, Totals
from orchestrator.core.lifecycle import OPEN_STATES, LeaseState
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.report import exit_code_of
from orchestrator.core.select import Selector
from orchestrator.engine.books import Books
from orchestrator.engine.controls import Controls, RunControl
from orchestrator.engine.dispatching import EmbeddedDispatcher
from orchestrator.engine.gathering import one_error
from orchestrator.engine.groups import GroupRunner
from orchestrator.engine.learning import recall
from orchestrator.engine.locating import Locator
from orchestrator.engine.ports_dispatch import Dispatcher, Dispatching, Turn
from orchestrator.engine.proving import Prover
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.scribe import Handed, Outbox, Scribe, Written
from orchestrator.engine.seats import Seats
from orchestrator.engine.sessions import SessionWatch, keep_alive
from orchestrator.engine.stages import Staged
from orchestrator.engine.stopping import Stop

LOG_OFF_WITHIN = 60.0
"""Seconds that the log-off may take; a session that is not logged off expires by itself."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. `error` is what stopped it, when something did; then it can be resumed. `changes` are limits and
    pauses that were changed meanwhile."""

    row: RunRow
    error: OrchestratorError | None = None
    changes: Sequence[LimitChanged | RunPaused] = ()


async def run_job(
    plan: Plan,
    row: RunRow,
    rooms: Rooms,
    books: Books,
    stop: Stop,
    watch: SessionWatch,
    seats: Seats | None = None,
    priority: int = 0,
    surveyor: Staged | None = None,
    dispatching: Dispatching | None = None,
) -> Ending:
    """Run every group of `plan` that is not done yet; all mounts are released when this returns. With a `surveyor`
    nothing is copied: it is given what the walks find. Without `dispatching` the work is done in this process.

    `seats` are shared with the other runs of this process; of those that wait for one, higher `priority` goes first.
    Raises StateError when the journal fails, and MountLeft when a mount stays besides; the rest is in the Ending.
    """
    locator = Locator(rooms.source, rooms.browser, rooms.settings, lambda text: rooms.emit(Notice(rooms.clock(), text)))
    groups, resumed = await _begin(plan, row, rooms, books)
    done = len(plan.groups) - len(groups)
    rooms.emit(RunStarted(rooms.clock(), row.id, row.job, len(plan.groups), resumed, done))
    await _announce_earlier(row, rooms, books)
    seats = seats or Seats(rooms.settings, rooms.emit, rooms.clock)
    await recall(rooms, books, seats)
    here = partial(EmbeddedDispatcher, seats, stop, priority=priority)
    error, changes = await work_on(
        plan, groups, rooms, books, stop, watch, seats, locator, dispatching or here, surveyor
    )
    await settle_lost(row.id, rooms, books, locator, stop)
    return replace(await _end(plan, row, rooms, books, error, stop), changes=changes)


async def work_on(
    plan: Plan,
    groups: Sequence[MountGroup],
    rooms: Rooms,
    books: Books,
    stop: Stop,
    watch: SessionWatch,
    seats: Seats,
    locator: Locator,
    dispatching: Dispatching,
    surveyor: Staged | None = None,
) -> tuple[OrchestratorError | None, Sequence[LimitChanged | RunPaused]]:
    """Do what a dispatcher brings of `groups`, with the one writer beside it. What ended the work, if not its own end;
    and what was changed of its limits meanwhile. Raises StateError and MountLeft."""
    written: Written = {}
    error: OrchestratorError | None = None
    with one_error(), seats.controls.of(plan) as control:
        dispatcher = dispatching(control)
        runner = GroupRunner(rooms, books, plan.run, stop, watch, locator, seats, control, written, surveyor)
        async with create_task_group() as witness:
            outbox, inbox = create_memory_object_stream[Handed](rooms.settings.copies * 2)
            scribe = Scribe(rooms, books, plan.run, stop, written)
            witness.start_soon(scribe.write, inbox)
            async with outbox:
                try:
                    error = await _work(groups, rooms, dispatcher, runner, outbox, stop, seats.controls, control)
                finally:
                    await runner.close()
    return error, tuple(control.changes)


async def _begin(plan: Plan, row: RunRow, rooms: Rooms, books: Books) -> tuple[list[MountGroup], bool]:
    """The groups still to be done, and whether an earlier process has begun this run."""
    known = {one.group: one for one in await books.ask(rooms.runs.groups, row.id)}
    await books.ask(rooms.runs.begin, row)
    if known:
        plan = await as_begun(plan, row.id, rooms, books)
    todo = [
        group for group in plan.groups if known.get(group.id) is None or known[group.id].state is not GroupState.DONE
    ]
    for group in todo:
        await books.ask(rooms.runs.write_group, GroupRow(row.id, group.id, group.vm, GroupState.WAITING))
    return todo, bool(known)


async def as_begun(plan: Plan, run: str, rooms: Rooms, books: Books) -> Plan:
    """The plan with the restore points that earlier processes have turned to. A group that has restored from one stays
    with it: files of two restore points in one place would be worth nothing."""
    taken = plan_as_taken(plan, await books.ask(rooms.leases.leases, run))
    totals = await books.ask(rooms.outcomes.totals, run)
    kept = {name for name, one in totals.items() if one.files}
    kept |= {row.group for row in await books.ask(rooms.originals.originals, run)}
    groups = (replace(group, others=()) if group.id in kept else group for group in taken.groups)
    return replace(plan, groups=tuple(groups))


async def _announce_earlier(row: RunRow, rooms: Rooms, books: Books) -> None:
    """What earlier processes of this run have settled counts from the start, so that the sum of what is told in one
    process is what the report says."""
    for group, totals in (await books.ask(rooms.outcomes.totals, row.id)).items():
        rooms.emit(FilesDone(rooms.clock(), row.id, group, totals, totals.bytes))


async def _work(
    groups: Sequence[MountGroup],
    rooms: Rooms,
    dispatcher: Dispatcher,
    runner: GroupRunner,
    outbox: Outbox,
    stop: Stop,
    controls: Controls,
    control: RunControl,
) -> OrchestratorError | None:
    """Do the work; None, or what ended the process's part in it. A stop is no error."""
    try:
        with one_error():
            async with create_task_group() as work:
                with stop.governs(work.cancel_scope):
                    work.start_soon(keep_alive, rooms.session, rooms.settings.keep_alive, rooms.emit, rooms.clock)
                    work.start_soon(stop.enforce_grace, rooms.settings.grace)
                    work.start_soon(_let_go_on_stop, stop, controls, control)
                    work.start_soon(runner.tell_of_stop)
                    if rooms.settings.bandwidths.timetable.lines:
                        work.start_soon(controls.keep_time)
                    await dispatcher.dispatch(groups, lambda group, turn: _restore(group, turn, runner, outbox))
                    work.cancel_scope.cancel()
    except OrchestratorError as error:
        if error.exit_code in (ExitCode.STATE, ExitCode.MOUNTS_LEFT):
            raise
        return error
    return None


async def _let_go_on_stop(stop: Stop, controls: Controls, control: RunControl) -> None:
    await stop.requested()
    controls.let_go(control)


async def _restore(group: MountGroup, turn: Turn, runner: GroupRunner, outbox: Outbox) -> MountGroup | None:
    return await runner.restore(group, turn, outbox.clone(), _chooser(group))


def _chooser(group: MountGroup) -> Callable[[Selection], Selector]:
    return lambda one: Selector(one.include, one.exclude, ignore_case=group.windows, bounds=one.bounds)


async def settle_lost(
    run: str, rooms: Rooms, books: Books, locator: Locator, stop: Stop, session: Callable[[str], bool] | None = None
) -> None:
    """Prove from outside what became of the mounts whose session ended, all at once; a second request to stop ends
    the wait, and what is not proved then counts as left. With `session` only those of sessions of which it says so."""
    prover = Prover(rooms, books, locator)
    lost = [lease for lease in await books.ask(rooms.leases.leases, run) if lease.state is LeaseState.LOST]
    lost = [lease for lease in lost if session is None or session(lease.session)]
    with one_error(), CancelScope() as waiting, stop.governs(waiting):
        async with create_task_group() as settling:
            for lease in lost:
                settling.start_soon(prover.settle, lease, rooms.settings.folder_timeout)


async def _end(
    plan: Plan, row: RunRow, rooms: Rooms, books: Books, error: OrchestratorError | None, stop: Stop
) -> Ending:
    groups = await books.ask(rooms.runs.groups, row.id)
    leases = await books.ask(rooms.leases.leases, row.id)
    totals = sum((await books.ask(rooms.outcomes.totals, row.id)).values(), Totals())
    unfinished = any(one.state not in (GroupState.DONE, GroupState.FAILED) for one in groups)
    code = exit_code_of(plan, groups, leases, totals, stopped=stop.draining and unfinished)
    if error is not None:
        code = worst(code, error.exit_code)
    state = RunState.STOPPED if unfinished or error is not None else RunState.FINISHED
    row = replace(row, state=state, ended=rooms.clock(), exit_code=int(code))
    await books.ask(rooms.runs.end, row)
    opened = sum(1 for lease in leases if lease.mount_href)
    left = sum(1 for lease in leases if lease.state in OPEN_STATES)
    deleted = sum(1 for lease in leases if lease.mount_href and lease.state not in OPEN_STATES)
    rooms.emit(RunEnded(rooms.clock(), row.id, int(code), totals, opened, deleted, left))
    return Ending(row, error)


async def leave(rooms: Rooms, books: Books) -> None:
    """Log off and erase the tokens of sessions that hold nothing. A session that still holds a mount is kept, token
    and all, so that the next sweep can delete the mount under it; this process then logs on anew.

    Raises what the log-off raises; then the token stays too, and the next sweep logs off.
    """
    settled = await books.settled_sessions()
    if rooms.session.generation in settled or not books.knows(rooms.session.generation):
        with fail_after(LOG_OFF_WITHIN, shield=True):
            await rooms.session.close()
    else:
        books.disown(rooms.session.generation)
        rooms.session.forget()
    await books.erase_sessions(settled)
