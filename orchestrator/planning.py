"""Planning: EM is asked, the plan is made and checked; nothing is mounted."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

import anyio

from orchestrator.config import Config
from orchestrator.core.choosing import questions
from orchestrator.core.errors import JobInvalid, OrchestratorError, StateError
from orchestrator.core.events import Event
from orchestrator.core.job import Job
from orchestrator.core.plan import Plan, refusing, without
from orchestrator.core.resolve import plan
from orchestrator.core.words import listed
from orchestrator.engine.books import Books
from orchestrator.engine.ports import Source, Target
from orchestrator.engine.preflight import preflight
from orchestrator.engine.restore import LOG_OFF_WITHIN
from orchestrator.engine.rooms import Rooms
from orchestrator.enterprise_manager import Client
from orchestrator.files import unknown_accounts
from orchestrator.opening import App, engine_settings, make_client, reading, stopped_from_outside
from orchestrator.reaching import make_source, make_target


@dataclass(frozen=True, slots=True)
class NamedJob:
    """A job with the file it came from."""

    job: Job
    place: str
    content: bytes = field(repr=False)


async def _find_plan(client: Client, config: Config, named: NamedJob, run: str, history: Mapping[str, float]) -> Plan:
    """Ask EM every distinct question of a job and resolve it; nothing is mounted."""
    job, scratch = named.job, ""
    if job.drill:
        if not config.drill.folder:
            raise JobInvalid(place=named.place, problems="drill = true needs a scratch folder: set [drill] folder")
        job, scratch = job.into_scratch(config.drill.folder), f"{config.drill.folder.rstrip('/')}/{run}"
    catalog = {question: await client.find(question) for question in questions(job)}
    found = plan(job, catalog, run=run, allow=config.targets.allow, history=history)
    known = refusing(found, unknown_accounts)
    return replace(known, scratch=scratch, verify=job.verify or config.copying.verify)


async def checked_plan(app: App, rooms: Rooms, books: Books, named: NamedJob, run: str, keep_going: bool) -> Plan:
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
    client = make_client(config)
    with closing(make_source(config)) as source, closing(make_target(config, source)) as target:
        async with client, stopped_from_outside(_unheard, None) as stop:
            try:
                with stop.forestalls():
                    await client.open()
                    return [await _shown_plan(client, config, named, history, source, target) for named in jobs]
            finally:
                await close(client)
    raise AssertionError("a forestalled block returns or raises")


async def _shown_plan(
    client: Client, config: Config, named: NamedJob, history: Mapping[str, float], source: Source, target: Target
) -> Plan:
    found = await _find_plan(client, config, named, named.job.name, history)
    checked = await preflight(found, target, source, engine_settings(config))
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


async def close(client: Client) -> None:
    """Log off when nothing was mounted; a failure only means that the session expires by itself."""
    with anyio.move_on_after(LOG_OFF_WITHIN, shield=True), suppress(OrchestratorError):
        await client.close()
