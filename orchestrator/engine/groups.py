"""One mount group from seat to seat: lease, find, walk, copy, release; again when the session was lost under it."""

from collections.abc import Callable, Sequence

from anyio import create_task_group, current_time

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import (
    Blast,
    DownloadsTooLittle,
    Forbidden,
    MountError,
    MountLeft,
    MountLost,
    MountNotOffered,
    NotFound,
    OrchestratorError,
    PointGone,
    SessionEnded,
    ShareUnreadable,
    StoppedEarly,
)
from orchestrator.core.events import FilesLocated, GroupEnded, GroupPutOff, GroupStarted, Notice
from orchestrator.core.falling_back import turned_to_next, turning
from orchestrator.core.fleet_errors import SeatTaken
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, Totals
from orchestrator.core.lifecycle import LeaseState
from orchestrator.core.locate import Seen, Volume
from orchestrator.core.plan import MountGroup, Selection
from orchestrator.core.reasons import Reason
from orchestrator.core.roads import Road
from orchestrator.core.select import Selector
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.controls import RunControl
from orchestrator.engine.course import Course
from orchestrator.engine.gathering import one_error
from orchestrator.engine.heartbeat import ask_for, beat, session_ends
from orchestrator.engine.in_place import InPlaceRestore
from orchestrator.engine.learning import learn
from orchestrator.engine.leases import Lease, Leases
from orchestrator.engine.lettering import find_letters, lost_letters
from orchestrator.engine.locating import Locator
from orchestrator.engine.looking import Place
from orchestrator.engine.matching import Located, Sought, root_names
from orchestrator.engine.ports_dispatch import Turn
from orchestrator.engine.requests import Request, requests_of
from orchestrator.engine.roads import RoadOfGroup
from orchestrator.engine.rooms import Reach, Rooms
from orchestrator.engine.scribe import Outbox, Written, all_written, hand_over
from orchestrator.engine.seats import Seats
from orchestrator.engine.sessions import SessionWatch
from orchestrator.engine.shortfalls import no_volume, unmatched, unmatched_patterns
from orchestrator.engine.stages import Staged, Stages
from orchestrator.engine.stopping import Stop
from orchestrator.engine.walking import Walk, in_walks, watching_crossings

SAYS_NOTHING = (Forbidden, NotFound, MountNotOffered, PointGone, ShareUnreadable, DownloadsTooLittle)
"""Failures that speak of our rights, of one point or of a share, and not of the backup server."""

LOSSES_WITHOUT_PROGRESS = 5
"""A group that loses its mount this often in a row without settling one more file is given up."""


class GroupRunner:
    """Works on one group after the other, many at once. `seats` limits what goes on over all runs; `written` is what
    the scribe has written of each group."""

    def __init__(
        self,
        rooms: Rooms,
        books: Books,
        run: str,
        stop: Stop,
        watch: SessionWatch,
        locator: Locator,
        seats: Seats,
        control: RunControl,
        written: Written,
        stages: Staged | None = None,
    ) -> None:
        self._written = written
        self._rooms = rooms
        self._books = books
        self._run = run
        self._stop = stop
        self._watch = watch
        self._locator = locator
        self._seats = seats
        self._leases = Leases(rooms, books, run, stop)
        self._control = control
        self._stages = stages or Stages(rooms, books, run, stop, seats, control)
        self._calls = Calls(rooms.settings.stall)
        self._in_place = InPlaceRestore(rooms, books, run, stop, watch, self._leases, seats, control)

    async def close(self) -> None:
        """Let go of what copies the files."""
        await self._stages.close()

    async def tell_of_stop(self) -> None:
        """When a stop is asked for while mounts are being made, say what it waits for."""
        await self._stop.requested()
        if names := self._leases.being_made:
            grace = self._rooms.settings.grace
            what = f"the stop waits for Enterprise Manager to mount {', '.join(names)}, and deletes it then"
            more = f"after {grace:g} s (limits.grace) or at a second request files in flight are given up"
            self._rooms.emit(Notice(self._rooms.clock(), f"{what}; {more}, mounts are still deleted"))

    async def restore(
        self, group: MountGroup, turn: Turn, outbox: Outbox, choose: Callable[[Selection], Selector]
    ) -> MountGroup | None:
        """Bring one group to an end and record it. When its restore point could not be mounted: the group that wants
        another turn, the same or with its next restore point. Raises what ends the whole process, and SeatTaken for a
        group that was given out and has no place after all."""
        point = group.point
        started = current_time()
        await self._mark(group, GroupState.RUNNING)
        self._rooms.emit(
            GroupStarted(
                self._rooms.clock(), self._run, group.id, group.vm, point.backup_server, point.uid, point.created
            )
        )
        course = Course(
            group,
            {number: choose(one) for number, one in enumerate(group.selections)},
            turn,
        )
        state, message, journal_fails = GroupState.STOPPED, "", False
        try:
            async with outbox:
                message = await self._until_done(course, outbox)
                await all_written(outbox)  # a group that is done is not looked at again
            if course.again is not None:
                state = GroupState.WAITING
            elif message:
                state = GroupState.FAILED
            elif course.complete:
                state = GroupState.DONE
        except SeatTaken as error:
            state, course.again, message = GroupState.WAITING, group, str(error)
            raise
        except MountLeft:
            journal_fails = True
            raise
        finally:
            seconds = current_time() - started
            if not journal_fails:
                await self._mark(group, state, message, seconds)
            if course.again is not None:
                now, put_off = self._rooms.clock(), course.again == group
                told = GroupPutOff(now, self._run, group.id, group.vm, message) if put_off else None
                self._rooms.emit(told or turning(now, self._run, group, course.again, message))
            else:
                self._emit_ended(course, state, seconds, message)
        return course.again

    def _emit_ended(self, course: Course, state: GroupState, seconds: float, message: str) -> None:
        group = course.group
        self._rooms.emit(
            GroupEnded(
                at=self._rooms.clock(),
                run=self._run,
                group=group.id,
                vm=group.vm,
                state=state.value,
                totals=self._written.get(group.id, Totals()),
                seconds=seconds,
                message=message,
                restore_point=group.point.uid,
                destinations=group.destinations,
            )
        )

    async def _mark(
        self, group: MountGroup, state: GroupState, message: str = "", seconds: float | None = None
    ) -> None:
        row = GroupRow(self._run, group.id, group.vm, state, message, seconds)
        await self._books.ask(self._rooms.runs.write_group, row)

    async def _until_done(self, course: Course, outbox: Outbox) -> str:
        """Mount, copy, release; once more for every mount that is lost. Empty, or why the group failed."""
        group, losses = course.group, 0
        if group.road is Road.ORIGINAL:
            await self._in_place.recall(course, outbox)
        if course.turn is Turn.GIVEN_UP:
            return await self._failed(
                course, outbox, f"{group.point.backup_server} was given up: its mounts kept failing"
            )
        if course.turn is Turn.UNSERVED:
            return await self._none_restored(course, outbox, self._control.unserved[group.id], Reason.NO_WORKER)
        while True:
            before, course.mounted, course.complete, course.unfinished = self._files(group), False, False, []
            try:
                await self._control.not_paused()
                await (self._in_place.once if group.road is Road.ORIGINAL else self._once)(course, outbox)
                return course.undone
            except StoppedEarly:
                return course.undone
            except (MountLost, SessionEnded) as error:
                if self._stop.draining:
                    return course.undone
                await all_written(outbox)
                losses = 0 if self._files(group) > before else losses + 1
                if losses >= LOSSES_WITHOUT_PROGRESS:
                    return await self._failed(course, outbox, f"{error} Given up after {losses} losses in a row.")
            except OrchestratorError as error:
                if error.blast is Blast.PROCESS or isinstance(error, (MountLeft, SeatTaken)):
                    raise
                may_pass = not course.mounted and self._may_pass(course, error)
                if may_pass and course.turn is Turn.FIRST and not self._stop.draining:
                    course.again = group
                    return str(error)
                reason = error.reason if isinstance(error, MountError) else Reason.MOUNT_FAILED
                return await self._failed(course, outbox, str(error), reason)

    def _files(self, group: MountGroup) -> int:
        """Files of the group that this process has dealt with, as far as they are in the journal."""
        return self._written.get(group.id, Totals()).files

    def _may_pass(self, course: Course, error: OrchestratorError) -> bool:
        """Whether a failure to mount speaks of the backup server rather than of our rights or of one point."""
        if isinstance(error, SAYS_NOTHING):
            return False
        if not course.group.instead_of:  # one machine whose points are all damaged says nothing of its server
            self._seats.failed(course.group.point.backup_server, str(error))
        return not course.group.instead_of

    async def _failed(self, course: Course, outbox: Outbox, message: str, reason: Reason = Reason.MOUNT_FAILED) -> str:
        """The group turns to its next restore point, if it has one and nothing was restored yet. Else everything that
        it was asked for becomes an outcome, so that nothing is missing from the report."""
        await all_written(outbox)
        if course.group.others and not (self._files(course.group) or course.told or self._stop.draining):
            course.again = turned_to_next(course.group)
            return message
        if course.group.instead_of:
            message += f" {len(course.group.instead_of)} other restore points could not be mounted before."
        if course.group.os is None and any(path.linux for one in course.group.selections for path in one.paths):
            message += ' For a Linux guest say os = "linux": EM assumes Windows.'
        return await self._none_restored(course, outbox, message, reason)

    async def _none_restored(self, course: Course, outbox: Outbox, message: str, reason: Reason) -> str:
        asked = (str(path) for one in course.group.selections for path in one.paths)
        paths = dict.fromkeys(path for path in asked if path not in course.told)
        outcomes = [
            Outcome(course.group.id, path, "", Verdict.FAILED, reason=reason, message=message) for path in paths
        ]
        await hand_over(outbox, outcomes)
        return message

    async def _once(self, course: Course, outbox: Outbox) -> None:
        group = course.group
        server = group.point.backup_server
        reach = self._rooms.settings.reach(server)
        if reach is None:
            raise ShareUnreadable(share="no share", backup_server=server, cause="the config has no entry for it")
        road = RoadOfGroup(group, reach, self._rooms.emit, self._rooms.clock)
        async with self._seats.looking.place(reach.by_id, road.looks) as place:
            if reach.by_id and self._stop.draining:
                return  # asked for while others were waited for: nothing has been mounted
            before = await road.seen_before(self._locator)
            if before is None:
                place.unseen()
            async with self._leases.hold(group) as lease:
                course.mounted = True
                self._seats.mounted(server, lease.seconds)
                await self._while_held(course, outbox, lease, before, reach, road, place)
        if lease.row.folder and lease.row.state is LeaseState.RELEASED:
            await self._confirm(lease.row)

    async def _while_held(
        self,
        course: Course,
        outbox: Outbox,
        lease: Lease,
        before: Seen | None,
        reach: Reach,
        road: RoadOfGroup,
        place: Place,
    ) -> None:
        """Find the files and copy them, for as long as EM has the mount. Others may look when they are found."""
        with one_error():
            async with create_task_group() as guarded:
                guarded.start_soon(session_ends, self._watch, lease)
                guarded.start_soon(beat, self._rooms, lease)
                names = root_names(lease.held, reach)
                walks, wanted = requests_of(course.group, names)
                lost = lost_letters(course.group, names)
                located = await self._locate(course.group, lease, before, reach, names if lost else wanted, road)
                if located.share:
                    place.seen()
                    await learn(self._rooms, self._books, self._seats, course.group, located.share)
                elif located.volumes:
                    place.unseen()
                if lost:
                    walks = await find_letters(self._rooms, self._calls, course.group, lost, located, names)
                await self._announce(lease, located)
                await self._copy_out(course, outbox, walks, located, names)
                guarded.cancel_scope.cancel()

    async def _locate(
        self,
        group: MountGroup,
        lease: Lease,
        before: Seen | None,
        reach: Reach,
        wanted: Sequence[str],
        road: RoadOfGroup,
    ) -> Located:
        """Where the mount's files are. That they are not there is believed only while EM still has the mount."""
        if not wanted:
            return Located("", "", [], {})
        if before is None:
            return road.through_em(lease.held, lease.generation, wanted)
        point, expected = lease.row.point, self._seats.expected(group)
        try:
            located = await self._locator.locate(
                Sought(lease.held, lease.generation, point.vm, point.backup_server, reach, wanted, before, expected)
            )
        except MountError as error:
            await ask_for(self._rooms, lease)
            road.fall_back(error)
            return road.through_em(lease.held, lease.generation, wanted)
        if located.unmatched:
            await ask_for(self._rooms, lease)
        return located

    async def _confirm(self, row: LeaseRow) -> None:
        if await self._locator.gone(row.share, row.folder):
            await self._leases.confirm(row)

    async def _announce(self, lease: Lease, located: Located) -> None:
        if not located.volumes:
            return
        if located.share:
            await self._leases.place(lease, located.share, located.folder, located.host)
        row, volumes = lease.row, tuple((volume.root, volume.folder.root) for volume in located.volumes)
        for doubt in located.doubts:
            self._rooms.emit(Notice(self._rooms.clock(), f"{row.point.vm}: {doubt}"))
        where, host = located.where, located.host
        self._rooms.emit(FilesLocated(self._rooms.clock(), self._run, row.group, row.point.vm, where, volumes, host))

    async def _copy_out(
        self,
        course: Course,
        outbox: Outbox,
        requests: Sequence[Request],
        located: Located,
        names: Sequence[str],
    ) -> None:
        volumes = {volume.root: volume for volume in located.volumes}
        starts: dict[tuple[int, str], list[tuple[str, ...]]] = {}
        outcomes = []
        for number, path, root, below in requests:
            if root in volumes:
                starts.setdefault((number, root), []).append(below)
            elif path.volume == "*" and root in located.bare:
                self._leave_out(course.group, root, located.bare[root])
            elif root:
                course.unfinished.append(unmatched(course.group, path, root, located.unmatched.get(root, "")))
            else:
                outcomes.append(no_volume(course.group, path, names))
        await hand_over(outbox, outcomes)
        stages: dict[int, list[Walk]] = {}
        for (number, root), all_below in starts.items():
            walks = await self._walks(course, number, volumes[root], all_below)
            stages.setdefault(course.group.selections[number].stage, []).extend(walks)
        in_order = [walks for _, walks in sorted(stages.items())]
        course.complete = await self._stages.run(watching_crossings(in_order), course, outbox)
        await hand_over(outbox, course.unfinished)
        if course.complete and not course.unfinished:
            await hand_over(outbox, unmatched_patterns(course.group, course.selectors))

    def _leave_out(self, group: MountGroup, root: str, cause: str) -> None:
        """`*` means every volume with files in it; one that cannot be looked into is told, and fails nobody."""
        if cause:
            self._rooms.emit(Notice(self._rooms.clock(), f"{group.vm}: {root} is reserved and left out: {cause}"))

    async def _walks(
        self, course: Course, number: int, volume: Volume, starts: Sequence[tuple[str, ...]]
    ) -> list[Walk]:
        source, selector = self._rooms.source, course.selectors[number]
        selection, folds_case = course.group.selections[number], False
        if self._rooms.folds_case is not None:
            folds_case = await self._folds_case(self._rooms.folds_case, selection.destination)
        return [Walk(source, course.group, selection, selector, volume, some, folds_case) for some in in_walks(starts)]

    async def _folds_case(self, ask: Callable[[str], bool], destination: str) -> bool:
        """A destination that does not answer is taken for one that does, which overwrites nothing; before anything is
        copied it is asked for room."""
        try:
            return await self._calls.run(destination, lambda beat: ask(destination))
        except TimeoutError:
            return True
