"""Planning: EM is asked, the plan is made and checked; nothing is mounted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace

import anyio

from orchestrator.config import Config
from orchestrator.core.catalog import Greeting
from orchestrator.core.choosing import questions
from orchestrator.core.errors import EmError, JobInvalid, MountNotOffered, OrchestratorError, StateError
from orchestrator.core.events import Event, Notice
from orchestrator.core.inventory import Inventory
from orchestrator.core.plan import MountGroup, Plan, refusing, without
from orchestrator.core.preflight import Finding, Grade, greeted, machines, offered, unreachable_fall_backs, warnings
from orchestrator.core.resolve import plan
from orchestrator.core.whereabouts import Whereabouts
from orchestrator.core.which import Which
from orchestrator.core.words import listed
from orchestrator.engine.beside import in_thread
from orchestrator.engine.books import Books
from orchestrator.engine.indexed import with_index_warnings
from orchestrator.engine.ports import Source, Target
from orchestrator.engine.preflight import Checked, preflight, wanted_by
from orchestrator.engine.restore import LOG_OFF_WITHIN
from orchestrator.engine.rooms import Rooms
from orchestrator.enterprise_manager import Client
from orchestrator.files import unknown_accounts
from orchestrator.guest_accounts import accounts, names_in, without_strangers
from orchestrator.listing import NamedJob, with_lists
from orchestrator.opening import App, engine_settings, make_client, now, reading, stopped_from_outside
from orchestrator.reaching import make_source, make_target, takes


async def find_plan(client: Client, config: Config, named: NamedJob, run: str, history: Mapping[str, float]) -> Plan:
    """Ask EM every distinct question of a job and resolve it; nothing is mounted."""
    job, scratch = await in_thread(lambda: with_lists(named)), ""
    if job.drill:
        if not config.drill.folder:
            raise JobInvalid(place=named.place, problems="drill = true needs a scratch folder: set [drill] folder")
        job, scratch = job.into_scratch(config.drill.folder), f"{config.drill.folder.rstrip('/')}/{run}"
    await refresh(client, job.restore)
    points = await client.find_all(questions(job))

    def resolved() -> Plan:
        inventory, targets = Inventory(points), config.targets
        found = plan(job, inventory, run=run, allow=targets.allow, now=now(), history=history, guests=targets.guests)
        known = without_strangers(refusing(found, unknown_accounts), config)
        return replace(known, scratch=scratch, verify=job.verify or config.copying.verify)

    # Seconds for a hundred thousand paths; meanwhile other runs have heartbeats to send and mounts to delete.
    return await in_thread(resolved)


async def refresh(client: Client, wanted: Iterable[Which]) -> None:
    """Have EM collect what is new where an entry wishes so: each backup server once. RefreshRefused."""
    servers = {one.backup_server for one in wanted if one.refresh}
    for server in [None] if None in servers else sorted(servers, key=str):
        await client.refresh(server)


async def checked_plan(app: App, rooms: Rooms, books: Books, named: NamedJob, run: str, keep_going: bool) -> Plan:
    """A plan that can be run. JobInvalid or ShareUnreadable unless `keep_going`, which leaves out what cannot be."""
    history = await books.ask(app.journal.vm_seconds)
    found = await find_plan(app.client, app.config, named, run, history)
    return await check_before(app, rooms, found, named.place, keep_going)


async def check_before(app: App, rooms: Rooms, found: Plan, place: str, keep_going: bool) -> Plan:
    """What of a plan can be run, after everything that can be known before a mount was looked at. JobInvalid,
    ShareUnreadable or MountNotOffered unless `keep_going`, which leaves out what cannot be."""
    await in_thread(lambda: accounts(app.config, names_in(found)))
    lost: list[Finding] = []
    if app.fleet is None:
        checked = await preflight(wanted_by([found]), rooms.target, rooms.source, rooms.settings, takes)
        lost = unreachable_fall_backs([found], lambda server: rooms.settings.reach(server) is not None)
    else:  # this machine need reach no share and no destination: each worker says what it cannot do
        checked = Checked({}, {}, {})
    await _tell_findings(app, [*checked.findings, *lost, *machines(found, now())])
    usable = without(found, checked.destinations, checked.unknown_servers)
    if usable.problems and not keep_going:
        hint = "nothing was mounted; --keep-going runs the other entries"
        raise JobInvalid(place=place, problems=listed([*map(str, usable.problems), hint]))
    if checked.unreadable_servers and not keep_going:
        raise next(iter(checked.unreadable_servers.values()))
    if not keep_going and offered([group.point for group in usable.groups]).grade is Grade.FAIL:
        raise MountNotOffered(vm=usable.groups[0].vm)
    return without(usable, {}, {server: str(error) for server, error in checked.unreadable_servers.items()})


async def _tell_findings(app: App, findings: Sequence[Finding]) -> None:
    """What a run goes on with although somebody should look at it. EM has let us log on, so that not even an entry
    document that cannot be had is a reason to stop."""
    told = [str(one) for one in await em_findings(app.client, app.config) if one.grade is not Grade.PASS]
    for text in (*told, *warnings(findings)):
        app.listen(Notice(now(), text))


async def em_findings(client: Client, config: Config) -> list[Finding]:
    """What EM says to anybody, and what is thought of it."""
    settings = config.enterprise_manager
    greeting: Greeting | EmError
    try:
        greeting = await client.greet()
    except EmError as error:
        greeting = error
    return greeted(greeting, url=settings.url, pinned=settings.fingerprint_sha256 is not None, now=now())


async def show_plans(config: Config, jobs: Sequence[NamedJob], run: str = "") -> list[Plan]:
    """The plans of `jobs`, problems and all; nothing is mounted or written, and no lock is taken. `run` is what `{run}`
    stands for; the name of each job when it is empty."""
    history = _past_seconds(config)
    client = make_client(config)
    with closing(make_source(config)) as source, closing(make_target(config, source)) as target:
        async with client, stopped_from_outside(unheard, None) as stop:
            try:
                with stop.forestalls():
                    await client.open()
                    return [await _shown_plan(client, config, named, run, history, source, target) for named in jobs]
            finally:
                await close(client)
    raise AssertionError("a forestalled block returns or raises")


async def _shown_plan(
    client: Client,
    config: Config,
    named: NamedJob,
    run: str,
    history: Mapping[str, float],
    source: Source,
    target: Target,
) -> Plan:
    found = await find_plan(client, config, named, run or named.job.name, history)
    found = await with_index_warnings(found, client.guest_index)
    checked = await preflight(wanted_by([found]), target, source, engine_settings(config))
    unreadable = {server: str(error) for server, error in checked.unreadable_servers.items()}
    return without(found, checked.destinations, checked.unknown_servers | unreadable)


def unheard(_: Event) -> None:
    """For commands that show no events."""


def _past_seconds(config: Config) -> dict[str, float]:
    """How long each machine took before; nothing when there has been no run yet."""
    try:
        with reading(config) as journal:
            return journal.vm_seconds()
    except StateError:
        return {}


def expected_hosts(config: Config) -> Callable[[MountGroup], tuple[str, ...]]:
    """Tells on which mount hosts the mount of a group is expected, after what runs have seen; none where the backup
    server has only one share."""
    known, settings = Whereabouts(), engine_settings(config)
    with suppress(StateError), reading(config) as journal:
        known.remember(journal.answers())

    def hosts_of(group: MountGroup) -> tuple[str, ...]:
        reach = settings.reach(group.point.backup_server)
        if reach is None or len(reach.shares) == 1:
            return ()
        return tuple({reach.host(share): None for share in known.expected(group, reach.shares) or reach.shares})

    return hosts_of


async def close(client: Client) -> None:
    """Log off when nothing was mounted; a failure only means that the session expires by itself."""
    with anyio.move_on_after(LOG_OFF_WITHIN, shield=True), suppress(OrchestratorError):
        await client.close()
