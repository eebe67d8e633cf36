"""Clearing what dead runs have left at EM: under their own sealed sessions while those live, else by proof.

Touches only what the journal proves to be ours.
"""

from collections.abc import Sequence

from orchestrator.core.errors import Blast, EmError, SealBroken, SessionEnded
from orchestrator.core.events import Notice
from orchestrator.core.ledger import LeaseRow, SessionRow
from orchestrator.core.lifecycle import OPEN_STATES
from orchestrator.core.originals import OriginalRow
from orchestrator.engine.books import Books
from orchestrator.engine.leases import Lease, Leases
from orchestrator.engine.locating import Locator
from orchestrator.engine.ports import Revived
from orchestrator.engine.proving import Prover
from orchestrator.engine.rooms import Rooms


async def sweep(rooms: Rooms, books: Books, within: float) -> tuple[list[LeaseRow], list[LeaseRow]]:
    """(cleared, left): every open lease of the journal, deleted or proved gone within `within` seconds each, or not.

    A session that holds nothing any more, because its process died between its last mount and its log-off, is logged
    off too. What EM was asked to restore to its original location is brought to an end first, since a mount is not to
    be deleted under that.
    """
    kept = {row.id: row for row in await books.ask(rooms.leases.sessions) if not books.owns(row.id)}
    held: dict[str, list[LeaseRow]] = {session: [] for session in kept}
    for row in await books.ask(rooms.leases.open_leases):
        held.setdefault(row.session, []).append(row)
    asked: dict[str, list[OriginalRow]] = {}
    for one in await books.ask(rooms.originals.open_originals):
        if not books.owns(one.session):
            held.setdefault(one.session, [])
            asked.setdefault(one.session, []).append(one)
    cleared: list[LeaseRow] = []
    left: list[LeaseRow] = []
    for session, rows in held.items():
        for row in await _sweep_session(rooms, books, session, kept.get(session), rows, asked.get(session, ()), within):
            (left if row.state in OPEN_STATES else cleared).append(row)
    return cleared, left


async def _sweep_session(
    rooms: Rooms,
    books: Books,
    session: str,
    kept: SessionRow | None,
    rows: Sequence[LeaseRow],
    asked: Sequence[OriginalRow],
    within: float,
) -> list[LeaseRow]:
    """The rows of one dead session as they are afterwards. Its token is erased once it holds nothing."""
    revived = await _revive(rooms, kept)
    if asked:
        from orchestrator.engine.original_ends import settle_originals  # few jobs restore into guests

        await settle_originals(rooms, books, asked, revived.restores if revived else None)
    after = []
    if revived is not None:
        leases = {run: Leases(rooms, books, run) for run in {row.run for row in rows}}
        for row in rows:
            lease = Lease(row, 0, revived.mounts)
            await leases[row.run].release(lease)
            after.append(lease.row)
    prover = Prover(rooms, books, Locator(rooms.source, rooms.browser, rooms.settings))
    after = [await prover.settle(row, within) if row.state in OPEN_STATES else row for row in after or rows]
    if all(row.state not in OPEN_STATES for row in after):
        if revived is not None:
            await _log_off(rooms, revived)
        await books.ask(rooms.leases.erase_session, session)
    return after


async def _revive(rooms: Rooms, kept: SessionRow | None) -> Revived | None:
    """The dead run's session, or None when it cannot be used; then only proof from outside is left. Raises what
    keeps this process from asking EM anything."""
    if kept is None:
        return None
    try:
        return await rooms.reviver.revive(kept.sealed)
    except SessionEnded:
        return None
    except (SealBroken, EmError) as error:
        if isinstance(error, EmError) and error.blast is Blast.PROCESS:
            raise
        rooms.emit(Notice(rooms.clock(), str(error)))
        return None


async def _log_off(rooms: Rooms, revived: Revived) -> None:
    try:
        await revived.close()
    except EmError as error:
        rooms.emit(Notice(rooms.clock(), f"the swept session could not be logged off and will expire: {error}"))
