"""What can be known before anything is mounted: destinations that cannot be used, shares that are not there."""

from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from orchestrator.core.errors import FileError, ShareUnreadable
from orchestrator.core.plan import Plan
from orchestrator.engine.calls import Calls
from orchestrator.engine.locating import list_shares
from orchestrator.engine.ports import Beat, Source, Target
from orchestrator.engine.rooms import EngineSettings


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands in the way, by destination or backup server."""

    destinations: dict[str, str]
    unknown_servers: dict[str, str]
    unreadable_servers: dict[str, ShareUnreadable]


async def preflight(plan: Plan, target: Target, source: Source, settings: EngineSettings) -> Checked:
    """Check every destination and every backup server of `plan`. Creates nothing."""
    checked, calls = Checked({}, {}, {}), Calls(settings.stall)
    for destination in plan.destinations:
        try:
            # A thousand machines have folders of their own, mostly in one: when that hangs, it is waited for once.
            await calls.run(_above(destination), partial(_check_root, target, destination))
        except FileError as error:
            checked.destinations[destination] = str(error)
        except TimeoutError as error:
            checked.destinations[destination] = f"{destination}: {error.strerror}"
    for server in sorted({group.point.backup_server for group in plan.groups}):
        reach = settings.reach(server)
        if reach is None:
            checked.unknown_servers[server] = (
                f"the config says nothing of backup server {server!r}; "
                f'add [[backup_servers]] name = "{server}" with its shares, or name = "*" for all'
            )
            continue
        try:
            await list_shares(calls, source, server, reach)
        except ShareUnreadable as error:
            checked.unreadable_servers[server] = error
    return checked


def _above(destination: str) -> str:
    kind = PurePosixPath if destination.startswith("/") else PureWindowsPath
    return str(kind(destination).parent)


def _check_root(target: Target, destination: str, beat: Beat) -> None:
    target.check_root(destination)
