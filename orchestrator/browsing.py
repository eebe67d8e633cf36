"""`orchestrator browse`: what a restore point holds, seen through one mount that is deleted again.

The mount is journalled like every other, under a run of its own that has no job, so that a kill is swept.
"""

import fnmatch
from collections.abc import Callable

from orchestrator.app import App, books_of, logged_on
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.paths import fold
from orchestrator.core.plan import MountGroup
from orchestrator.engine.browsing import Browsed, browse
from orchestrator.engine.leases import Leases
from orchestrator.one_point import PointAsked, ended_run, point_of
from orchestrator.opening import stopped_from_outside


async def browse_point(app: App, asked: PointAsked, find: str, limit: int) -> tuple[RestorePoint, Browsed]:
    """Mount the restore point that is asked for, list, delete the mount. `find` is a glob on names, or on paths when it
    holds a slash; empty: one folder.

    WordsError when the words do not name one restore point, or it has no such path; a stop ends it early, and the mount
    is deleted all the same.
    """
    rooms = app.rooms()
    books = books_of(rooms)
    async with (
        stopped_from_outside(app.listen, app.config.state.folder, app.must_end) as stop,
        logged_on(app, rooms, books, stop),
    ):
        with stop.forestalls():
            run = f"browse-{rooms.new_id()[:12]}"
            group = await point_of(app.client, asked, run)
            await books.ask(rooms.runs.begin, ended_run(run, "browse"))
            leases = Leases(rooms, books, run)
            return group.point, await browse(rooms, app.watch, leases, group, _wants(find, group), limit)
    raise AssertionError("a forestalled block returns or raises")


def _wants(find: str, group: MountGroup) -> Callable[[str], bool] | None:
    if not find:
        return None
    key = fold if group.windows else str
    pattern = key(find.replace("\\", "/") if group.windows else find)

    def wants(path: str) -> bool:
        name = path if "/" in pattern else path.rpartition("/")[2]
        return fnmatch.fnmatchcase(key(name), pattern)

    return wants
