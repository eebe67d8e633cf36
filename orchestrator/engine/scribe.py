"""The single writer: takes outcomes from every group, writes them in batches, and tells of them when written."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from anyio import (
    BrokenResourceError,
    CancelScope,
    Event,
    create_task_group,
    get_cancelled_exc_class,
    move_on_after,
    sleep,
    sleep_forever,
    to_thread,
)
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from orchestrator.core.counting import PROBLEMS, Before, change, news, slug_of, solved
from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import FileError
from orchestrator.core.events import FileProblem, FilesDone, Notice
from orchestrator.core.ledger import Totals
from orchestrator.core.reasons import Reason
from orchestrator.engine.books import Books
from orchestrator.engine.gathering import one_error
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.stopping import Stop


@dataclass(frozen=True, slots=True)
class FoldersDone:
    """What became of the folders of one stage of a group: how many have each `fidelity_code`."""

    group: str
    stage: int
    codes: Mapping[str, int]


Handed = Sequence[Outcome] | FoldersDone | Event
"""What is to be written, or an event to be set when all that was handed over before it is."""

Outbox = MemoryObjectSendStream[Handed]

Written = dict[str, Totals]
"""What this process has added to the totals of each group, as far as it is in the journal."""

FLUSH_WITHIN = 30.0
"""Seconds that a flush of the destination gets after the second request to stop."""

HANDOVER_WITHIN = 60.0
"""Seconds that a hand-over may wait for the journal once it is being cancelled."""


class Scribe:
    """Writes until every sender has closed its end. `run` is the run's id.

    Once a flush was given up, nothing is told as restored any more, and `all_written` does not return.
    """

    def __init__(self, rooms: Rooms, books: Books, run: str, stop: Stop, written: Written) -> None:
        self._written = written
        self._ledger = rooms.outcomes
        self._fidelity = rooms.fidelity
        self._books = books
        self._run = run
        self._emit = rooms.emit
        self._clock = rooms.clock
        self._settings = rooms.settings
        self._flush = rooms.flush
        self._stop = stop
        self._totals = Totals()
        self._silent = False

    async def write(self, inbox: MemoryObjectReceiveStream[Handed]) -> None:
        """Everything that waits is written in one transaction, so a slow disk makes larger batches, not more."""
        async with inbox:
            async for first in inbox:
                handed = [first]
                while inbox.statistics().current_buffer_used:
                    handed.append(inbox.receive_nowait())
                if batch := [outcome for one in handed if isinstance(one, Sequence) for outcome in one]:
                    await self._write(batch)
                for folders in (one for one in handed if isinstance(one, FoldersDone)):
                    await self._write_folders(folders)
                for one in handed:
                    if isinstance(one, Event) and not self._silent:
                        one.set()

    async def _write(self, batch: list[Outcome]) -> None:
        if self._flush is not None and not self._silent:
            try:
                self._silent = not await self._flushed(self._flush)
            except FileError as error:
                batch = [_unproved(outcome, error) for outcome in batch]
        if self._silent:
            batch = [one for one in batch if one.verdict in PROBLEMS]
            if not batch:
                return
        before = await self._books.ask(self._ledger.record, self._run, batch)
        self._announce(batch, before)
        self._stop_if_hopeless()

    async def _write_folders(self, done: FoldersDone) -> None:
        await self._books.ask(self._fidelity.record_folders, self._run, done.group, done.stage, done.codes)

    async def _flushed(self, flush: Callable[[], None]) -> bool:
        """Whether the disks have all that was copied so far. A flush may take long, but not for ever; one that is given
        up ends the run in a way that can be resumed."""
        done = False
        with one_error():
            async with create_task_group() as waiting:
                waiting.start_soon(self._limit, waiting.cancel_scope)
                await to_thread.run_sync(flush, abandon_on_cancel=True)
                done = True
                waiting.cancel_scope.cancel()
        if not done:
            message = "a destination does not answer: what was copied there last is not told as restored"
            self._emit(Notice(self._clock(), f"{message}; `orchestrator resume` proves it"))
            if not self._stop.draining:
                self._stop.drain()
        return done

    async def _limit(self, waiting: CancelScope) -> None:
        """End the wait for a flush that takes longer than a full disk would be waited for, or long after a cancel."""
        longest = max(self._settings.space_wait, self._settings.stall)
        with move_on_after(longest) as patience, self._stop.governs(patience):
            await sleep_forever()
        if self._stop.cancelled:
            await sleep(FLUSH_WITHIN)
        waiting.cancel()

    def _stop_if_hopeless(self) -> None:
        """A run that only produces errors is stopped: it would lock backup files for nothing."""
        failed, files = self._totals.failed, self._totals.files
        hopeless = failed >= self._settings.failure_floor and failed > files * self._settings.failure_rate
        if hopeless and not self._stop.draining:
            message = f"{failed:,} of {files:,} files failed (limits.failure_rate); the run stops, see the report"
            self._emit(Notice(self._clock(), message))
            self._stop.drain()

    def _announce(self, batch: Sequence[Outcome], before: Sequence[Before]) -> None:
        now = self._clock()
        by_group: dict[str, list[tuple[Outcome, Before]]] = {}
        for outcome, was in zip(batch, before, strict=True):
            by_group.setdefault(outcome.group, []).append((outcome, was))
        for group, pairs in by_group.items():
            outcomes, befores = [one for one, _ in pairs], [was for _, was in pairs]
            totals, over = change(outcomes, befores), solved(outcomes, befores)
            passed = sum(one.size for one, was in pairs if was is None)
            seconds = sum(one.seconds for one, _ in pairs if one.verdict is Verdict.RESTORED)
            self._written[group] = self._written.get(group, Totals()) + totals
            self._totals = self._totals + totals
            if totals != Totals() or passed or over:
                self._emit(FilesDone(now, self._run, group, totals, passed, seconds, over))
        for one, was in zip(batch, before, strict=True):
            if news(one, was):
                slug = slug_of(one)
                self._emit(FileProblem(now, self._run, one.group, one.guest_path, one.verdict, slug, one.message))


def _unproved(outcome: Outcome, error: FileError) -> Outcome:
    """A file that the disk would not say it has is not restored, whatever stands under its name."""
    if outcome.verdict is not Verdict.RESTORED:
        return outcome
    message = f"copied, but the destination could not write it to its disk: {error.facts.get('what', error)}"
    return replace(outcome, verdict=Verdict.FAILED, reason=Reason.WRITE_ERROR, message=message)


async def hand_over(outbox: Outbox, outcomes: Sequence[Outcome] | FoldersDone) -> None:
    """Give finished outcomes to the scribe, however long the journal takes; while being cancelled too, but then not
    for ever: what was done should be written, and what is not proves itself on the disk."""
    if not (outcomes.codes if isinstance(outcomes, FoldersDone) else outcomes):
        return
    try:
        await outbox.send(outcomes)
    except get_cancelled_exc_class():
        with move_on_after(HANDOVER_WITHIN, shield=True), suppress(BrokenResourceError):
            await outbox.send(outcomes)
        raise
    except BrokenResourceError:
        await sleep_forever()  # the scribe has failed, and that cancels everybody


async def all_written(outbox: Outbox) -> None:
    """Return when everything that was handed over before is in the journal."""
    written = Event()
    try:
        await outbox.send(written)
    except BrokenResourceError:
        await sleep_forever()
    await written.wait()
