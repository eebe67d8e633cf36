"""The single writer: takes outcomes from every group, writes them in batches, and tells of them when written."""

from collections import Counter
from collections.abc import Sequence

from anyio import fail_after, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from orchestrator.core.entries import Outcome, Verdict
from orchestrator.core.events import FileProblem, FilesDone, Notice
from orchestrator.core.ledger import Totals
from orchestrator.engine.books import Books
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.stopping import Stop

Outbox = MemoryObjectSendStream[Sequence[Outcome]]

HANDOVER_WITHIN = 60.0
"""Seconds that a shielded hand-over may wait for the journal."""


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

    async def write(self, inbox: MemoryObjectReceiveStream[Sequence[Outcome]]) -> None:
        """Everything that waits is written in one transaction, so a slow disk makes larger batches, not more."""
        async with inbox:
            async for outcomes in inbox:
                batch = list(outcomes)
                while inbox.statistics().current_buffer_used:
                    batch.extend(inbox.receive_nowait())
                if self._flush is not None:
                    await to_thread.run_sync(self._flush)
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


async def hand_over(outbox: Outbox, outcomes: Sequence[Outcome]) -> None:
    """Give finished outcomes to the scribe even while being cancelled: what was done must be written."""
    if outcomes:
        with fail_after(HANDOVER_WITHIN, shield=True):
            await outbox.send(outcomes)
