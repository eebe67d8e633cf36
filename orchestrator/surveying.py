"""A plan is looked at closely: everything is mounted and listed, and nothing is copied."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath

from orchestrator.core.errors import FileError, MountLeft, StoppedEarly
from orchestrator.core.events import (
    Event,
    FilesLocated,
    MountDeleted,
    MountGone,
    MountOpened,
    Notice,
    SessionRenewed,
    Stopping,
)
from orchestrator.core.events import MountLeft as MountLeftBehind
from orchestrator.core.ledger import GroupState, RunRow, RunState, Totals
from orchestrator.core.lifecycle import OPEN_STATES
from orchestrator.core.looks import look_id
from orchestrator.core.plan import Plan, plan_to_json
from orchestrator.core.survey import Forecast, Past, Room, Survey, forecast, wanted_room
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.restore import run_job
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.stopping import Stop
from orchestrator.engine.surveying import Surveyor
from orchestrator.journal import Journal
from orchestrator.opening import App, now

RUNS_LOOKED_AT = 20
"""The newest runs from whose times the length of the next is told."""

_TOLD = (MountOpened, MountDeleted, MountGone, MountLeftBehind, FilesLocated, SessionRenewed, Notice, Stopping)
"""The events of a survey. It is no run, so that nobody is told that one has begun or ended."""


async def survey_plan(app: App, rooms: Rooms, books: Books, stop: Stop, seats: Seats, plan: Plan) -> Survey:
    """Mount and list everything of `plan`; all mounts are deleted when this returns. The journal has them under an id
    of their own, with a plan of nothing, so that what a kill leaves is swept, and nothing is resumed.

    StoppedEarly, MountLeft, and what ends a run as a whole.
    """
    run = look_id(plan.job, rooms.new_id())
    row = RunRow(run, plan.job, RunState.RUNNING, now(), plan_to_json(replace(plan, run=run, groups=())))
    quiet = replace(rooms, emit=lambda event: _pass_on(app, event))
    surveyor = Surveyor(quiet, stop, seats.walking)
    ending = await run_job(replace(plan, run=run), row, quiet, books, stop, app.watch, seats, surveyor=surveyor)
    problems = await books.ask(_problems, app.journal, plan, run)
    left = [one for one in await books.ask(rooms.leases.leases, run) if one.state in OPEN_STATES]
    if left:
        raise MountLeft(vm=left[0].point.vm, href=left[0].mount_href or left[0].task_href, cause=left[0].note)
    await books.ask(app.journal.forget_run, run)
    if ending.error is not None:
        raise ending.error
    if stop.draining:
        raise StoppedEarly
    return Survey(surveyor.looks, tuple(problems))


def _pass_on(app: App, event: Event) -> None:
    if isinstance(event, _TOLD):
        app.listen(event)


def _problems(journal: Journal, plan: Plan, run: str) -> Sequence[str]:
    """What could not be looked at: of a machine that failed as a whole only that."""
    machines = {group.id: group.vm for group in plan.groups}
    failed = {one.group: one.message for one in journal.groups(run) if one.state is GroupState.FAILED}
    told = [f"{machines.get(group, group)}: {message}" for group, message in sorted(failed.items())]
    return told + [one.message for one in journal.problems(run) if one.group not in failed]


async def foresee(app: App, rooms: Rooms, books: Books, plan: Plan, survey: Survey) -> Forecast:
    """What follows from a survey, now."""
    past = await books.ask(_past, app.journal)
    found = [await _room(rooms, folder, needed) for folder, needed in _by_folder(wanted_room(survey.looks)).items()]
    return forecast(plan, survey, past, found, app.config.backup_windows.hours, now())


async def _room(rooms: Rooms, destination: tuple[str, str], needed: int) -> Room:
    above, one = destination
    free: int | None
    try:
        free = await Calls(rooms.settings.stall).run(above, lambda beat: rooms.target.free_space(one))
    except (FileError, TimeoutError):
        free = None
    return Room(above, needed, free, rooms.settings.reserve)


def _by_folder(wanted: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """Destinations by the folder above: a thousand machines have folders of their own, mostly in one, and share its
    room. Each with one destination in it, which is asked."""
    first: dict[str, str] = {}
    sums: dict[str, int] = {}
    for destination, needed in wanted.items():
        kind = PurePosixPath if destination.startswith("/") else PureWindowsPath
        above = str(kind(destination).parent)
        first.setdefault(above, destination)
        sums[above] = sums.get(above, 0) + needed
    return {(above, first[above]): needed for above, needed in sums.items()}


def _past(journal: Journal) -> Past:
    past = Past()
    for row in journal.runs():
        if row.ended is None or row.state is not RunState.FINISHED or past.runs == RUNS_LOOKED_AT:
            continue
        totals = sum(journal.totals(row.id).values(), Totals())
        mounted = sum(one.seconds or 0.0 for one in journal.groups(row.id))
        if totals.restored and mounted:
            past = Past(
                past.runs + 1, row.started, past.files + totals.files, past.bytes + totals.bytes,
                past.seconds + (row.ended - row.started).total_seconds(), past.mounted + mounted,
            )  # fmt: skip
    return past
