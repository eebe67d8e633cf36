"""What became of a mount that can no longer be asked about: proved from outside, or said to be left.

A new session can neither list nor delete the mounts of a dead one. But the mount's folder can be seen to vanish from
the share, as long as that is the same living share, and EM's restore sessions tell when the file-level restore of that
machine has stopped.
"""

from contextlib import suppress
from dataclasses import replace

from anyio import current_time, move_on_after, sleep

from orchestrator.core.catalog import FlrState
from orchestrator.core.errors import EmError
from orchestrator.core.events import MountLeft
from orchestrator.core.ledger import LeaseRow
from orchestrator.core.lifecycle import LeaseState, LeaseStep, advance
from orchestrator.engine.books import Books
from orchestrator.engine.locating import Locator
from orchestrator.engine.rooms import Rooms


class Prover:
    """Settles leases whose session is gone."""

    def __init__(self, rooms: Rooms, books: Books, locator: Locator) -> None:
        self._rooms = rooms
        self._books = books
        self._locator = locator

    async def settle(self, row: LeaseRow, within: float) -> LeaseRow:
        """`row` as confirmed when it is proved gone within `within` seconds, else as left. Written either way, and told
        when it is news that the mount is left."""
        until = current_time() + within
        pause = self._rooms.settings.poll_first
        while not await self._gone(row):
            if current_time() + pause > until:
                return await self._write(row, LeaseStep.LEFT, self._cause(row))
            await sleep(pause)
            pause = min(pause * 2, self._rooms.settings.poll_most)
        return await self._write(row, LeaseStep.CONFIRMED, row.note)

    async def _gone(self, row: LeaseRow) -> bool:
        if row.folder:
            if await self._locator.gone(row.share, row.folder):
                return True
        elif not row.mount_href and not row.task_href:
            # EM never answered the POST, and nothing was ever seen of a mount: that EM knows of no restore is enough.
            return await self._says(row) in (FlrState.STOPPED, FlrState.UNKNOWN)
        return await self._says(row) is FlrState.STOPPED

    async def _says(self, row: LeaseRow) -> FlrState | None:
        """What EM says of restores of that machine since; None when it cannot be asked, which proves nothing."""
        with move_on_after(self._rooms.settings.unmount_timeout), suppress(EmError):
            return await self._rooms.catalogue.restore_state(row.point, row.opened)
        return None

    async def _write(self, row: LeaseRow, step: LeaseStep, note: str) -> LeaseRow:
        if row.state is LeaseState.LEFT and step is LeaseStep.LEFT:
            return row
        if row.state not in (LeaseState.LOST, LeaseState.LEFT):
            row = replace(row, state=advance(row.state, LeaseStep.LOST))
        row = replace(row, state=advance(row.state, step), note=note, ended=row.ended or self._rooms.clock())
        await self._books.write_lease(row)
        if step is LeaseStep.LEFT:
            self._tell_left(row)
        return row

    def _tell_left(self, row: LeaseRow) -> None:
        point, href = row.point, row.mount_href or row.task_href
        self._rooms.emit(
            MountLeft(self._rooms.clock(), row.run, row.group, point.vm, point.backup_server, href, row.note)
        )

    def _cause(self, row: LeaseRow) -> str:
        where = f"its folder is not proved gone from {row.share}" if row.folder else "its folder was never seen"
        return f"the logon session that made it has ended, and {where}; the backup server may still be unmounting it"
