"""`orchestrator browse`: what a restore point holds, seen through one mount that is deleted again.

The mount is journalled like every other, under a run of its own that has no job, so that a kill is swept.
"""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.app import App, logged_on
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.choosing import questions
from orchestrator.core.errors import JobInvalid, WordsError
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.paths import fold
from orchestrator.core.plan import MountGroup, Plan, plan_to_json
from orchestrator.core.resolve import plan
from orchestrator.core.words import listed, read_model
from orchestrator.engine.books import Books
from orchestrator.engine.browsing import Browsed, browse
from orchestrator.engine.leases import Leases
from orchestrator.opening import now, stopped_from_outside

_NOWHERE = "/browse"
"""A job needs a destination; nothing is written there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be looked at. `find` is a glob on names, or on paths when it holds a slash; empty: one folder."""

    vm: str | None
    path: str
    restore_point: str | None = None
    as_of: datetime | None = None
    backup_server: str | None = None
    source: str | None = None
    os: str | None = None
    find: str = ""
    limit: int = 10_000

    def job(self) -> Job:
        """The words as a job of one entry. WordsError."""
        if self.vm is None and self.restore_point is None:
            raise WordsError(what="say which machine: --vm NAME, or --restore-point ID")
        entry = {
            "vm": self.vm,
            "restore_point": self.restore_point,
            "as_of": self.as_of,
            "backup_server": self.backup_server,
            "source": self.source,
            "os": self.os,
        }
        given = {key: value for key, value in entry.items() if value is not None}
        table = {
            "name": "browse",
            "defaults": {"to": f"{_NOWHERE}/{{vm}}/{{point}}"},
            "restore": [{**given, "paths": [self.path]}],
        }
        try:
            return read_model(Job, table, "browse", JobInvalid)
        except JobInvalid as error:
            raise WordsError(what=str(error.facts["problems"]).replace("restore[1].", "")) from error


async def browse_point(app: App, asked: Asked) -> tuple[RestorePoint, Browsed]:
    """Mount the restore point that is asked for, list, delete the mount. WordsError when the words do not name one
    restore point, or it has no such path; a stop ends it early, and the mount is deleted all the same."""
    rooms, job = app.rooms(), asked.job()
    books = Books(rooms.leases, rooms.session, rooms.em_url, rooms.new_id, rooms.clock)
    async with (
        stopped_from_outside(app.listen, app.config.state.folder, app.must_stop) as stop,
        logged_on(app, rooms, books, stop),
    ):
        with stop.forestalls():
            run = f"browse-{rooms.new_id()[:12]}"
            found = Inventory(await app.client.find_all(questions(job)))
            group = _the_one(plan(job, found, run=run, allow=[_NOWHERE], now=now()))
            await books.ask(rooms.runs.begin, _row(run))
            leases = Leases(rooms, books, run)
            return group.point, await browse(rooms, app.watch, leases, group, _wants(asked, group), asked.limit)
    raise AssertionError("a forestalled block returns or raises")


def _the_one(found: Plan) -> MountGroup:
    if found.problems:
        raise WordsError(what=listed([one.message for one in found.problems]))
    if len(found.groups) != 1:
        names = ", ".join(group.vm for group in found.groups[:10])
        raise WordsError(what=f"{len(found.groups)} machines match ({names}); name one")
    return found.groups[0]


def _row(run: str) -> RunRow:
    """A run that has ended: its lease is swept like any other, and nobody is to resume it."""
    return RunRow(run, "browse", RunState.FINISHED, now(), plan_to_json(Plan(run, "browse", ())), now(), 0)


def _wants(asked: Asked, group: MountGroup) -> Callable[[str], bool] | None:
    if not asked.find:
        return None
    key = fold if group.windows else str
    pattern = key(asked.find.replace("\\", "/") if group.windows else asked.find)

    def wants(path: str) -> bool:
        name = path if "/" in pattern else path.rpartition("/")[2]
        return fnmatch.fnmatchcase(key(name), pattern)

    return wants
