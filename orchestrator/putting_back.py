"""`orchestrator put-back`: paths of a restore point, restored to their original location by Enterprise Manager itself.

Each is journalled before EM is asked for it. One that EM was asked for and whose end was not seen is not asked for
again unless the operator says so.
"""

from collections.abc import Sequence

from anyio import Lock

from orchestrator.app import App, books_of, logged_on
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.errors import WordsError
from orchestrator.core.originals import UNSETTLED, InPlace, OriginalRow, OriginalState
from orchestrator.core.paths import GuestPath, parse_guest_path
from orchestrator.core.plan import MountGroup
from orchestrator.engine.putting_back import Absent, PuttingBack
from orchestrator.journal import Journal
from orchestrator.one_point import PointAsked, ended_run, point_of
from orchestrator.opening import stopped_from_outside

COMMAND = "put-back"

Told = tuple[str, str, str]
"""A path, what came of it (a value of OriginalState), and what there is to say."""


async def put_back(
    app: App, asked: PointAsked, how: InPlace, *, really: bool, again: bool
) -> tuple[RestorePoint, Sequence[Told] | None]:
    """The restore point that is meant, and what came of each path; None for that unless `really`.

    WordsError when the words do not name one restore point, for a whole volume, and without `again` for a path whose
    earlier restore has an end that nobody has seen. A stop ends it early; the mount is deleted all the same.
    """
    rooms = app.rooms()
    books = books_of(rooms)
    async with (
        stopped_from_outside(app.listen, app.config.state.folder, app.must_end) as stop,
        logged_on(app, rooms, books, stop),
    ):
        with stop.forestalls():
            run = f"{COMMAND}-{rooms.new_id()[:12]}"
            group = await point_of(app.client, asked, run)
            _refuse_volumes(group)
            if not again:
                await books.ask(_refuse_unknown, app.journal, group)
            if not really:
                return group.point, None
            await books.ask(rooms.runs.begin, ended_run(run, COMMAND))
            working = PuttingBack(rooms, books, run, Lock())
            return group.point, [_told(one) for one in await working.restore_all(app.watch, group, how)]
    raise AssertionError("a forestalled block returns or raises")


def _told(done: tuple[GuestPath, OriginalRow | Absent]) -> Told:
    path, came = done
    result = came.state if isinstance(came, OriginalRow) else OriginalState.FAILED
    return str(path), result.value, came.message


def _refuse_volumes(group: MountGroup) -> None:
    for path in group.selections[0].paths:
        if not path.parts:
            raise WordsError(what=f"{path} is a whole volume; name folders or files that are to be put back")


def _refuse_unknown(journal: Journal, group: MountGroup) -> None:
    """What EM was asked for once, and has not told the end of, may be done, in part or not at all."""
    newest: dict[tuple[str, ...], OriginalRow] = {}
    for row in journal.originals_of_vm(group.vm):
        if row.state is not OriginalState.NOTHING:
            newest[parse_guest_path(row.guest_path).key] = row
    for path in group.selections[0].paths:
        known = newest.get(path.key)
        if known is not None and (known.state in UNSETTLED or known.state is OriginalState.UNKNOWN):
            what = f"{known.run} has asked Enterprise Manager to restore {known.guest_path} of {known.vm}"
            raise WordsError(
                what=f"{what}, and how that ended is not known. Look into the guest; --again asks all the same"
            )
