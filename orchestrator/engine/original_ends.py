"""How restores to the original location end: followed with bounded patience, found when their task was never told, and
said to be unknown when nobody can know.

A task is seen by the session that made it and by no other. So what a dead process had asked for is followed under its
own session, before the mounts of that session are deleted.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from anyio import current_time, move_on_after, sleep

from orchestrator.core.catalog import Task, TaskPhase
from orchestrator.core.errors import Blast, EmError, SessionEnded
from orchestrator.core.events import Notice, OriginalEnded
from orchestrator.core.originals import OriginalRow, OriginalState
from orchestrator.engine.books import Books
from orchestrator.engine.ports_originals import RestoreTasks
from orchestrator.engine.rooms import Rooms

SHOWS_WITHIN = 10.0
"""Seconds that the task of a POST may take to show up in EM's list, when the answer to the POST never came."""

TOLD_EVERY = 900.0
"""Seconds after which it is told that EM is still at work on one path."""

STOPPED_WITHIN = 30.0
"""Seconds that EM may take to stop a task."""

_GONE = "the logon session under which Enterprise Manager was asked has ended, and its task cannot be seen any more"


class OriginalEnds:
    """Brings what EM was asked for to an end, and writes it."""

    def __init__(self, rooms: Rooms, books: Books) -> None:
        self._rooms = rooms
        self._books = books

    async def write(self, row: OriginalRow) -> OriginalRow:
        """Durable when it returns."""
        await self._books.ask(self._rooms.originals.write_original, row)
        return row

    async def settle(self, row: OriginalRow, state: OriginalState, message: str = "") -> OriginalRow:
        """`row` at its end, written and told."""
        now = self._rooms.clock()
        row = await self.write(replace(row, state=state, message=message, ended=now))
        seconds = (now - row.asked).total_seconds()
        ids = row.run, row.group, row.vm, row.guest_path
        self._rooms.emit(OriginalEnded(now, *ids, row.standing, state, message, seconds))
        return row

    async def follow(self, row: OriginalRow, tasks: RestoreTasks, generation: int) -> OriginalRow:
        """`row` at its end. What EM does not end within limits.original_timeout since it was asked is stopped, and
        its end is unknown. Raises what ends the whole process."""
        try:
            found = await self._found(row, tasks, generation)
            if found is None:
                why = f"no answer was seen, and Enterprise Manager shows no task for it. {row.message}".rstrip()
                return await self.settle(row, OriginalState.UNKNOWN, why)
            task = await self._finished(found, row, tasks, generation)
        except SessionEnded:
            return await self.settle(row, OriginalState.UNKNOWN, _GONE)
        except EmError as error:
            if error.blast is Blast.PROCESS and not error.transient:
                raise
            return await self.settle(row, OriginalState.UNKNOWN, str(error))
        return await self._judged(replace(row, task_href=task.href), task, tasks, generation)

    async def lose(self, row: OriginalRow) -> OriginalRow:
        """Nobody can follow it any more."""
        return await self.settle(row, OriginalState.UNKNOWN, _GONE)

    async def give_up(self, row: OriginalRow, tasks: RestoreTasks, generation: int) -> OriginalRow:
        """The mount must go now: EM is told to stop what it may still be at, because a mount is not to be deleted under
        it. Bounded; raises no EmError."""
        why = "Enterprise Manager was still at it when the run had to stop, and was told to stop too"
        with move_on_after(STOPPED_WITHIN):
            try:
                task = await self._now(row, tasks, generation)
                if task is not None and task.phase is TaskPhase.FINISHED:
                    return await self._judged(replace(row, task_href=task.href), task, tasks, generation)
                if task is not None:
                    await tasks.forget_task(task.href, generation)
            except SessionEnded:
                why = _GONE
            except EmError as error:
                why = f"it could not be followed to its end: {error}"
        return await self.settle(row, OriginalState.UNKNOWN, why)

    async def _now(self, row: OriginalRow, tasks: RestoreTasks, generation: int) -> Task | None:
        """The task of `row` as it is; None when none is known to be its."""
        if row.task_href:
            return replace(await tasks.task(row.task_href, generation), href=row.task_href)
        ours = [one for one in await tasks.restore_tasks(generation) if _may_be(row, one)]
        return ours[0] if len(ours) == 1 else None

    async def _found(self, row: OriginalRow, tasks: RestoreTasks, generation: int) -> Task | None:
        """The task of `row`: by its href or, when no answer to the POST was seen, the one that is new since before it.
        EM is asked for one restore after the other, so that no more than one of the new ones can be ours; a download
        that others have EM make ready is told by its link."""
        if row.task_href:
            return Task(row.task_href, TaskPhase.RUNNING)
        until, pause = current_time() + SHOWS_WITHIN, self._rooms.settings.poll_first
        while True:
            ours = [one for one in await tasks.restore_tasks(generation) if _may_be(row, one)]
            if len(ours) == 1:
                await self.write(replace(row, state=OriginalState.ASKED, task_href=ours[0].href))
                return ours[0]
            if current_time() + pause > until:
                return None
            await sleep(pause)

    async def _finished(self, task: Task, row: OriginalRow, tasks: RestoreTasks, generation: int) -> Task:
        """Poll until EM has ended it, or the time is over. That EM cannot be asked for a while says nothing of it."""
        settings, pause = self._rooms.settings, self._rooms.settings.poll_first
        asked_for = (self._rooms.clock() - row.asked).total_seconds()
        until = current_time() + max(0.0, settings.original_timeout - max(0.0, asked_for))
        tell = current_time() + TOLD_EVERY
        while task.phase is not TaskPhase.FINISHED:
            try:
                task = replace(await tasks.task(task.href, generation), href=task.href)
            except EmError as error:
                if not error.transient or isinstance(error, SessionEnded):
                    raise
            if task.phase is TaskPhase.FINISHED or current_time() + pause > until:
                break
            if current_time() > tell:
                tell += TOLD_EVERY
                what = f"{row.vm}: Enterprise Manager is still restoring {row.guest_path} to its original location"
                self._rooms.emit(Notice(self._rooms.clock(), what))
            await sleep(pause)
            pause = min(pause * 1.5, settings.poll_most)
        return task

    async def _judged(self, row: OriginalRow, task: Task, tasks: RestoreTasks, generation: int) -> OriginalRow:
        """`row` by what EM says of its task."""
        if task.phase is not TaskPhase.FINISHED:
            with move_on_after(STOPPED_WITHIN), suppress(EmError):
                await tasks.forget_task(task.href, generation)
            limit = f"{self._rooms.settings.original_timeout:g} s (limits.original_timeout)"
            why = f"Enterprise Manager did not end it within {limit}, and was told to stop"
            return await self.settle(row, OriginalState.UNKNOWN, why)
        if task.download:
            return await self.settle(row, OriginalState.UNKNOWN, "no answer came, and no task is known to be its")
        if task.success:
            said = "" if task.message.casefold() in ("ok", "ok.") else task.message
            return await self.settle(row, OriginalState.RESTORED, said)
        why = task.message.rstrip(". ") or "Enterprise Manager gives no reason"
        state = OriginalState.FAILED if task.success is False else OriginalState.UNKNOWN
        return await self.settle(row, state, why)


def _may_be(row: OriginalRow, task: Task) -> bool:
    """Whether a task may be that of `row`: it is new since before EM was asked, and no download."""
    return task.href not in row.before and not task.download


async def settle_originals(
    rooms: Rooms, books: Books, asked: Sequence[OriginalRow], tasks: RestoreTasks | None
) -> None:
    """Bring to an end what was asked for under one session of a dead process, before its mounts are deleted: by that
    very session, with generation 0, or not at all when `tasks` is None."""
    ends = OriginalEnds(rooms, books)
    for row in asked:
        if tasks is None:
            await ends.lose(row)
            continue
        what = f"an earlier process has asked Enterprise Manager to restore {row.guest_path} of {row.vm}"
        limit = f"{rooms.settings.original_timeout:g} s at most since then (limits.original_timeout)"
        rooms.emit(Notice(rooms.clock(), f"{what} to its original location: its end is waited for, {limit}"))
        await ends.follow(row, tasks, 0)
