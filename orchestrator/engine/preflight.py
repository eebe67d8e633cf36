"""What can be known before anything is mounted: destinations that cannot be used, shares that are not there."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import PurePosixPath, PureWindowsPath

from anyio import CapacityLimiter, create_task_group

from orchestrator.core.errors import ExitCode, FileError, ShareUnreadable
from orchestrator.core.fidelity import Property
from orchestrator.core.plan import Plan
from orchestrator.core.preflight import Check, Finding, Grade, dressed, failed, passed, room, warned
from orchestrator.core.roads import Road, ServerRoad
from orchestrator.engine.calls import Calls
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Beat, Source, Target
from orchestrator.engine.probing import SHARES_AT_ONCE, none_readable, probe
from orchestrator.engine.rooms import EngineSettings

OF_WINDOWS = (Property.STREAMS, Property.DESCRIPTOR)
OF_LINUX = (Property.MODE, Property.OWNER, Property.XATTRS, Property.ACL)
"""What some file systems hold and others do not, by the guest that has it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands in the way, by destination or backup server; and all that was found, good or bad."""

    destinations: dict[str, str]
    unknown_servers: dict[str, str]
    unreadable_servers: dict[str, ShareUnreadable]
    findings: list[Finding] = field(default_factory=list)


Takes = Callable[[str], Collection[Property] | None]
"""What a destination can hold of files beside their bytes, None when that is not known. Blocks; OSError."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked at: backup servers by name, and destinations with what is wanted of files there."""

    servers: Sequence[str]
    destinations: Mapping[str, Collection[Property]]


def wanted_by(plans: Iterable[Plan]) -> Wanted:
    """What plans need."""
    servers: set[str] = set()
    destinations: dict[str, set[Property]] = {}
    for group in (group for plan in plans for group in plan.groups):
        if group.road in (None, Road.SHARE):
            servers.add(group.point.backup_server)
        has = OF_WINDOWS if group.windows else OF_LINUX
        for one in (one for one in group.selections if one.destination):
            wishes = destinations.setdefault(one.destination, set())
            wishes.update(each for each in has if one.wishes.reads_properties and one.wishes.wants(each))
    return Wanted(sorted(servers), dict(sorted(destinations.items())))


async def preflight(
    wanted: Wanted, target: Target, source: Source, settings: EngineSettings, takes: Takes | None = None
) -> Checked:
    """Check every destination and every backup server. Creates nothing. `takes` tells what a destination can hold."""
    checked, calls = Checked({}, {}, {}), Calls(settings.stall, CapacityLimiter(SHARES_AT_ONCE))
    found: dict[str, list[Finding]] = {server: [] for server in wanted.servers}
    with one_error():
        async with create_task_group() as looking:
            for server, findings in found.items():
                looking.start_soon(_look_at_shares, checked, findings, calls, server, source, settings)
    checked.findings.extend(chain.from_iterable(found.values()))
    good = await _look_at_destinations(checked, calls, wanted.destinations, target)
    for above, folders in good.items():
        what = folders[0] if len(folders) == 1 else f"{len(folders):,} folders in {above}"
        checked.findings.append(passed(Check.DESTINATION, f"{what} can be written", *folders))
        checked.findings.append(await _look_at_room(calls, above, folders[0], target, settings.reserve))
        if takes is not None:
            wishes = {one for folder in folders for one in wanted.destinations[folder]}
            checked.findings.extend(await _look_at_abilities(calls, above, folders[0], takes, wishes))
    return checked


async def _look_at_shares(
    checked: Checked, findings: list[Finding], calls: Calls, server: str, source: Source, settings: EngineSettings
) -> None:
    """Every share of a backup server. One that can be listed is enough, but mounts that appear on another are lost."""
    reach = settings.reach(server)
    if reach is None:
        text = (
            f"the config says nothing of backup server {server!r}; "
            f'add [[backup_servers]] name = "{server}" with its shares, or name = "*" for all'
        )
        checked.unknown_servers[server] = text
        findings.append(Finding(Check.SHARE, Grade.FAIL, text, "", (server,), ExitCode.WORDS))
        return
    if reach.road is ServerRoad.DOWNLOAD:
        findings.append(passed(Check.SHARE, f"{server}: files are downloaded through EM, no share is needed", server))
        return
    probed = await probe(calls, source, reach.shares, settings.probe)
    causes = {share: f"{share}: {cause}" for share, cause in probed.silent.items()}
    if not probed.seen:
        unreadable = none_readable(probed, server, reach)
        if not reach.road.needs_share:
            findings.append(warned(Check.SHARE, str(unreadable), "Files are downloaded through EM instead", server))
            return
        checked.unreadable_servers[server] = unreadable
        findings.append(failed(Check.SHARE, unreadable, server))
        return
    findings.append(passed(Check.SHARE, f"{server}: {', '.join(probed.seen)} can be listed", server, *probed.seen))
    if causes:
        said = f"{server}: {'; '.join(causes.values())}"
        remedy = "Mounts that appear there are not found; mend it, or take it out of [[backup_servers]] shares"
        findings.append(warned(Check.SHARE, said, remedy, server, *causes))


async def _look_at_destinations(
    checked: Checked, calls: Calls, destinations: Iterable[str], target: Target
) -> dict[str, list[str]]:
    """Those that can be written, by the folder above: a thousand machines have folders of their own, mostly in one,
    which is told once, and asked for its room once."""
    good: dict[str, list[str]] = {}
    for destination in destinations:
        above = _above(destination)
        try:
            # When the one above hangs, it is waited for once.
            await calls.run(above, partial(_check_root, target, destination))
        except FileError as error:
            checked.destinations[destination] = str(error)
        except TimeoutError as error:
            checked.destinations[destination] = f"{destination}: {error.strerror}"
        else:
            good.setdefault(above, []).append(destination)
            continue
        text = checked.destinations[destination]
        checked.findings.append(Finding(Check.DESTINATION, Grade.FAIL, text, "", (destination,), ExitCode.WORDS))
    return good


async def _look_at_room(calls: Calls, above: str, destination: str, target: Target, reserve: int) -> Finding:
    try:
        free = await calls.run(above, lambda beat: target.free_space(destination))
    except (FileError, TimeoutError) as error:
        remedy = "A run copies without watching the room there"
        return warned(Check.SPACE, f"{destination}: the free space cannot be told: {error}", remedy, destination)
    return room(destination, free, reserve)


async def _look_at_abilities(
    calls: Calls, above: str, destination: str, takes: Takes, wishes: Collection[Property]
) -> list[Finding]:
    try:
        held = await calls.run(above, lambda beat: takes(destination))
    except OSError as error:
        said = f"{destination}: what it can hold cannot be told: {error.strerror or error}"
        return [warned(Check.METADATA, said, "The report of a run has a card of what was kept", destination)]
    return [] if held is None else [dressed(destination, held, wishes)]


def _above(destination: str) -> str:
    kind = PurePosixPath if destination.startswith("/") else PureWindowsPath
    return str(kind(destination).parent)


def _check_root(target: Target, destination: str, beat: Beat) -> None:
    target.check_root(destination)
