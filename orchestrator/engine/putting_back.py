"""Paths of a restore point, put back where they were by Enterprise Manager itself, inside the guest.

Like a mount, such a restore is journalled before EM is asked for it, and never asked for twice: what EM was asked for
and has not told the end of stays open in the journal. The mount stays until EM has ended the last of them.
"""

from collections.abc import Sequence
from functools import partial

from anyio import create_task_group, move_on_after, sleep

from orchestrator.core.catalog import Task, TaskPhase
from orchestrator.core.errors import EmError, MountStalled, NotFound, OutcomeUnknown, SessionEnded
from orchestrator.core.events import Notice
from orchestrator.core.ledger import GroupRow, GroupState
from orchestrator.core.locate import roots_for
from orchestrator.core.originals import InPlace, PutBack, PutBackPath
from orchestrator.core.paths import GuestPath, SourcePath
from orchestrator.core.plan import MountGroup
from orchestrator.core.roads import em_root, href_below
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.gathering import one_error
from orchestrator.engine.heartbeat import beat, session_ends
from orchestrator.engine.leases import RECORD_WITHIN, Lease, Leases
from orchestrator.engine.ports_files import Originals
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.sessions import SessionWatch


class PuttingBack:
    """Puts the paths of one restore point back, one after the other, under the run `run`."""

    def __init__(self, rooms: Rooms, books: Books, originals: Originals, run: str, how: InPlace) -> None:
        self._rooms = rooms
        self._books = books
        self._originals = originals
        self._run = run
        self._how = how

    async def put_back(self, watch: SessionWatch, group: MountGroup) -> Sequence[PutBackPath]:
        """What came of every path of the group. The mount is deleted however this ends; EmError when there is none."""
        done: list[PutBackPath] = []
        async with Leases(self._rooms, self._books, self._run).hold(group) as lease:
            with one_error():
                async with create_task_group() as guarded:
                    guarded.start_soon(session_ends, watch, lease)
                    guarded.start_soon(beat, self._rooms, lease)
                    for number, path in enumerate(group.selections[0].paths, 1):
                        done.append(await self._one(lease, f"p{number:04d}", path))
                    guarded.cancel_scope.cancel()
        return done

    async def _one(self, lease: Lease, number: str, path: GuestPath) -> PutBackPath:
        place = await self._place(lease, path)
        if place is None:
            said = "it is not in the restore point; check the spelling, or choose another restore point"
            return PutBackPath(str(path), PutBack.FAILED, said)
        await self._note(lease, number, path, GroupState.RUNNING)
        result = await self._asked(lease, path, place)
        if result.result is not PutBack.UNKNOWN:  # what is unknown stays open, as it does after a kill
            state = GroupState.DONE if result.result is PutBack.DONE else GroupState.FAILED
            await self._note(lease, number, path, state, result.message)
        return result

    async def _place(self, lease: Lease, path: GuestPath) -> str | None:
        """The address of a path below the mount, in the spelling of the restore point; None when it is not there."""
        hrefs = {root.name: root.href for root in lease.held.roots}
        holding = [(name, below) for name, below in roots_for(path, hrefs) if below]
        if not holding:
            return None
        name, below = holding[0]
        at = SourcePath(em_root(lease.generation, hrefs[name]), "/".join(below))
        try:
            found = await Calls(self._rooms.settings.stall).run(name, partial(self._rooms.source.look, at))
        except TimeoutError as error:
            raise MountStalled(vm=lease.row.point.vm, cause=f"{name}: {error.strerror}") from error
        return None if found is None or found.reason is not None else href_below(hrefs[name], found.relative)

    async def _asked(self, lease: Lease, path: GuestPath, href: str) -> PutBackPath:
        vm, name = lease.row.point.vm, str(path)
        what = f"Enterprise Manager is asked to restore {name} of {vm} to its original location"
        self._rooms.emit(Notice(self._rooms.clock(), f"{what} ({self._how.standing.value})"))
        try:
            task = await self._request(href, name, lease.generation)
            task = await self._finished(task, lease.generation)
        except (OutcomeUnknown, SessionEnded, NotFound) as error:
            return PutBackPath(name, PutBack.UNKNOWN, f"how it ended is not known: {error}")
        except EmError as error:
            return PutBackPath(name, PutBack.FAILED, str(error))
        if task.success:
            return PutBackPath(name, PutBack.DONE)
        why = task.message.rstrip(". ") or "EM gives no reason"
        return PutBackPath(name, PutBack.FAILED if task.success is False else PutBack.UNKNOWN, why)

    async def _request(self, href: str, name: str, generation: int) -> Task:
        """The POST, under a shield: no cancel falls between asking and knowing what was asked."""
        with move_on_after(RECORD_WITHIN, shield=True):
            return await self._originals.restore_in_place(href, name, self._how, generation)
        raise OutcomeUnknown(what=name, cause=f"no answer within {RECORD_WITHIN:g} s")

    async def _finished(self, task: Task, generation: int) -> Task:
        """Poll until EM has ended it, however long that takes: the mount must stay until then."""
        pause, href = self._rooms.settings.poll_first, task.href
        while task.phase is not TaskPhase.FINISHED:
            await sleep(pause)
            pause = min(pause * 1.5, self._rooms.settings.poll_most)
            task = await self._again(href, generation)
        return task

    async def _again(self, href: str, generation: int) -> Task:
        """The task now. That EM cannot be asked for a while says nothing of it."""
        try:
            return await self._originals.task(href, generation)
        except EmError as error:
            if not error.transient:
                raise
            return Task(href, TaskPhase.RUNNING)

    async def _note(self, lease: Lease, number: str, path: GuestPath, state: GroupState, message: str = "") -> None:
        text = f"{path}: {message}" if message else str(path)
        row = GroupRow(self._run, number, lease.row.point.vm, state, text)
        await self._books.ask(self._rooms.runs.write_group, row)
