"""The single writer: takes outcomes from every group, writes them in batches, and tells of them when written."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from anyio import BrokenResourceError, Event, get_cancelled_exc_class, move_on_after, sleep_forever, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.errors import FileError
from orchestrator.core.events import FileProblem, FilesDone, Notice
from orchestrator.core.ledger import Totals
from orchestrator.core.reasons import Reason
from orchestrator.engine.books import Books
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.stopping import Stop

Handed = Sequence[Outcome] | Event
"""Outcomes to be written, or an event to be set when all that was handed over before it is."""

Outbox = MemoryObjectSendStream[Handed]

HANDOVER_WITHIN = 60.0
"""Seconds that a hand-over may wait for the journal once it is being cancelled."""


def totals_of(outcomes: Sequence[Outcome]) -> Totals:
    """The totals of a batch."""
    count = Counter(outcome.verdict for outcome in outcomes)
    return Totals(
        restored=count[Verdict.RESTORED],
        skipped=count[Verdict.SKIPPED],
        refused=count[Verdict.REFUSED],
        failed=count[Verdict.FAILED],
        bytes=sum(outcome.size for outcome in outcomes if outcome.verdict is Verdict.RESTORED),
    )


class Scribe:
    """Writes until every sender has closed its end. `run` is the run's id."""

    def __init__(self, rooms: Rooms, books: Books, run: str, stop: Stop) -> None:
        self._ledger = rooms.outcomes
        self._books = books
        self._run = run
        self._emit = rooms.emit
        self._clock = rooms.clock
        self._settings = rooms.settings
        self._flush = rooms.flush
        self._stop = stop
        self._totals = Totals()

    async def write(self, inbox: MemoryObjectReceiveStream[Handed]) -> None:
        """Everything that waits is written in one transaction, so a slow disk makes larger batches, not more."""
        async with inbox:
            async for first in inbox:
                handed = [first]
                while inbox.statistics().current_buffer_used:
                    handed.append(inbox.receive_nowait())
                if batch := [outcome for one in handed if not isinstance(one, Event) for outcome in one]:
                    await self._write(batch)
                for one in handed:
                    if isinstance(one, Event):
                        one.set()

    async def _write(self, batch: list[Outcome]) -> None:
        if self._flush is not None:
            try:
                await to_thread.run_sync(self._flush)
            except FileError as error:
                batch = [_unproved(outcome, error) for outcome in batch]
        await self._books.ask(self._ledger.record, self._run, batch)
        self._announce(batch)
        self._stop_if_hopeless(batch)

    def _stop_if_hopeless(self, batch: Sequence[Outcome]) -> None:
        """A run that only produces errors is stopped: it would lock backup files for nothing."""
        self._totals = self._totals + totals_of(batch)
        failed, files = self._totals.failed, self._totals.files
        hopeless = failed >= self._settings.failure_floor and failed > files * self._settings.failure_rate
        if hopeless and not self._stop.draining:
            message = f"{failed:,} of {files:,} files failed (limits.failure_rate); the run stops, see the report"
            self._emit(Notice(self._clock(), message))
            self._stop.drain()

    def _announce(self, batch: Sequence[Outcome]) -> None:
        now = self._clock()
        by_group: dict[str, list[Outcome]] = {}
        for outcome in batch:
            by_group.setdefault(outcome.group, []).append(outcome)
        for group, outcomes in by_group.items():
            passed = sum(outcome.size for outcome in outcomes)
            self._emit(FilesDone(now, self._run, group, totals_of(outcomes), passed))
        for one in batch:
            if one.verdict in (Verdict.REFUSED, Verdict.FAILED):
                reason = one.reason.slug if one.reason else ""
                self._emit(FileProblem(now, self._run, one.group, one.guest_path, one.verdict, reason, one.message))


def _unproved(outcome: Outcome, error: FileError) -> Outcome:
    """A file that the disk would not say it has is not restored, whatever stands under its name."""
    if outcome.verdict is not Verdict.RESTORED:
        return outcome
    message = f"copied, but the destination could not write it to its disk: {error.facts.get('what', error)}"
    return replace(outcome, verdict=Verdict.FAILED, reason=Reason.WRITE_ERROR, message=message)


async def hand_over(outbox: Outbox, outcomes: Sequence[Outcome]) -> None:
    """Give finished outcomes to the scribe, however long the journal takes; while being cancelled too, but then not
    for ever: what was done should be written, and what is not proves itself on the disk."""
    if not outcomes:
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
