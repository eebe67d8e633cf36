"""What can be known before anything is mounted: destinations that cannot be used, shares that are not there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from orchestrator.core.errors import ExitCode, FileError, ShareUnreadable
from orchestrator.core.plan import Plan
from orchestrator.core.preflight import Check, Finding, Grade, failed, passed, room, warned
from orchestrator.engine.calls import Calls
from orchestrator.engine.ports import Beat, Source, Target
from orchestrator.engine.rooms import EngineSettings


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands in the way, by destination or backup server; and all that was found, good or bad."""

    destinations: dict[str, str]
    unknown_servers: dict[str, str]
    unreadable_servers: dict[str, ShareUnreadable]
    findings: list[Finding] = field(default_factory=list)


async def preflight(plan: Plan, target: Target, source: Source, settings: EngineSettings) -> Checked:
    """Check every destination and every backup server of `plan`. Creates nothing."""
    servers = sorted({group.point.backup_server for group in plan.groups})
    return await look_around(servers, plan.destinations, target, source, settings)


async def look_around(
    servers: Iterable[str], destinations: Sequence[str], target: Target, source: Source, settings: EngineSettings
) -> Checked:
    """Check `destinations` and the shares of backup `servers`. Creates nothing."""
    checked, calls = Checked({}, {}, {}), Calls(settings.stall)
    for server in servers:
        await _look_at_shares(checked, calls, server, source, settings)
    await _look_at_destinations(checked, calls, destinations, target, settings.reserve)
    return checked


async def _look_at_shares(checked: Checked, calls: Calls, server: str, source: Source, settings: EngineSettings) -> None:
    """Every share of a backup server. One that can be listed is enough, but mounts that appear on another are lost."""
    reach = settings.reach(server)
    if reach is None:
        text = (
            f"the config says nothing of backup server {server!r}; "
            f'add [[backup_servers]] name = "{server}" with its shares, or name = "*" for all'
        )
        checked.unknown_servers[server] = text
        checked.findings.append(Finding(Check.SHARE, Grade.FAIL, text, "", (server,), ExitCode.WORDS))
        return
    causes: dict[str, str] = {}
    for share in reach.shares:
        try:
            await calls.run(share, partial(source.folders, share))
        except OSError as error:
            causes[share] = f"{share}: {error.strerror or error}"
    if len(causes) == len(reach.shares):
        listed, cause = ", ".join(reach.shares), "; ".join(causes.values())
        unreadable = ShareUnreadable(share=listed, backup_server=server, cause=cause)
        checked.unreadable_servers[server] = unreadable
        checked.findings.append(failed(Check.SHARE, unreadable, server))
        return
    readable = [share for share in reach.shares if share not in causes]
    checked.findings.append(passed(Check.SHARE, f"{server}: {', '.join(readable)} can be listed", server, *readable))
    if causes:
        said = f"{server}: {'; '.join(causes.values())}"
        remedy = "Mounts that appear there are not found; mend it, or take it out of [[backup_servers]] shares"
        checked.findings.append(warned(Check.SHARE, said, remedy, server, *causes))


async def _look_at_destinations(
    checked: Checked, calls: Calls, destinations: Sequence[str], target: Target, reserve: int
) -> None:
    """A thousand machines have folders of their own, mostly in one: that is told once, and asked for its room once."""
    good: dict[str, list[str]] = {}
    for destination in destinations:
        above = _above(destination)
        try:
            # When the one above hangs, it is waited for once.
            await calls.run(above, partial(_check_root, target, destination))
            good.setdefault(above, []).append(destination)
        except FileError as error:
            checked.destinations[destination] = str(error)
        except TimeoutError as error:
            checked.destinations[destination] = f"{destination}: {error.strerror}"
        if destination in checked.destinations:
            text = checked.destinations[destination]
            checked.findings.append(Finding(Check.DESTINATION, Grade.FAIL, text, "", (destination,), ExitCode.WORDS))
    for above, found in good.items():
        what = found[0] if len(found) == 1 else f"{len(found):,} folders in {above}"
        checked.findings.append(passed(Check.DESTINATION, f"{what} can be written", *found))
        checked.findings += await _look_at_room(calls, above, found[0], target, reserve)


async def _look_at_room(calls: Calls, above: str, destination: str, target: Target, reserve: int) -> list[Finding]:
    try:
        free = await calls.run(above, lambda beat: target.free_space(destination))
    except (FileError, TimeoutError) as error:
        remedy = "A run copies without watching the room there"
        return [warned(Check.SPACE, f"{destination}: the free space cannot be told: {error}", remedy, destination)]
    return [room(destination, free, reserve)]


def _above(destination: str) -> str:
    kind = PurePosixPath if destination.startswith("/") else PureWindowsPath
    return str(kind(destination).parent)


def _check_root(target: Target, destination: str, beat: Beat) -> None:
    target.check_root(destination)
