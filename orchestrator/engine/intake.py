"""Jobs come in: what is dropped is looked at, taken, and gets its place in the queue, or is answered at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from anyio import current_time, fail_after, sleep, to_thread

from orchestrator.core.dropped import read_dropped
from orchestrator.core.drops import DONE, FAILED, DropRow, DropState
from orchestrator.core.errors import DropFolderUnusable, ExitCode, JobInvalid, JobUnreadable, PlanUnreadable
from orchestrator.core.events import JobEnded, JobRejected, JobTaken, Notice
from orchestrator.core.job import Job
from orchestrator.core.settling import DropFile, Settled, Settling
from orchestrator.engine.books import Books
from orchestrator.engine.ports import Clock, Emit
from orchestrator.engine.ports_watch import ClaimedJobs, DropLedger, Incoming
from orchestrator.engine.queueing import Queue
from orchestrator.engine.timetable import Timetable

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

WITHDRAWN_EVERY = 15.0
"""Seconds between two looks whether somebody has removed a claimed job to withdraw it."""

SLICE = 1.0
"""Seconds a thread may wait for the folder, so that it is over soon after nobody waits for it any more."""

ANSWER_WITHIN = 60.0
"""Seconds that an answer to a job may take; then it is given when the folder can be used again."""

DEATHS = 4
"""A job during which the process has died this often is not begun again by itself."""


@dataclass(frozen=True, slots=True)
class IntakeSettings:
    """`tag` begins the ids of this watcher's claims, so that it knows them again. Times in seconds."""

    tag: str
    settle: float = 2.0
    poll: float = 5.0


class Intake:
    """Takes jobs in. `trouble` says why the drop folder cannot be used just now, when it cannot."""

    def __init__(
        self,
        folder: Incoming,
        jobs: ClaimedJobs,
        drops: DropLedger,
        queue: Queue,
        timetable: Timetable,
        books: Books,
        settings: IntakeSettings,
        emit: Emit,
        clock: Clock,
        new_id: Callable[[], str],
        files_of: Callable[[str], Mapping[str, Path]],
    ) -> None:
        """`files_of` a run are put beside its job, by suffix; it blocks."""
        self._folder = folder
        self._jobs = jobs
        self._drops = drops
        self._queue = queue
        self._timetable = timetable
        self._books = books
        self._settings = settings
        self._emit = emit
        self._clock = clock
        self._new_id = new_id
        self._files_of = files_of
        self._settling = Settling(settings.settle)
        self._loose = False
        self._withdrawn_at = current_time()
        self.trouble = ""
        self.idle = False
        """Whether the last look found nothing that is to be taken or may become so."""

    # --- after a start ---

    async def recover(self) -> None:
        """Everything that an earlier process had claimed gets its place back."""
        for row in await self._books.ask(self._drops.unfinished_drops):
            await self._take_back(row)
        await self._tie_up()

    async def _tie_up(self) -> None:
        """Claims that hang in between, taken but not written down, or ended but not answered: the process died there,
        or the folder could not be written to."""
        for id, name in await _in_thread(self._jobs.claimed, self._settings.tag):
            row = await self._books.ask(self._drops.drop, id)
            if row is None:
                await self._adopt(DropRow(id, name, self._clock()))
            elif row.state is DropState.ENDED:
                await self._answer(row)
        self._loose = False

    async def _take_back(self, row: DropRow) -> None:
        content = await _in_thread(self._jobs.content, row)
        if content is None:
            await self._withdraw(row)
            return
        if row.state is DropState.RUNNING and row.attempts >= DEATHS:
            line = (
                f"not begun again: the watcher died {row.attempts} times while it ran; `orchestrator resume {row.run}`"
            )
            await self.finish(row, ExitCode.BUG, line)
            return
        try:
            job = await _in_thread(read_dropped, content, row.file)
        except (JobInvalid, PlanUnreadable) as error:
            await self.finish(row, error.exit_code, f"its file in active was changed: {error}")
            return
        await self._line_up(row, job)

    async def _adopt(self, row: DropRow) -> None:
        content = await _in_thread(self._jobs.content, row)
        if content is not None:
            row = replace(row, digest=await _in_thread(_digest, content))
            try:
                await self._accept(row, await _in_thread(read_dropped, content, row.file))
            except (JobInvalid, PlanUnreadable) as error:
                await self._reject(row, str(error))

    # --- for as long as the watcher lives ---

    async def take_in(self) -> None:
        """Look, take, wait, for ever. A folder that cannot be used is told of once, and looked at again."""
        while True:
            try:
                for settled in self._settling.look(await _in_thread(self._folder.look), current_time()):
                    await self._deal_with_one(settled)
                if self._loose:
                    await self._tie_up()
                await self._look_for_withdrawn()
                self._tell_trouble("")
                self._set_idle(not self._settling.pending)
                await self._wait()
            except DropFolderUnusable as error:
                self._tell_trouble(str(error))
                await sleep(self._settings.poll)

    async def _wait(self) -> None:
        until = current_time() + min(self._settings.poll, self._settling.next_look(current_time()) or 1e9)
        while (left := until - current_time()) > 0.001:
            before = current_time()
            await _in_thread(self._folder.wait, min(left, SLICE))
            if current_time() - before < min(left, SLICE) * 0.9:
                return

    def _set_idle(self, idle: bool) -> None:
        if idle and not self.idle:
            self._queue.stir()
        self.idle = idle

    def _tell_trouble(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            self._emit(Notice(self._clock(), f"{trouble} Jobs that run go on; it is tried again."))
        elif self.trouble and not trouble:
            self._emit(Notice(self._clock(), "the drop folder can be used again"))
        self.trouble = trouble

    async def _deal_with_one(self, settled: Settled) -> None:
        """What is wrong with one file is no trouble for the others; a folder that takes no note of it is."""
        try:
            await self._deal_with(settled)
        except DropFolderUnusable as error:
            await _in_thread(self._folder.refuse, settled.file, str(error))

    async def _deal_with(self, settled: Settled) -> None:
        """Take one file, or answer it, or leave it for a later look."""
        file, row = settled.file, DropRow(self._new_id(), settled.file.name, self._clock())
        if settled.fault and not file.regular:
            await _in_thread(self._folder.refuse, file, f"{file.name} {settled.fault}")
            return
        if settled.fault:
            await self._claim_and_reject(row, file, settled.fault)
            return
        found = await _in_thread(self._folder.read, file)
        if found is None:
            return
        content, owner = found
        row = replace(row, digest=await _in_thread(_digest, content), owner=owner)
        try:
            job = await _in_thread(read_dropped, content, file.name)
        except (JobInvalid, PlanUnreadable) as error:
            if settled.patient or not isinstance(error, JobUnreadable | PlanUnreadable):
                await self._claim_and_reject(row, file, str(error))
            return
        if await self._claim(row, file):
            await self._accept(row, job)
            self._loose = False

    async def _claim_and_reject(self, row: DropRow, file: DropFile, message: str) -> None:
        if await self._claim(row, file):
            await self._reject(row, message)
            self._loose = False

    async def _claim(self, row: DropRow, file: DropFile) -> bool:
        """Once it is claimed a file is ours, whatever fails before it has its place or its answer."""
        claimed = await _in_thread(self._folder.claim, row, file)
        self._loose = self._loose or claimed
        return claimed

    async def _reject(self, row: DropRow, message: str) -> None:
        await _in_thread(self._folder.reject, row, message)
        self._emit(JobRejected(self._clock(), row.file, row.digest, row.owner, message))

    async def _accept(self, row: DropRow, job: Job) -> None:
        row = replace(row, job=job.name)
        earlier = "" if job.again else await _in_thread(self._jobs.first, row)
        self._emit(JobTaken(self._clock(), row.id, row.file, row.job, row.digest, row.owner))
        if earlier:
            line = f"not run: the same job was dropped before ({earlier}); set again = true in it to run it once more"
            await self.finish(row, ExitCode.OK, line)
            return
        await self._books.ask(self._drops.write_drop, row)
        await self._line_up(row, job)

    async def _line_up(self, row: DropRow, job: Job) -> None:
        if job.schedule is not None and row.due is None:
            for old in await self._timetable.add(row, job):
                await self.finish(old, ExitCode.OK, f"replaced by {row.file}")
        else:
            self._queue.add(row, job)

    async def _look_for_withdrawn(self) -> None:
        """Who removes a job from `active` before it has begun withdraws it."""
        if current_time() - self._withdrawn_at < WITHDRAWN_EVERY:
            return
        self._withdrawn_at = current_time()
        there = {id for id, _ in await _in_thread(self._jobs.claimed, self._settings.tag)}
        for one in [one for one in self._queue.waiting.values() if one.row.id not in there]:
            self._queue.withdraw(one.row.id)
            await self._withdraw(one.row)
        for row in [row for row in self._timetable.rows if row.id not in there]:
            await self._timetable.remove(row)
            await self._withdraw(row)

    async def _withdraw(self, row: DropRow) -> None:
        goes_on = f"; `orchestrator resume {row.run}` continues what had begun" if row.run else ""
        line = f"withdrawn: its file was removed from active{goes_on}"
        await _in_thread(self._jobs.forget, row)
        await self.finish(row, ExitCode.STOPPED, line)

    # --- the end of a job ---

    async def finish(self, row: DropRow, code: ExitCode, line: str) -> None:
        """End a job, first in the journal and then with its answer beside it. When the folder cannot be written to, the
        answer is given later; one that hangs is waited for only so long."""
        row = replace(row, state=DropState.ENDED, ended=self._clock(), exit_code=int(code), line=line)
        await self._books.ask(self._drops.write_drop, row)
        try:
            await self._answer(row)
        except DropFolderUnusable as error:
            self._tell_trouble(str(error))
            self._loose = True
        self._emit(JobEnded(self._clock(), row.id, row.job, row.run, int(code), _folder_of(row), line))

    async def _answer(self, row: DropRow) -> None:
        try:
            with fail_after(ANSWER_WITHIN):
                await _in_thread(self._put_beside, row)
        except TimeoutError as error:
            cause = f"it has not answered for {ANSWER_WITHIN:g} s"
            raise DropFolderUnusable(folder=_folder_of(row), cause=cause) from error

    def _put_beside(self, row: DropRow) -> None:
        beside = self._files_of(row.run) if row.run else {}
        self._jobs.end(row, _folder_of(row), row.line, beside)


def _folder_of(row: DropRow) -> str:
    return DONE if row.exit_code == ExitCode.OK else FAILED


async def _in_thread(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """The drop folder may lie on a share that hangs; nobody waits for it once the watcher is to end. What it then does
    after all is found out by the next `recover`."""
    return await to_thread.run_sync(function, *arguments, abandon_on_cancel=True)


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
