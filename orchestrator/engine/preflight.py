"""What can be known before anything is mounted: destinations that cannot be used, shares that are not there."""

from dataclasses import dataclass

from anyio import to_thread

from orchestrator.core.errors import FileError, ShareUnreadable
from orchestrator.core.plan import Plan
from orchestrator.engine.locating import list_shares
from orchestrator.engine.ports import Source, Target
from orchestrator.engine.rooms import EngineSettings


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands in the way, by destination or backup server."""

    destinations: dict[str, str]
    unknown_servers: dict[str, str]
    unreadable_servers: dict[str, ShareUnreadable]


async def preflight(plan: Plan, target: Target, source: Source, settings: EngineSettings) -> Checked:
    """Check every destination and every backup server of `plan`. Creates nothing."""
    checked = Checked({}, {}, {})
    for destination in plan.destinations:
        try:
            await to_thread.run_sync(target.check_root, destination, abandon_on_cancel=True)
        except FileError as error:
            checked.destinations[destination] = str(error)
    for server in sorted({group.point.backup_server for group in plan.groups}):
        reach = settings.reach(server)
        if reach is None:
            checked.unknown_servers[server] = (
                f"the config says nothing of backup server {server!r}; "
                f'add [[backup_servers]] name = "{server}" with its shares, or name = "*" for all'
            )
            continue
        try:
            await to_thread.run_sync(list_shares, source, server, reach, abandon_on_cancel=True)
        except ShareUnreadable as error:
            checked.unreadable_servers[server] = error
    return checked
