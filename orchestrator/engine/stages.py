"""The stream of one group: walker, copiers and hand-over, joined by a bounded stream, stage after stage."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from anyio import CapacityLimiter, create_memory_object_stream, create_task_group, move_on_after, sleep, to_thread
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from orchestrator.core.entries import EntryKind, Outcome, Verdict
from orchestrator.core.errors import MountStalled
from orchestrator.core.events import BytesCopied, FilesScanned, Notice
from orchestrator.core.plan import MountGroup
from orchestrator.core.reasons import Reason
from orchestrator.engine.ahead import Ahead
from orchestrator.engine.books import Books
from orchestrator.engine.calls import Calls
from orchestrator.engine.controls import Controls, RunControl
from orchestrator.engine.copying import Copier
from orchestrator.engine.crew import Crew
from orchestrator.engine.finishing import Folders, finish
from orchestrator.engine.gathering import one_error
from orchestrator.engine.pulse import Pulse
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.scribe import FoldersDone, Outbox, hand_over
from orchestrator.engine.seats import Seats
from orchestrator.engine.space import SpaceGuard
from orchestrator.engine.stopping import Stop
from orchestrator.engine.unchanged import Drawing, Unchanged
from orchestrator.engine.walking import Batch, Terms, Walk, Work

TRY_AGAIN = frozenset(
    {
        Reason.LOCKED,
        Reason.VANISHED,
        Reason.CHANGED,
        Reason.READ_ERROR,
        Reason.WRITE_ERROR,
        Reason.STALLED,
        Reason.NO_SPACE,
    }
)
"""Failures that may pass: such a file is tried once more after the walk, never on the spot."""

TRY_AGAIN_AT_MOST = 10_000
"""A group in which more files than this fail has another trouble than files; the rest fail at once."""


ABANDON_AFTER = 5.0
"""Seconds that a cancelled thread gets to notice; a read that hangs is left behind, and can change nothing visible."""


class Ledgered(Protocol):
    """What a stage keeps of its group's course."""

    @property
    def group(self) -> MountGroup: ...

    announced: tuple[int, int]
    unfinished: list[Outcome]


class Staged(Protocol):
    """What is done with the walks of a group, stage after stage; see Stages."""

    async def run(self, stages: Sequence[Sequence[Walk]], course: Ledgered, outbox: Outbox) -> bool: ...

    async def close(self) -> None: ...


class Stages:
    """Runs the stages of a group. The limits on threads are shared by all groups of all runs; `control` has those of
    this run."""

    def __init__(self, rooms: Rooms, books: Books, run: str, stop: Stop, seats: Seats, control: RunControl) -> None:
        self._rooms = rooms
        self._ahead = Ahead(rooms.asides, books, run)
        self._run = run
        self._stop = stop
        self._controls = seats.controls
        self._control = control
        self._space = SpaceGuard(rooms, stop)
        self._walking = seats.walking
        self._turns = seats.turns
        self._calls = Calls(rooms.settings.stall)
        self._crew = Crew(rooms.hiring, seats.processes)

    async def close(self) -> None:
        """Let the copying processes end, if there are any."""
        with move_on_after(ABANDON_AFTER, shield=True):
            await to_thread.run_sync(self._crew.close, abandon_on_cancel=True)

    async def run(self, stages: Sequence[Sequence[Walk]], course: Ledgered, outbox: Outbox) -> bool:
        """Walk and copy every stage; True when all of it was done, False when a stop cut it short. A requested path
        whose walk was given up is added to `course.unfinished`. MountStalled when the files of the mount
        hang as a whole."""
        group = course.group
        copier = Copier(
            self._rooms.source, self._rooms.target, Terms(group.id, group.vm, group.point.created, self._run),
            lambda count: self._rooms.emit(BytesCopied(self._rooms.clock(), self._run, group.id, count)),
            lambda: self._stop.draining, self._ahead.remember,
            lambda: self._controls.gives_way(self._control),
            self._controls.bandwidth.of(self._run, group.point.backup_server.casefold()),
            self._control.gate, self._turns,
        )  # fmt: skip
        count = _Count(course, lambda files, size, complete: self._scanned(group, files, size, complete))
        for number, walks in enumerate(stages):
            stage = _Stage(
                self._rooms, copier, course, self._ahead, outbox, self._controls, self._control, self._space,
                self._calls, self._crew,
            )  # fmt: skip
            await self._stage(stage, walks, count, number)
            if self._stop.draining:
                return False
        count.complete()
        return not self._stop.draining

    def _scanned(self, group: MountGroup, files: int, size: int, complete: bool) -> None:
        self._rooms.emit(FilesScanned(self._rooms.clock(), self._run, group.id, files, size, complete))

    async def _stage(self, stage: "_Stage", walks: Sequence[Walk], count: "_Count", number: int) -> None:
        send, receive = create_memory_object_stream[Batch](self._controls.copies)
        with one_error():
            async with create_task_group() as watched:
                watched.start_soon(stage.watch)
                async with create_task_group() as tasks, receive, create_task_group() as widening:
                    widening.start_soon(stage.copy_wide, tasks, receive)
                    async with send:
                        for walk in walks:
                            await self._walk(walk, send, stage, count)
                    widening.cancel_scope.cancel()
                await stage.again()
                watched.cancel_scope.cancel()
        if not self._stop.draining:
            await self._finish_folders(stage, number)

    async def _finish_folders(self, stage: "_Stage", number: int) -> None:
        group, vm = stage.course.group.id, stage.course.group.vm
        finishing = partial(finish, stage.folders, self._rooms.source, self._rooms.target)
        try:
            codes = await self._calls.run(f"folders of {vm}", finishing, self._controls.copying)
            await hand_over(stage.outbox, FoldersDone(group, number, codes))
        except TimeoutError as error:
            told = f"{vm}: not every folder got its time back: {error.strerror}"
            self._rooms.emit(Notice(self._rooms.clock(), told))

    async def _walk(self, walk: Walk, send: MemoryObjectSendStream[Batch], stage: "_Stage", count: "_Count") -> None:
        drawing = Drawing(walk, Unchanged(self._rooms.target, stage.course.group.id))
        given_up = False
        while not (self._stop.draining or drawing.over or given_up):
            try:
                drawn = await self._calls.run(walk.volume.folder.root, drawing.next, self._walking)
            except TimeoutError as error:
                stage.course.unfinished.extend(walk.unfinished(str(error.strerror)))
                drawn, given_up = drawing.given_up(), True
            for batch in drawn.found:
                count.add(batch)
                for work in batch.works:
                    if work.entry.kind is EntryKind.FOLDER:
                        stage.folders.add(work)
            await stage.tell(drawn.outcomes)
            for left in drawn.left:
                await send.send(left)


class _Count:
    """Tells how much has been found, but only what exceeds an earlier walk of the same group."""

    def __init__(self, course: Ledgered, tell: "_Tell") -> None:
        self._course = course
        self._tell = tell
        self._files = self._bytes = 0

    def add(self, batch: Batch) -> None:
        self._files += batch.files
        self._bytes += batch.bytes
        files, size = self._course.announced
        if self._files > files:
            self._tell(self._files - files, max(0, self._bytes - size), False)
            self._course.announced = self._files, max(size, self._bytes)

    def complete(self) -> None:
        self._tell(0, 0, True)


class _Tell(Protocol):
    def __call__(self, files: int, size: int, complete: bool, /) -> None: ...


class _Stage:
    """The copiers of one stage, what they put off, and the folders to be finished at its end."""

    def __init__(
        self,
        rooms: Rooms,
        copier: Copier,
        course: Ledgered,
        ahead: Ahead,
        outbox: Outbox,
        controls: Controls,
        control: RunControl,
        space: SpaceGuard,
        calls: Calls,
        crew: Crew,
    ) -> None:
        self._ahead = ahead
        self._copier = copier
        self.course = course
        self.outbox = outbox
        self._controls = controls
        self._control = control
        self._threads = CapacityLimiter(math.inf)  # what holds are the places
        self._space = space
        self._calls = calls
        self._crew = crew
        self._stall = rooms.settings.stall
        self._pulses: set[Pulse] = set()
        self.folders = Folders()
        self._put_off: list[tuple[Batch, Work]] = []

    async def copy_wide(self, copiers: TaskGroup, receive: MemoryObjectReceiveStream[Batch]) -> None:
        """Start as many copiers as may copy at once, and more when more may."""
        width = 0
        while True:
            for _ in range(width, self._controls.copies):
                copiers.start_soon(self.copy, receive.clone())
            width = max(width, self._controls.copies)
            await self._controls.widened()

    async def copy(self, receive: MemoryObjectReceiveStream[Batch]) -> None:
        """Deal with batches until there are no more."""
        async with receive:
            async for batch in receive:
                await self._perform(batch, last=False)

    async def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Hand over what was clear without any work."""
        await hand_over(self.outbox, outcomes)

    async def again(self) -> None:
        """Try once more what failed for a reason that may have passed."""
        for batch, work in self._put_off:
            await self._perform(Batch(batch.selection, batch.volume, (work,)), last=True)
        self._put_off = []

    async def watch(self) -> None:
        """Give up the wait for threads that do not move."""
        while True:
            await sleep(self._stall / 4)
            for pulse in self._pulses:
                pulse.give_up_if_stalled(self._stall)

    async def _perform(self, batch: Batch, last: bool) -> None:
        """One batch, and what is left of it when a file stalled, or when its thread gave way."""
        rest: Batch | None = batch
        while rest is not None:
            await self._control.not_paused()
            needed = partial(self._copier.needed, rest)
            if not await self._space.room_for(rest.selection.destination, rest.bytes, needed):
                return
            rest = await self._in_thread(rest, last)

    async def _in_thread(self, batch: Batch, last: bool) -> Batch | None:
        """Deal with a batch in a thread; what is left of it when a file stalled or the thread gave way. What the thread
        has done is handed over however this ends."""
        done: list[Outcome] = []
        pulse = Pulse()
        self._pulses.add(pulse)
        try:
            with pulse.scope:
                async with self._control.copies, self._controls.copying:
                    with self._controls.at_work(self._control):
                        perform = partial(self._crew.perform, self._copier, batch, done, pulse)
                        await to_thread.run_sync(perform, limiter=self._threads, abandon_on_cancel=True)
        finally:
            pulse.abandoned = True
            self._pulses.discard(pulse)
            if not pulse.over:  # it may wait for bandwidth, or for the end of a pause
                self._controls.bandwidth.wake()
                self._control.gate.wake()
            await self._until_over(pulse)
            await self._ahead.note_made(self._copier.take_made())
            reached, outcomes = pulse.reached, list(done)  # in this order: the thread may end its file just now
            if pulse.stalled and not pulse.over and reached < len(batch.works):
                work, reached = batch.works[reached], reached + 1
                if not outcomes or outcomes[-1].guest_path != work.guest_path:
                    outcomes.append(self._copier.stalled(work, self._stall))
            await hand_over(self.outbox, outcomes if last else self._keep(batch, outcomes))
        if not pulse.stalled and not pulse.gave_way:
            return None
        if pulse.stalled:
            await self._look_at_volume(batch)
        left = batch.works[reached:]
        return Batch(batch.selection, batch.volume, left) if left else None

    async def _look_at_volume(self, batch: Batch) -> None:
        """After a file that stalled: MountStalled when it is not the file alone that hangs."""
        root = batch.volume.folder.root
        try:
            await self._calls.run(root, partial(self._copier.look_at_volume, batch))
        except TimeoutError as error:
            raise MountStalled(vm=self.course.group.vm, cause=f"{root}: {error.strerror}") from error

    async def _until_over(self, pulse: Pulse) -> None:
        """Wait for a cancelled thread to notice, but not for one that hangs in a read."""
        with move_on_after(ABANDON_AFTER, shield=True):
            # A thread that the loop no longer waits for can set a flag and nothing else.
            while pulse.last is not None and not pulse.over:  # noqa: ASYNC110
                await sleep(0.005)

    def _keep(self, batch: Batch, done: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes that are final; the others are put off with their work."""
        if not any(outcome.verdict is Verdict.FAILED for outcome in done):
            return list(done)
        works = {work.guest_path: work for work in batch.works}
        kept = []
        for outcome in done:
            work = works.get(outcome.guest_path)
            passing = outcome.verdict is Verdict.FAILED and outcome.reason in TRY_AGAIN
            if passing and work is not None and len(self._put_off) < TRY_AGAIN_AT_MOST:
                self._put_off.append((batch, work))
            else:
                kept.append(outcome)
        return kept
