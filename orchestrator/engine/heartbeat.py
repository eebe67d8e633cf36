"""What goes on beside the work on a mount: is it still there, and does its session still live?"""

from anyio import sleep

from orchestrator.core.errors import Blast, EmError, MountLost, NotFound, SessionEnded
from orchestrator.engine.leases import Lease
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sessions import SessionWatch


async def session_ends(watch: SessionWatch, lease: Lease) -> None:
    """MountLost as soon as the session that made the mount has ended."""
    await watch.ended(lease.generation)
    raise MountLost(vm=lease.row.point.vm, cause="the logon session that made it has ended")


async def beat(rooms: Rooms, lease: Lease) -> None:
    """Touch the mount itself: an idle one may be closed by the backup server although the session lives."""
    while True:
        await sleep(rooms.settings.keep_alive)
        try:
            await ask_for(rooms, lease)
        except MountLost:
            raise
        except EmError as error:
            if error.blast is Blast.PROCESS and not error.transient:
                raise


async def ask_for(rooms: Rooms, lease: Lease) -> None:
    """MountLost when EM no longer has the mount."""
    try:
        await rooms.mounts.mount(lease.held.href, lease.generation)
    except (SessionEnded, NotFound) as error:
        raise MountLost(vm=lease.row.point.vm, cause=str(error)) from error
