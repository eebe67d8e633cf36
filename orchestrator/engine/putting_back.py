"""Paths of a restore point, put back where they were by Enterprise Manager itself, inside the guest.

Each is journalled before EM is asked for it, and again once its task is known; the POST and that record stand under one
shield. It is never asked for twice: the task of a lost answer is looked for in EM's list. The mount stays until EM has
ended the last of them, and what must be given up is stopped at EM before the mount goes.
"""

from dataclasses import dataclass, replace
from functools import partial

from anyio import Lock, create_task_group, get_cancelled_exc_class, move_on_after

from orchestrator.core.entries import Entry, EntryKind
from orchestrator.core.errors import Blast, EmError, MountLost, MountStalled, NotFound, OutcomeUnknown, SessionEnded
from orchestrator.core.events import OriginalAsked
from orchestrator.core.locate import roots_for
from orchestrator.core.originals import UNSETTLED, InPlace, OriginalRow, OriginalState
from orchestrator.core.paths import GuestPath, SourcePath
from orchestrator.core.plan import MountGroup
from orchestrator.core.reasons import Reason
from orchestrator.core.roads import em_root, href_below
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.gathering import one_error
from orchestrator.engine.heartbeat import ask_for, beat, session_ends
from orchestrator.engine.leases import RECORD_WITHIN, Lease, Leases
from orchestrator.engine.original_ends import STOPPED_WITHIN, OriginalEnds
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sessions import SessionWatch


@dataclass(frozen=True, slots=True)
class Place:
    """A path as it is in the restore point: its address below the mount, and its bytes if it is a file."""

    href: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Absent:
    """Why a path cannot be asked for: EM does not show it."""

    reason: Reason
    message: str


NOT_THERE = Absent(
    Reason.NOT_FOUND, "it is not in the restore point; check the spelling, or choose another restore point"
)


class PuttingBack:
    """Puts paths of one restore point back, one after the other, under the run `run`. `turn` is shared by all who ask
    EM for such restores under one session: only one may be between the POST and the record of its task."""

    def __init__(self, rooms: Rooms, books: Books, run: str, turn: Lock) -> None:
        self._rooms = rooms
        self._books = books
        self._run = run
        self._turn = turn
        self._ends = OriginalEnds(rooms, books)
        self._calls = Calls(rooms.settings.stall)

    async def restore_all(
        self, watch: SessionWatch, group: MountGroup, how: InPlace
    ) -> list[tuple[GuestPath, OriginalRow | Absent]]:
        """Mount, have every path of the group restored, and delete the mount however this ends. EmError when there is
        no mount, or it is lost."""
        done: list[tuple[GuestPath, OriginalRow | Absent]] = []
        async with Leases(self._rooms, self._books, self._run).hold(group) as lease:
            with one_error():
                async with create_task_group() as guarded:
                    guarded.start_soon(session_ends, watch, lease)
                    guarded.start_soon(beat, self._rooms, lease)
                    for path in (path for one in group.selections for path in one.paths):
                        place = await self.place(lease, path)
                        came = place if isinstance(place, Absent) else await self.restore(lease, path, place, how)
                        done.append((path, came))
                    guarded.cancel_scope.cancel()
        return done

    async def place(self, lease: Lease, path: GuestPath) -> Place | Absent:
        """Where a path is, in the spelling of the restore point. MountStalled; SessionEnded."""
        hrefs = {root.name: root.href for root in lease.held.roots}
        holding = [(name, below) for name, below in roots_for(path, hrefs) if below]
        if not holding:
            return NOT_THERE
        name, below = holding[0]
        at = SourcePath(em_root(lease.generation, hrefs[name]), "/".join(below))
        found: Entry | None
        try:
            found = await self._calls.run(name, partial(self._rooms.source.look, at))
        except TimeoutError as error:
            raise MountStalled(vm=lease.row.point.vm, cause=f"{name}: {error.strerror}") from error
        if found is None:
            return NOT_THERE
        if found.reason is not None:
            return Absent(found.reason, found.message)
        return Place(href_below(hrefs[name], found.relative), found.size if found.kind is EntryKind.FILE else None)

    async def restore(self, lease: Lease, path: GuestPath, place: Place, how: InPlace) -> OriginalRow:
        """Have EM restore one path; how that ended, which is in the journal then. MountLost when EM did not begin and
        may be asked anew under another mount; else only what ends the whole process."""
        row = OriginalRow(
            self._run, lease.row.group, str(path), lease.row.point.vm, how.standing, OriginalState.INTENDED,
            lease.row.session, self._rooms.clock(), size=place.size,
        )  # fmt: skip
        async with self._turn:
            row = await self._asked(lease, row, place, how)
            if row.state is OriginalState.INTENDED:  # no answer: while nobody else asks, what is new is ours
                return await self._followed(lease, row)
        return await self._followed(lease, row) if row.state in UNSETTLED else row

    async def _asked(self, lease: Lease, row: OriginalRow, place: Place, how: InPlace) -> OriginalRow:
        """The POST and its record, under a shield: no cancel falls between asking and knowing what was asked."""
        try:
            before = await self._rooms.restorer.restore_tasks(lease.generation)
        except (SessionEnded, NotFound) as error:
            raise MountLost(vm=row.vm, cause=str(error)) from error
        row = replace(row, before=tuple(sorted(task.href for task in before)))
        with move_on_after(RECORD_WITHIN, shield=True):
            await self._ends.write(row)
            ids = row.run, row.group, row.vm, row.guest_path
            self._rooms.emit(OriginalAsked(self._rooms.clock(), *ids, row.standing))
            try:
                task = await self._rooms.restorer.restore_in_place(place.href, row.guest_path, how, lease.generation)
            except OutcomeUnknown as error:
                return await self._ends.write(replace(row, message=str(error)))
            except EmError as error:
                return await self._refused(lease, row, error)
            return await self._ends.write(replace(row, state=OriginalState.ASKED, task_href=task.href))
        return replace(row, message=f"no answer within {RECORD_WITHIN:g} s")

    async def _refused(self, lease: Lease, row: OriginalRow, error: EmError) -> OriginalRow:
        """EM has not begun. What may pass, and what is the mount's fault, is asked anew under another mount."""
        if error.blast is Blast.PROCESS and not error.transient:
            await self._ends.settle(row, OriginalState.NOTHING, str(error))
            raise error
        try:
            if isinstance(error, NotFound):
                await ask_for(self._rooms, lease)
            elif error.transient:
                raise MountLost(vm=row.vm, cause=str(error)) from error
        except MountLost:
            await self._ends.settle(row, OriginalState.NOTHING, str(error))
            raise
        return await self._ends.settle(row, OriginalState.FAILED, str(error))

    async def _followed(self, lease: Lease, row: OriginalRow) -> OriginalRow:
        """`row` at its end. When it must be given up, EM is told to stop, and that is written before the mount goes."""
        try:
            return await self._ends.follow(row, self._rooms.restorer, lease.generation)
        except get_cancelled_exc_class():
            with move_on_after(2 * STOPPED_WITHIN, shield=True):
                await self._ends.give_up(row, self._rooms.restorer, lease.generation)
            raise
