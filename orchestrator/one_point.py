"""One restore point that a command line names, instead of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.choosing import questions
from orchestrator.core.errors import JobInvalid, WordsError
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.plan import MountGroup, Plan, plan_to_json
from orchestrator.core.resolve import plan
from orchestrator.core.words import listed, read_model
from orchestrator.enterprise_manager import Client
from orchestrator.opening import now

_NOWHERE = "/browse"
"""A job needs a destination; nothing is written there."""


@dataclass(frozen=True, slots=True)
class PointAsked:
    """The words that name one restore point, and paths in it."""

    paths: Sequence[str]
    vm: str | None
    restore_point: str | None = None
    as_of: datetime | None = None
    backup_server: str | None = None
    source: str | None = None
    os: str | None = None

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
            "restore": [{**given, "paths": list(self.paths)}],
        }
        try:
            return read_model(Job, table, "browse", JobInvalid)
        except JobInvalid as error:
            raise WordsError(what=str(error.facts["problems"]).replace("restore[1].", "")) from error


async def point_of(client: Client, asked: PointAsked, run: str) -> MountGroup:
    """The one restore point that is asked for, with its paths. WordsError when the words name none, or several."""
    job = asked.job()
    found = plan(job, Inventory(await client.find_all(questions(job))), run=run, allow=[_NOWHERE], now=now())
    if found.problems:
        raise WordsError(what=listed([one.message for one in found.problems]))
    if len(found.groups) != 1:
        names = ", ".join(group.vm for group in found.groups[:10])
        raise WordsError(what=f"{len(found.groups)} machines match ({names}); name one")
    return found.groups[0]


def ended_run(run: str, command: str) -> RunRow:
    """A run that has ended already: its lease is swept like any other, and nobody is to resume it."""
    return RunRow(run, command, RunState.FINISHED, now(), plan_to_json(Plan(run, command, ())), now(), 0)
