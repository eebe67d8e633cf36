"""A mount group of road "original": mounted like every other, and restored by EM itself, path after path."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import create_task_group

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.events import FilesScanned
from orchestrator.core.in_place import standing_of
from orchestrator.core.originals import UNSETTLED, InPlace, OriginalRow, OriginalState
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import Selection
from orchestrator.core.reasons import Reason
from orchestrator.engine.books import Books
from orchestrator.engine.controls import RunControl
from orchestrator.engine.course import Course
from orchestrator.engine.gathering import one_error
from orchestrator.engine.heartbeat import beat, session_ends
from orchestrator.engine.leases import Lease, Leases
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.scribe import Outbox, hand_over
from orchestrator.engine.seats import Seats
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.stopping import Stop

if TYPE_CHECKING:
    from orchestrator.engine.putting_back import PuttingBack

REASONS = {OriginalState.FAILED: Reason.NOT_PUT_BACK, OriginalState.UNKNOWN: Reason.END_UNKNOWN}


@dataclass(frozen=True, slots=True)
class InPlaceRestore:
    """Restores groups of one run into their guests."""

    rooms: Rooms
    books: Books
    run: str
    stop: Stop
    watch: SessionWatch
    leases: Leases
    seats: Seats
    control: RunControl

    async def recall(self, course: Course, outbox: Outbox) -> None:
        """What earlier mounts and processes have asked for is told, and not asked for again. What is open still can be
        followed by nobody: who could has brought it to an end."""
        from orchestrator.engine.original_ends import OriginalEnds  # few jobs restore into guests

        ends = OriginalEnds(self.rooms, self.books)
        self._scanned(course, sum(len(one.paths) for one in course.group.selections), 0)
        for row in await self.books.ask(self.rooms.originals.originals, self.run):
            if row.group == course.group.id and row.state is not OriginalState.NOTHING:
                known = await ends.lose(row) if row.state in UNSETTLED else row
                await self._tell(course, outbox, _outcome(known))

    async def once(self, course: Course, outbox: Outbox) -> None:
        """Mount, have EM restore what it has not been asked for, and delete the mount. No share is looked at."""
        group = course.group
        if all(str(path) in course.told for one in group.selections for path in one.paths):
            course.complete = True
            return
        reach = self.rooms.settings.reach(group.point.backup_server)
        async with self.seats.looking.place(reach.by_id if reach else (), looks=False):
            if self.stop.draining:
                return
            async with self.leases.hold(group) as lease:
                course.mounted = True
                self.seats.mounted(group.point.backup_server, lease.seconds)
                with one_error():
                    async with create_task_group() as guarded:
                        guarded.start_soon(session_ends, self.watch, lease)
                        guarded.start_soon(beat, self.rooms, lease)
                        course.complete = await self._each(course, lease, outbox)
                        guarded.cancel_scope.cancel()

    async def _each(self, course: Course, lease: Lease, outbox: Outbox) -> bool:
        """Whether every path has come to its end; False when a stop came between two of them."""
        from orchestrator.engine.putting_back import PuttingBack

        working = PuttingBack(self.rooms, self.books, self.run, self.seats.asking)
        for selection in course.group.selections:
            for path in selection.paths:
                if str(path) in course.told:
                    continue
                await self.control.not_paused()
                if self.stop.draining:
                    return False
                await self._tell(course, outbox, await self._one(working, course, lease, selection, path))
        self._scanned(course, 0, 0, complete=True)
        return True

    async def _one(
        self, working: "PuttingBack", course: Course, lease: Lease, selection: Selection, path: GuestPath
    ) -> Outcome:
        from orchestrator.engine.putting_back import Absent

        place = await working.place(lease, path)
        if isinstance(place, Absent):
            text, reason = f"{path}: {place.message}", place.reason
            return Outcome(course.group.id, str(path), "", Verdict.FAILED, reason=reason, message=text)
        return _outcome(await working.restore(lease, path, place, self._how(selection)))

    def _how(self, selection: Selection) -> InPlace:
        """The accounts of the guests were looked up before the run began."""
        standing = standing_of(selection)
        if not selection.guest_credentials:
            return InPlace(standing)
        account = self.rooms.accounts[selection.guest_credentials]
        return InPlace(standing, account.user, account.password)

    async def _tell(self, course: Course, outbox: Outbox, outcome: Outcome) -> None:
        course.told.add(outcome.guest_path)
        if outcome.size:
            self._scanned(course, 0, outcome.size)
        await hand_over(outbox, [outcome])

    def _scanned(self, course: Course, files: int, size: int, *, complete: bool = False) -> None:
        self.rooms.emit(FilesScanned(self.rooms.clock(), self.run, course.group.id, files, size, complete))


def _outcome(row: OriginalRow) -> Outcome:
    """What came of one path, for the report: with EM's word, and the size where EM tells it."""
    if row.state is OriginalState.RESTORED:
        return Outcome(row.group, row.guest_path, "", Verdict.RESTORED, row.size or 0)
    return Outcome(
        row.group, row.guest_path, "", Verdict.FAILED, row.size or 0, reason=REASONS[row.state], message=row.message
    )
