"""Our hold on a mount: acquire, record, release, always.

What EM holds is journalled ahead: *intended* before the POST, *requested* once its task is known, *held* once its own
href is known. The POST and its record stand in one shielded, bounded scope, so that no cancel falls between the
two. A POST is never repeated: after an unknown outcome the point's mounts are listed, and what is new since before
the POST is ours. Every way out of `held` ends in a DELETE under a shield and a deadline.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from anyio import CancelScope, current_time, move_on_after, sleep

from orchestrator.core.catalog import Mount, Task, TaskPhase
from orchestrator.core.errors import (
    EmError,
    EmUnreachable,
    MountError,
    MountFailed,
    MountLeft,
    MountLost,
    MountNotOffered,
    MountTimedOut,
    NotFound,
    OutcomeUnknown,
    PointGone,
    SessionEnded,
    StateError,
    StoppedEarly,
)
from orchestrator.core.events import MountDeleted, MountGone, MountOpened, Notice
from orchestrator.core.events import MountLeft as MountLeftBehind
from orchestrator.core.ledger import LeaseRow
from orchestrator.core.lifecycle import OPEN_STATES, LeaseState, LeaseStep, advance
from orchestrator.core.plan import MountGroup
from orchestrator.core.roads import Road
from orchestrator.engine.books import Books
from orchestrator.engine.ports import Mounts
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.stopping import Stop

SETTLE = 30.0
"""Seconds that a mount or its task may take to show up after a POST whose answer never came."""

RECORD_WITHIN = 300.0
"""Seconds that the POST and its record may take under the shield: one request, its time limit, one journal write."""


@dataclass(slots=True)
class Lease:
    """A lease in the hands of its holder. `mount` is set once it is held; making it took `seconds`."""

    row: LeaseRow
    generation: int
    mounts: Mounts
    mount: Mount | None = None
    seconds: float = 0.0

    @property
    def held(self) -> Mount:
        if self.mount is None:
            raise MountLost(vm=self.row.point.vm, cause="it is not held")
        return self.mount


class Leases:
    """Makes, keeps and releases leases. `run` is the id of the run they belong to, `stop` what may end it; who only
    releases needs none."""

    def __init__(self, rooms: Rooms, books: Books, run: str, stop: Stop | None = None) -> None:
        self._rooms = rooms
        self._books = books
        self._run = run
        self._stop = stop
        self._tasks: set[str] = set()
        self._making: dict[str, str] = {}

    @property
    def being_made(self) -> list[str]:
        """The machines whose mounts EM has been asked for and has not finished, by name: which of two groups comes to
        its request first is chance."""
        return sorted(self._making.values())

    @asynccontextmanager
    async def hold(self, group: MountGroup) -> AsyncIterator[Lease]:
        """A mounted restore point for as long as the block lasts. Raises MountError, or what EM raises; StoppedEarly
        when a stop is asked for before EM is asked to mount."""
        if not group.point.create_href:
            raise MountNotOffered(vm=group.vm)
        lease = await self._intend(group)
        try:
            if self._stop is not None and self._stop.draining:  # the questions before may have waited long for EM
                await self._record(lease, LeaseStep.NOTHING, note="stopped before it was asked for", ended=True)
                raise StoppedEarly
            await self._acquire(lease, group)
            if all(
                one.road is not Road.ORIGINAL for one in group.selections
            ):  # what EM restores into a guest from must stay until that has ended
                self._rooms.held.add(lease.row.mount_href)
            yield lease
        finally:
            self._rooms.held.discard(lease.row.mount_href)
            await self.release(lease)

    async def _intend(self, group: MountGroup) -> Lease:
        # Never a logon of its own: after a refused renewal each would bring the account closer to being locked.
        generation = self._rooms.session.generation
        try:
            before = await self._rooms.mounts.existing(group.point, generation)
        except SessionEnded as error:
            raise MountLost(vm=group.vm, cause=str(error)) from error
        row = LeaseRow(
            id=self._rooms.new_id(),
            run=self._run,
            group=group.id,
            session=await self._books.session_id(generation),
            point=group.point,
            state=LeaseState.INTENDED,
            opened=self._rooms.clock(),
            before=tuple(sorted(before)),
        )
        await self._books.write_lease(row)
        return Lease(row, generation, self._rooms.mounts)

    async def _acquire(self, lease: Lease, group: MountGroup) -> None:
        started = current_time()
        deadline = started + self._rooms.settings.mount_timeout
        self._making[lease.row.id] = group.vm
        try:
            task = await self._request(lease, group)
            if task is not None:
                task = await self._finished(lease, task, deadline)
            href = await self._own_mount(lease, task, deadline)
            await self._record(lease, LeaseStep.HELD, mount_href=href)
            lease.seconds = current_time() - started
            self._emit_opened(lease, lease.seconds)
            lease.mount = await lease.mounts.mount(href, lease.generation)
        except SessionEnded as error:
            raise MountLost(vm=group.vm, cause=str(error)) from error
        finally:
            del self._making[lease.row.id]

    async def _request(self, lease: Lease, group: MountGroup) -> Task | None:
        """POST and record, never one without the other. None when EM's answer is unknown."""
        with move_on_after(RECORD_WITHIN, shield=True):
            try:
                task = await lease.mounts.request(group.point, group.os, lease.generation)
            except OutcomeUnknown as error:
                await self._note(lease, str(error))
                return None
            except EmError as error:
                if not isinstance(error, SessionEnded):
                    await self._record(lease, LeaseStep.NOTHING, note=str(error))
                if isinstance(error, EmUnreachable):
                    # Nothing was sent. The next try begins with questions that wait until EM is back, or end the run.
                    raise MountLost(vm=group.vm, cause=str(error)) from error
                if isinstance(error, NotFound):
                    raise PointGone(vm=group.vm, cause=error.facts["cause"]) from error
                raise
            self._tasks.add(task.href)
            await self._record(lease, LeaseStep.REQUESTED, task_href=task.href)
            return task
        raise MountTimedOut(vm=group.vm, seconds=RECORD_WITHIN)

    async def _finished(self, lease: Lease, task: Task, deadline: float) -> Task:
        """Poll with growing intervals until the task is finished; MountTimedOut at `deadline`."""
        pause = self._rooms.settings.poll_first
        while task.phase is not TaskPhase.FINISHED:
            if current_time() + pause > deadline:
                if task.phase is TaskPhase.OPERATION_FINISHED and task.success:
                    return task
                raise MountTimedOut(vm=lease.row.point.vm, seconds=self._rooms.settings.mount_timeout)
            await sleep(pause)
            pause = min(pause * 1.5, self._rooms.settings.poll_most)
            task = replace(await lease.mounts.task(task.href, lease.generation), href=task.href)
        return task

    async def _own_mount(self, lease: Lease, task: Task | None, deadline: float) -> str:
        """The href of our mount: from the finished task, else the one mount that is new since before the POST."""
        vm = lease.row.point.vm
        if task is not None and task.success is False:
            raise MountFailed(vm=vm, cause=task.message.rstrip(". ") or "EM gives no reason")
        ours = [href for href in (task.mounts if task else ()) if href not in lease.row.before]
        if len(ours) == 1:
            return ours[0]
        if task is not None and task.success is None:
            raise MountFailed(vm=vm, cause="EM's task ended with neither a result nor a mount")
        new = await self._await_new(lease, deadline if task is None else current_time() + 5)
        if not new:
            raise MountFailed(vm=vm, cause="EM made no mount" if task else f"no answer to the POST; {lease.row.note}")
        return new[0]

    async def _await_new(self, lease: Lease, deadline: float) -> list[str]:
        """The mounts of the point that are new since before the POST.

        Waits for the first until `deadline` while EM runs a mount task that nobody else owns, and SETTLE seconds
        when there is none.
        """
        begun = current_time()
        pause = self._rooms.settings.poll_first
        while True:
            at_work = await self._task_unaccounted_for(lease)  # first: what ends between the two has made its mount
            new = sorted(await lease.mounts.existing(lease.row.point, lease.generation) - set(lease.row.before))
            if new:
                return new
            until = deadline if at_work else min(deadline, begun + SETTLE)
            if current_time() + pause > until:
                return []
            await sleep(pause)
            pause = min(pause * 1.5, self._rooms.settings.poll_most)

    async def _task_unaccounted_for(self, lease: Lease) -> bool:
        """Whether EM is at work on a mount that is none of our other leases': it may be the one asked for."""
        tasks = await lease.mounts.tasks(lease.generation)
        return any(task.phase is not TaskPhase.FINISHED and task.href not in self._tasks for task in tasks)

    async def release(self, lease: Lease) -> None:
        """End the lease: shielded, bounded, and journalled whatever comes of it. Raises no EmError but MountLeft, when
        the journal fails too."""
        if lease.row.state not in OPEN_STATES:
            return
        cause = "the time limit for deleting passed (limits.unmount_timeout)"
        with CancelScope(shield=True):
            with move_on_after(self._rooms.settings.unmount_timeout):
                try:
                    await self._delete(lease)
                    return
                except SessionEnded as error:
                    await self._lose(lease, str(error))
                    return
                except (EmError, MountError) as error:
                    cause = str(error)
            self._emit_left(lease, cause)
            try:
                await self._record(lease, LeaseStep.LEFT, note=cause, ended=True)
            except StateError as error:
                row = lease.row
                raise MountLeft(
                    vm=row.point.vm, href=row.mount_href or row.task_href, cause=f"{cause}; {error}"
                ) from error

    async def _delete(self, lease: Lease) -> None:
        hrefs = [lease.row.mount_href] if lease.row.mount_href else await self._made_without_us(lease)
        for href in hrefs:
            if not lease.row.mount_href:
                lease.row = replace(lease.row, mount_href=href)
                self._emit_opened(lease, 0.0)
            await self._delete_one(lease, href)
        nothing = not hrefs and lease.row.state in (LeaseState.INTENDED, LeaseState.REQUESTED)
        await self._record(lease, LeaseStep.NOTHING if nothing else LeaseStep.RELEASED, ended=True)
        if hrefs:
            self._emit_deleted(lease)

    async def _made_without_us(self, lease: Lease) -> list[str]:
        """Mounts that EM made or is still making for a POST whose end we did not see."""
        if lease.row.task_href:
            vm, seconds = lease.row.point.vm, self._rooms.settings.unmount_timeout
            what = f"Enterprise Manager may still be mounting {vm}: that is waited for, {seconds:g} s at most"
            self._rooms.emit(Notice(self._rooms.clock(), f"{what} (limits.unmount_timeout), and the mount deleted"))
            task = Task(lease.row.task_href, TaskPhase.RUNNING)
            with suppress(NotFound):  # EM forgets tasks; the listing below is what counts
                await self._finished(lease, task, current_time() + self._rooms.settings.unmount_timeout)
            existing = await lease.mounts.existing(lease.row.point, lease.generation)
            return sorted(existing - set(lease.row.before))
        return await self._await_new(lease, current_time() + self._rooms.settings.unmount_timeout)

    async def _delete_one(self, lease: Lease, href: str) -> None:
        pause = 1.0
        while True:
            task = await lease.mounts.delete(href, lease.generation)
            if task is not None:
                deadline = current_time() + self._rooms.settings.unmount_timeout
                try:
                    task = await self._finished(lease, task, deadline)
                except NotFound:
                    task = replace(task, success=True)
            if task is None or task.success:
                return
            await sleep(pause)
            pause = min(pause * 2, 30.0)

    async def _lose(self, lease: Lease, cause: str) -> None:
        """The session ended, so the mount can be neither listed nor deleted; what is seen outside decides later."""
        await self._record(lease, LeaseStep.LOST, note=cause, ended=True)
        row = lease.row
        if row.mount_href:
            self._rooms.emit(MountGone(self._rooms.clock(), row.run, row.group, row.point.vm, row.mount_href, cause))

    async def place(self, lease: Lease, share: str, folder: str, host: str = "") -> None:
        """Record where the mount's files were seen, so that its end can be proved from outside."""
        lease.row = replace(lease.row, share=share, folder=folder, host=host)
        await self._books.write_lease(lease.row)

    async def confirm(self, row: LeaseRow) -> LeaseRow:
        """The mount's folder is gone: released is now proved."""
        row = replace(row, state=advance(row.state, LeaseStep.CONFIRMED), ended=row.ended or self._rooms.clock())
        await self._books.write_lease(row)
        return row

    async def _record(
        self,
        lease: Lease,
        step: LeaseStep,
        *,
        task_href: str = "",
        mount_href: str = "",
        note: str = "",
        ended: bool = False,
    ) -> None:
        row = lease.row
        lease.row = replace(
            row,
            state=advance(row.state, step),
            task_href=task_href or row.task_href,
            mount_href=mount_href or row.mount_href,
            note=note or row.note,
            ended=self._rooms.clock() if ended else row.ended,
        )
        await self._books.write_lease(lease.row)

    async def _note(self, lease: Lease, note: str) -> None:
        lease.row = replace(lease.row, note=note)
        await self._books.write_lease(lease.row)

    def _emit_opened(self, lease: Lease, seconds: float) -> None:
        row, point = lease.row, lease.row.point
        now = self._rooms.clock()
        self._rooms.emit(MountOpened(now, row.run, row.group, point.vm, point.backup_server, row.mount_href, seconds))

    def _emit_deleted(self, lease: Lease) -> None:
        row, point, now = lease.row, lease.row.point, self._rooms.clock()
        held = (now - row.opened).total_seconds()
        self._rooms.emit(MountDeleted(now, row.run, row.group, point.vm, point.backup_server, row.mount_href, held))

    def _emit_left(self, lease: Lease, cause: str) -> None:
        row, point, now = lease.row, lease.row.point, self._rooms.clock()
        href = row.mount_href or row.task_href
        self._rooms.emit(MountLeftBehind(now, row.run, row.group, point.vm, point.backup_server, href, cause))
