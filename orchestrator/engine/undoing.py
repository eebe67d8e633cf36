"""Undoing a run: what it replaced comes back, what it added goes, and all that cannot be proved stays and is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, create_task_group, to_thread

from orchestrator.core.entries import Outcome, has_content
from orchestrator.core.fidelity import Property
from orchestrator.core.paths import HOLDING, TargetPath, full_target
from orchestrator.core.plan import Plan
from orchestrator.core.replaced import Aside, AsideState, Fate, Stood, Undone, UndoReport, UndoRow, held_path
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Checkpoint, Clock
from orchestrator.engine.ports_standing import AsideLedger, UndoLedger
from orchestrator.engine.pulse import Abandoned
from orchestrator.engine.stopping import Stop

PAGE = 512
"""Files that are looked at together, and then noted in one transaction."""

NOT_KEPT = "it replaced a file, and what was replaced is not kept: the run's on_conflict was not aside"
A_LINK = "it is a symbolic link, and nothing proves that it is still the run's; remove it by hand"
ONLY_DRESSED = "only its permissions were put on, and those that it had before are not kept"
IN_GUEST = "Enterprise Manager has restored it to its original location, inside the machine"
NOT_KNOWN = "the run is of an older version, which did not note what had been there"

Item = TypeVar("Item")


class Undoing(Protocol):
    """What is undone at the destinations. Methods block."""

    def give_back(self, aside: Aside, check: Checkpoint) -> Undone:
        """Put a file that was set aside back."""
        ...

    def take_away(self, outcome: Outcome, place: TargetPath, check: Checkpoint) -> Undone:
        """Remove a file that was restored to `place`, where nothing had been."""
        ...

    def remove_folder(self, path: str) -> bool:
        """Remove a folder that the run has made, if it is empty."""
        ...

    def discard(self, aside: Aside) -> Undone:
        """Remove a file that was set aside for good."""
        ...

    def forget_holding(self, root: str) -> None:
        """Remove the holding folder of a destination if it is empty."""
        ...


class Ledger(AsideLedger, UndoLedger, Protocol):
    """All that an undo asks of the journal."""


@dataclass(frozen=True, slots=True)
class Undo:
    """One undo of the run of `plan`. `tell` gets (files, bytes) as they are done. With `dry` nothing is changed."""

    plan: Plan
    ledger: Ledger
    ground: Undoing
    stop: Stop
    clock: Clock
    threads: CapacityLimiter
    tell: Callable[[int, int], None]
    dry: bool = False

    async def run(self) -> UndoReport:
        """Put back, remove, and tell. What was done is noted page by page, so that the next undo goes on."""
        report = UndoReport(self.plan.run, self.dry)
        books = CapacityLimiter(1)
        started = self.clock()
        if not self.dry:
            await to_thread.run_sync(self.ledger.begin_undo, self.plan.run, started, limiter=books)
        whole = await self._asides(report, books) and await self._restored(report, books)
        if whole:
            report.folders += await self._folders(books)
        report.complete = whole
        if not self.dry:
            row = UndoRow(self.plan.run, started, self.clock(), report.returned, report.removed, report.left_count)
            await to_thread.run_sync(self.ledger.end_undo, row, limiter=books)
        return report

    async def discard(self) -> UndoReport:
        """Remove for good what the run has set aside."""
        report = UndoReport(self.plan.run, self.dry)
        books = CapacityLimiter(1)
        after: Aside | None = None
        while page := await to_thread.run_sync(self.ledger.asides, self.plan.run, after, PAGE, limiter=books):
            after = page[-1]
            found = await self._each(page, lambda aside, _: self.ground.discard(aside))
            await self._settle(_done(page, found), AsideState.DISCARDED, books)
            for one in found:
                if one is None:
                    return report
                if one.fate is Fate.REMOVED:
                    report.discarded, report.bytes = report.discarded + 1, report.bytes + one.size
                else:
                    report.add(one)
        report.folders += await self._folders(books, held_only=True)
        report.complete = True
        return report

    async def _asides(self, report: UndoReport, books: CapacityLimiter) -> bool:
        """Every file that is held aside; False when the undo is to stop."""
        after: Aside | None = None
        while page := await to_thread.run_sync(self.ledger.asides, self.plan.run, after, PAGE, limiter=books):
            after = page[-1]
            found = await self._each(page, self.ground.give_back)
            await self._settle(_done(page, found), AsideState.RETURNED, books)
            if not self._count(report, found):
                return False
        return True

    async def _settle(self, asides: Sequence[Aside], state: AsideState, books: CapacityLimiter) -> None:
        if asides and not self.dry:
            rows = [replace(aside, state=state) for aside in asides]
            await to_thread.run_sync(self.ledger.write_asides, self.plan.run, rows, limiter=books)

    async def _restored(self, report: UndoReport, books: CapacityLimiter) -> bool:
        """Every restored file that has not been undone; False when the undo is to stop."""
        after: Outcome | None = None
        while page := await to_thread.run_sync(self.ledger.to_undo, self.plan.run, after, PAGE, limiter=books):
            after = page[-1]
            page = [outcome for outcome in page if outcome.stood is not Stood.ASIDE]
            found = await self._each(page, self._take_away)
            found = await to_thread.run_sync(self._not_left, page, found, limiter=books)
            gone = _done(page, found)
            if gone and not self.dry:
                await to_thread.run_sync(self.ledger.mark_undone, self.plan.run, gone, limiter=books)
            if not self._count(report, found):
                return False
        return True

    def _take_away(self, outcome: Outcome, check: Checkpoint) -> Undone:
        if not outcome.target_path:
            return Undone(outcome.guest_path, Fate.LEFT, message=IN_GUEST)
        match outcome.stood:
            case Stood.NOTHING:
                pass
            case Stood.REPLACED:
                return Undone(outcome.target_path, Fate.LEFT, message=NOT_KEPT)
            case _ if has_content(outcome):
                return Undone(outcome.target_path, Fate.LEFT, message=NOT_KNOWN)
            case _:
                why = A_LINK if Property.LINK in outcome.fidelity else ONLY_DRESSED
                return Undone(outcome.target_path, Fate.LEFT, message=why)
        place = self._place(outcome)
        if place is None:
            return Undone(outcome.target_path, Fate.LEFT, message="it lies below no destination of the run's plan")
        return self.ground.take_away(outcome, place, check)

    def _place(self, outcome: Outcome) -> TargetPath | None:
        """Where a file was restored, by the destination that it is below."""
        for root in sorted(self.plan.destinations, key=len, reverse=True):
            above = full_target(TargetPath(root, ""))
            if outcome.target_path.startswith(above):
                below = outcome.target_path[len(above) :]
                return TargetPath(root, below.replace("\\", "/") if root.startswith("\\\\") else below)
        return None

    def _not_left(self, page: Sequence[Outcome], found: Sequence[Undone | None]) -> list[Undone | None]:
        """What became of each file, without those that are left because the file that had made room for them is back: a
        run that died between the two moves has found nothing in its place."""
        told = list(found)
        for number, (outcome, one) in enumerate(zip(page, found, strict=True)):
            if one is None or one.fate is not Fate.LEFT or outcome.stood is not Stood.NOTHING:
                continue
            place = self._place(outcome)
            if place is not None and self.ledger.was_aside(self.plan.run, held_path(self.plan.run, place)):
                told[number] = Undone(outcome.target_path, Fate.GONE)
        return told

    async def _folders(self, books: CapacityLimiter, *, held_only: bool = False) -> int:
        """How many of the folders that the run has made are gone; `held_only`: of those that held files aside."""
        if self.dry:
            return 0
        removed = 0
        held = f"/{HOLDING}/{self.plan.run}/"
        made = (
            path for path in self.ledger.made(self.plan.run) if not held_only or held in f"{path}/".replace("\\", "/")
        )
        while page := await to_thread.run_sync(lambda: list(islice(made, PAGE)), limiter=books):
            removed += await to_thread.run_sync(_all_removed, self.ground, page, limiter=self.threads)
        for root in self.plan.destinations:
            await to_thread.run_sync(self.ground.forget_holding, root, limiter=self.threads)
        return removed

    def _count(self, report: UndoReport, found: Sequence[Undone | None]) -> bool:
        for one in found:
            if one is not None:
                report.add(one)
        return None not in found

    async def _each(self, items: Sequence[Item], work: Callable[[Item, Checkpoint], Undone]) -> list[Undone | None]:
        """What became of each item, in many threads; None of those that a stop left."""
        results: list[Undone | None] = [None] * len(items)
        numbers = iter(range(len(items)))

        def check(_: int = 0) -> None:
            if self.stop.cancelled:
                raise Abandoned

        def perform() -> None:
            for number in numbers:
                if self.stop.draining:
                    return
                try:
                    results[number] = work(items[number], check)
                except Abandoned:
                    return

        with one_error():
            async with create_task_group() as tasks:
                for _ in range(min(len(items), int(self.threads.total_tokens))):
                    tasks.start_soon(_in_thread, perform, self.threads)
        done = [one for one in results if one is not None]
        self.tell(len(done), sum(one.size for one in done))
        return results


async def _in_thread(perform: Callable[[], None], threads: CapacityLimiter) -> None:
    await to_thread.run_sync(perform, limiter=threads)


def _all_removed(ground: Undoing, paths: Sequence[str]) -> int:
    return sum(map(ground.remove_folder, paths))


def _done(items: Sequence[Item], found: Sequence[Undone | None]) -> list[Item]:
    """The items with which nothing more is to be done."""
    return [item for item, one in zip(items, found, strict=True) if one is not None and one.fate is not Fate.LEFT]
