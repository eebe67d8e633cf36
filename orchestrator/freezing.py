"""A plan is frozen as a document, and a document is run: as it stands, or not at all."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from orchestrator.config import Config
from orchestrator.core.catalog import PointKind, Question, RestorePoint
from orchestrator.core.errors import JobInvalid, PlanDiffers, PlanUnusable, StateUnusable, WordsError
from orchestrator.core.plan import MountGroup, Plan, refusing
from orchestrator.core.plan_document import (
    PlanDocument,
    Site,
    landings,
    points_differ,
    points_of,
    read_document,
    shortened,
    sites_differ,
    written,
)
from orchestrator.core.roads import Road
from orchestrator.core.settling import SIZE_LIMIT
from orchestrator.core.survey import Survey, surveys_differ
from orchestrator.core.words import listed
from orchestrator.engine.beside import in_thread
from orchestrator.engine.books import Books
from orchestrator.engine.ports import Source
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.seats import Seats
from orchestrator.engine.sites import look_at_sites
from orchestrator.engine.stopping import Stop
from orchestrator.enterprise_manager import Client
from orchestrator.files import unknown_accounts, write_text_atomically
from orchestrator.listing import NamedJob
from orchestrator.opening import App, engine_settings, now
from orchestrator.planning import check_before, show_plans
from orchestrator.reaching import make_source
from orchestrator.surveying import survey_plan

ASKED_ONE_BY_ONE = 20
"""Restore points of one backup server that are asked for by id; more are looked up in all that it has, page by page."""


@dataclass(frozen=True, slots=True)
class FrozenPlan:
    """A plan document with the file it came from."""

    document: PlanDocument
    hash: str
    place: str
    content: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The job that it came from."""
        return self.document.plan.job


def read_frozen(content: bytes, place: str) -> FrozenPlan:
    """The plan in a file. PlanUnreadable."""
    document, digest = read_document(content, place)
    return FrozenPlan(document, digest, place, content)


async def freeze(config: Config, named: NamedJob, file: Path) -> tuple[Plan, str]:
    """Plan a job, look at its destinations and write both to `file`; the plan and the hash of the document. A plan with
    problems is not written, and its hash is empty. PlanUnusable; WordsError when the file cannot be written."""
    refuse_unfrozen(named)
    made = now()
    [plan] = await show_plans(config, [named], run=planned_run(named, made))
    if plan.problems:
        return plan, ""
    with closing(make_source(config)) as source:
        return plan, await write_document(config, named, plan, made, source, file)


def refuse_unfrozen(named: NamedJob) -> None:
    """PlanUnusable for a drill, and for what EM is to restore into guests."""
    refuse_originals(named)
    if named.job.drill:
        what = "a drill restores into a folder of its own each time, and removes it; run its job"
        raise PlanUnusable(what=what)


def refuse_originals(named: NamedJob) -> None:
    """PlanUnusable when EM is to restore into guests: nobody can look there, neither now nor again."""
    for number, entry in enumerate(named.job.restore, 1):
        if entry.road is Road.ORIGINAL:
            what = f'entry {number} has road = "original", and what stands in a guest cannot be looked at'
            raise PlanUnusable(what=f"{what}; plan without --out and --deep, and run the job itself")


def planned_run(named: NamedJob, made: datetime) -> str:
    """The id that the first run of a frozen plan will have."""
    return f"{named.job.name}-{made:%Y%m%dT%H%M%SZ}"


async def write_document(
    config: Config,
    named: NamedJob,
    plan: Plan,
    made: datetime,
    source: Source,
    file: Path,
    survey: Survey | None = None,
) -> str:
    """Look at the destinations of a plan, and write all of it to `file`; the hash of the document. PlanUnusable;
    WordsError when the file cannot be written."""
    sites = await _sites(config, plan, source)
    text = named.content.decode("utf-8-sig")
    document = PlanDocument(plan, made, config.enterprise_manager.url, named.place, text, sites, survey)

    def write() -> str:
        content, digest = written(document)
        if len(content) > SIZE_LIMIT:
            size, most = len(content) >> 20, SIZE_LIMIT >> 20
            what = f"it takes {size:,} MiB, and a run reads {most}: freeze it in parts, or name folders, not files"
            raise PlanUnusable(what=what)
        write_text_atomically(file, content.decode())
        return digest

    try:
        return await in_thread(write)
    except StateUnusable as error:
        raise WordsError(what=f"--out {file}: cannot be written: {error.facts['cause']}") from error


async def thawed_plan(app: App, rooms: Rooms, frozen: FrozenPlan, run: str) -> Plan:
    """The plan of a document, to be run as `run`. PlanDiffers with every difference between what it rests on and what
    is there; else the errors of a plan that cannot be run."""
    document = frozen.document
    found = await _points(app.client, document.plan)
    differences = points_differ(document.plan, found)
    if document.em_url != app.config.enterprise_manager.url:
        told = f"it was made with Enterprise Manager at {document.em_url}, and the config names another"
        differences.insert(0, told)
    differences += sites_differ(document.sites, await _sites(app.config, document.plan, rooms.source))
    if differences:
        raise PlanDiffers(place=frozen.place, differences=listed(shortened(differences)))
    plan = replace(document.plan, run=run, groups=tuple(_now(group, found) for group in document.plan.groups))
    plan = refusing(plan, unknown_accounts)
    if plan.problems:
        raise JobInvalid(place=frozen.place, problems=listed([*map(str, plan.problems)]))
    return await check_before(app, rooms, plan, frozen.place, keep_going=False)


async def compare_survey(
    app: App, rooms: Rooms, books: Books, stop: Stop, seats: Seats, frozen: FrozenPlan, plan: Plan
) -> None:
    """Mount and list all of a plan that was looked at closely when it was made, and compare. PlanDiffers."""
    then = frozen.document.survey
    if then is None:
        return
    differences = surveys_differ(plan, then, await survey_plan(app, rooms, books, stop, seats, plan))
    if differences:
        raise PlanDiffers(place=frozen.place, differences=listed(shortened(differences)))


async def _sites(config: Config, plan: Plan, source: Source) -> tuple[Site, ...]:
    """What stands where the copies of a plan will land, now. PlanUnusable when it cannot be told."""
    places = await in_thread(lambda: landings(plan))
    return await look_at_sites(places, source, engine_settings(config))


def _now(group: MountGroup, found: Mapping[str, RestorePoint]) -> MountGroup:
    """EM may have given the same restore points other links. What was seen of their chains when they were planned
    holds, because here only the points themselves are asked for."""
    point = replace(found[group.point.uid], reverse=group.point.reverse)
    return replace(group, point=point, others=tuple(found[one.uid] for one in group.others))


async def _points(client: Client, plan: Plan) -> dict[str, RestorePoint]:
    """The restore points of a plan as EM has them now, by uid; those that it no longer has are missing."""
    wanted = points_of(plan)
    parts: dict[tuple[PointKind, str], list[RestorePoint]] = {}
    for point in wanted.values():
        parts.setdefault((point.kind, point.backup_server), []).append(point)
    questions: list[Question] = []
    for (kind, server), points in parts.items():
        if len(points) <= ASKED_ONE_BY_ONE:
            questions += [Question(uid=one.uid, kind=kind) for one in points]
            continue
        times = [one.created for one in points]
        questions.append(Question(backup_server=server, since=min(times), until=max(times), kind=kind))
    return {one.uid: one for one in await client.find_all(questions) if one.uid in wanted}
