"""`orchestrator put-back`: paths of a restore point, restored to their original location by Enterprise Manager itself.

Each is journalled before EM is asked for it. One that EM was asked for and whose end was not seen stays open in the
journal, and is not asked for again unless the operator says so.
"""

from collections.abc import Sequence

from orchestrator.app import App, books_of, logged_on
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.errors import WordsError
from orchestrator.core.ledger import GroupState
from orchestrator.core.originals import InPlace, PutBackPath
from orchestrator.core.plan import MountGroup
from orchestrator.engine.putting_back import PuttingBack
from orchestrator.journal import Journal
from orchestrator.one_point import PointAsked, ended_run, point_of
from orchestrator.opening import stopped_from_outside

COMMAND = "put-back"


async def put_back(
    app: App, asked: PointAsked, how: InPlace, *, really: bool, again: bool
) -> tuple[RestorePoint, Sequence[PutBackPath] | None]:
    """The restore point that is meant, and what came of each path; None for that unless `really`.

    WordsError when the words do not name one restore point, for a whole volume, and without `again` for a path whose
    earlier restore has an end that nobody has seen. A stop ends it early; the mount is deleted all the same.
    """
    rooms = app.rooms()
    books = books_of(rooms)
    async with (
        stopped_from_outside(app.listen, app.config.state.folder, app.must_stop) as stop,
        logged_on(app, rooms, books, stop),
    ):
        with stop.forestalls():
            run = f"{COMMAND}-{rooms.new_id()[:12]}"
            group = await point_of(app.client, asked, run)
            _refuse_volumes(group)
            if not again:
                await books.ask(_refuse_open, app.journal, group)
            if not really:
                return group.point, None
            await books.ask(rooms.runs.begin, ended_run(run, COMMAND))
            working = PuttingBack(rooms, books, app.client, run, how)
            return group.point, await working.put_back(app.watch, group)
    raise AssertionError("a forestalled block returns or raises")


def _refuse_volumes(group: MountGroup) -> None:
    for path in group.selections[0].paths:
        if not path.parts:
            raise WordsError(what=f"{path} is a whole volume; name folders or files that are to be put back")


def _refuse_open(journal: Journal, group: MountGroup) -> None:
    """What EM was asked for once, and has not told the end of, may be done, or still going on."""
    wanted = {str(path) for path in group.selections[0].paths}
    for run in journal.heads():
        if run.job != COMMAND:
            continue
        for row in journal.groups(run.id):
            if row.state is GroupState.RUNNING and row.vm == group.vm and row.message in wanted:
                what = f"{run.id} has asked Enterprise Manager to restore {row.message} of {row.vm}, and how that ended"
                raise WordsError(what=f"{what} is not known. Look into the guest; --again asks all the same")
