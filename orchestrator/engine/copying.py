"""Deciding and copying, batch by batch, in threads. What has been done is never lost: a batch that is cut short
hands over the outcomes it has."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from orchestrator.core.coming import Coming
from orchestrator.core.decide import Copy, Examine, Refuse, Renamed, SetAside, Skip, decide, same_file
from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind, Outcome, Placed, Verdict
from orchestrator.core.entry import Compare
from orchestrator.core.errors import FileError, MountLost
from orchestrator.core.fidelity import Metadata
from orchestrator.core.naming import renamed
from orchestrator.core.paths import PathRefused, SourcePath, full_target
from orchestrator.core.plan import Selection
from orchestrator.core.reasons import Reason
from orchestrator.core.replaced import Aside, Stood
from orchestrator.core.roads import EM_ROOT
from orchestrator.engine.allowance import UNLIMITED, Allowance, Gate
from orchestrator.engine.besides import Besides
from orchestrator.engine.calls import hangs
from orchestrator.engine.hard_links import Dealing, HardLinks
from orchestrator.engine.ports import Beat, Source
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.pulse import Progress
from orchestrator.engine.toll import Toll
from orchestrator.engine.turns import Turns
from orchestrator.engine.walking import Batch, Terms, Work

LOST_SOURCE = frozenset({Reason.VANISHED, Reason.READ_ERROR})
"""Reasons that may be the whole mount going away and not one file; then the volume folder is looked at."""

READS = Copy | SetAside | Renamed | Examine
"""Decisions for which the backed-up file is read."""

SMALL = 256 << 10
"""Bytes. Batches of files that are smaller by the mean are work for the interpreter, and take turns at it."""

RENAMES = 1000
"""How many copies of one file may stand beside each other before a rename gives up."""


class Copier:
    """Deals with the batches of one group. `perform` blocks and runs in a thread of the event loop's."""

    def __init__(
        self,
        source: Source,
        target: Destination,
        terms: Terms,
        tell: Callable[[int], None],
        stopping: Callable[[], bool],
        remember: Callable[[Aside], None],
        gives_way: Callable[[], bool] = lambda: False,
        allowance: Allowance = UNLIMITED,
        gate: Gate | None = None,
        turns: Turns | None = None,
    ) -> None:
        """`gives_way` says whether a thread is to give its place up, after the file that it is copying."""
        self._source = source
        self._target = target
        self.terms = terms
        self._group = terms.group
        self._vm = terms.vm
        self._created = terms.created
        self._remember = remember
        self._made_elsewhere: deque[str] = deque()
        self._tell = tell
        self._stopping = stopping
        self._gives_way = gives_way
        self._allowance = allowance
        self._gate = gate or Gate()
        self._turns = turns or Turns()
        self._besides = Besides(source, target, self._outcome)
        self._hard_links = HardLinks(target)

    @property
    def stopping(self) -> bool:
        """Whether the run is to end between two files."""
        return self._stopping()

    def stays_here(self, size: int) -> bool:
        """Whether a batch of so many bytes is done in this process, file by file: it is to give way, or it is more than
        goes at once over a line that is limited."""
        return self._gives_way() or size > self._allowance.ahead

    def pay(self, outcomes: Sequence[Outcome], pulse: Progress) -> None:
        """Wait until what another process has restored may have been. Raises Abandoned."""
        if self._allowance.ahead != math.inf:
            size = sum(one.size for one in outcomes if one.verdict is Verdict.RESTORED)
            self._allowance.take(size, pulse.check)

    def note_made(self, paths: Sequence[str]) -> None:
        """Folders that another process has made for this one."""
        self._made_elsewhere.extend(paths)

    def take_made(self) -> list[str]:
        """The paths of the folders that were made since the last call."""
        made = self._target.take_made()
        with suppress(IndexError):
            while True:
                made.append(self._made_elsewhere.popleft())
        return made

    def perform(self, batch: Batch, done: list[Outcome], pulse: Progress) -> None:
        """Deal with a batch; each outcome goes into `done` as soon as it is final, and `pulse` tells how it goes.

        Raises MountLost when the mount's files are gone, and whatever a cancel raises in the thread. Stops between
        two files when the run is being stopped.
        """
        try:
            toll = Toll(self._allowance, self._gate, pulse, self._tell)
            self._perform(batch, done, pulse, toll)
            toll.pay()
        finally:
            pulse.over = True

    def _perform(self, batch: Batch, done: list[Outcome], pulse: Progress, toll: Toll) -> None:
        done.extend(batch.outcomes)
        if batch.bytes > SMALL * len(batch.works) or batch.volume.folder.root.startswith(EM_ROOT):
            expected, _ = self._expect(batch, 0)
            return self._all_of(batch, done, pulse, toll, expected)
        with self._turns.let_in(pulse.check):
            with self._turns.turn(pulse.check):
                expected, coming = self._expect(batch, 0)
            # Others have their turn while the share answers.
            with self._turns.turn(pulse.check, coming):
                self._all_of(batch, done, pulse, toll, expected)

    def _all_of(self, batch: Batch, done: list[Outcome], pulse: Progress, toll: Toll, expected: int) -> None:
        wanted = batch.selection
        for number, work in enumerate(batch.works):
            if number == expected:
                expected += self._expect(batch, number)[0]
            pulse.check()
            if self._stopping():
                return
            if self._gives_way():
                pulse.gave_way = True
                return
            outcome = self._one(work, wanted, toll)
            if outcome is not None:
                if outcome.reason in LOST_SOURCE and self._mount_is_gone(batch):
                    where = batch.volume.folder.root
                    raise MountLost(vm=self._vm, cause=f"its files are no longer on the share ({where})")
                done.append(outcome)
            pulse.reached += 1

    def _expect(self, batch: Batch, start: int) -> tuple[int, Coming]:
        """Tell the share which of the batch's files come next; of how many entries that holds, and how they come."""
        ahead, wanted = self._ahead(batch.works[start:]), batch.selection
        coming = self._source.expect(
            batch.volume.folder.root,
            (work.entry for work in ahead if self._is_read(work, wanted)),
            wanted.wishes.reads_properties,
        )
        return len(ahead), coming

    def _ahead(self, works: Sequence[Work]) -> Sequence[Work]:
        """The first of `works` that the share may be asked for at once: all, unless the bandwidth is limited."""
        left = self._allowance.ahead
        if left == math.inf:
            return works
        for number, work in enumerate(works):
            left -= work.entry.size
            if left < 0:
                return works[: max(number, 1)]
        return works

    def _is_read(self, work: Work, wanted: Selection) -> bool:
        """Whether a file is going to be read where its name says, as far as can be told before its turn."""
        if work.wishes.metadata is Metadata.PERMISSIONS:
            return False
        if work.entry.kind is not EntryKind.FILE or work.source.relative != work.entry.relative:
            return False
        try:
            found = self._target.look(work.target)
        except FileError:
            return False
        return isinstance(decide(work.entry, found, wanted.on_conflict, wanted.compare), READS)

    def needed(self, batch: Batch, beat: Beat) -> int:
        """Bytes of `batch` that are not at the target already. Blocks."""
        if batch.selection.wishes.metadata is Metadata.PERMISSIONS:
            return 0
        return sum(work.entry.size for work in batch.works if not self._is_there(work, beat))

    def _is_there(self, work: Work, beat: Beat) -> bool:
        beat()
        try:
            return same_file(work.entry, self._target.look(work.target))
        except FileError:
            return False

    def _mount_is_gone(self, batch: Batch) -> bool:
        """A share that is gone shows no volume folder, a server that is gone an unreadable one."""
        root = self.look_at_volume(batch, lambda: None)
        return root is None or root.kind is EntryKind.UNREADABLE

    def look_at_volume(self, batch: Batch, beat: Beat) -> Entry | None:
        """The volume folder that a batch is of, if it is there. Blocks."""
        return self._source.look(SourcePath(batch.volume.folder.root, ""), beat)

    def _one(self, work: Work, wanted: Selection, toll: Toll) -> Outcome | None:
        """The outcome of one entry; None for a folder, which is not counted unless it fails."""
        try:
            if work.entry.kind is EntryKind.FOLDER:
                if work.wishes.metadata is not Metadata.PERMISSIONS:
                    self._target.make_folder(work.target)
                return None
            return self._besides.instead(work, wanted.on_conflict) or self._named(work, wanted, toll)
        except FileError as error:
            return self._outcome(work, Verdict.FAILED, error.reason, str(error.facts.get("what", error)))

    def _named(self, work: Work, wanted: Selection, toll: Toll) -> Outcome:
        """A file, whose other names are names of its copy when all of it is wanted."""
        if work.entry.identity is None or work.wishes.metadata is not Metadata.FULL:
            return self._file(work, wanted, toll)
        dealing = Dealing(
            lambda: decide(work.entry, self._target.look(work.target), wanted.on_conflict, wanted.compare),
            lambda: self._file(work, wanted, toll),
            lambda verdict, reason: self._outcome(work, verdict, reason, reason.cause if reason else ""),
        )
        return self._hard_links.deal(work, toll.progress, dealing)

    def _file(self, work: Work, wanted: Selection, toll: Toll) -> Outcome:
        try:
            return self._decided(work, wanted, toll)
        except FileError as error:
            # Somebody has put a file there since the look: it is decided anew, by what stands there now.
            if error.reason is not Reason.EXISTS or self._target.look(work.target).kind is FoundKind.NOTHING:
                raise
            return self._decided(work, wanted, toll)

    def _decided(self, work: Work, wanted: Selection, toll: Toll) -> Outcome:
        decision = decide(work.entry, self._target.look(work.target), wanted.on_conflict, wanted.compare)
        if isinstance(decision, Examine):
            if self._is_the_same(work, toll):
                return self._same(work, decision.settle)
            decision = decision.other
        match decision:
            case Copy(replace=overwrite):
                return self._copy(work, overwrite, toll)
            case SetAside():
                return self._aside(work, toll)
            case Renamed():
                return self._beside(work, wanted, toll)
            case Skip(reason):
                if reason is Reason.UNCHANGED:
                    return self._unchanged(work, reason.cause)
                return self._outcome(work, Verdict.SKIPPED, reason, reason.cause)
            case Refuse(reason):
                verdict = Verdict.FAILED if work.entry.kind is EntryKind.UNREADABLE else Verdict.REFUSED
                return self._outcome(work, verdict, reason, work.entry.message or reason.cause)

    def _is_the_same(self, work: Work, toll: Toll) -> bool:
        """Whether the file at the target has the content of the backed-up one."""
        return self._target.same_content(work.source, work.entry, work.target, toll.of(work.entry.size, tells=False))

    def _same(self, work: Work, settle: bool) -> Outcome:
        """The content is there already; with `settle` only the time of the file is not yet the backup's."""
        if settle:
            self._target.settle_times(work.target, work.entry)
        message = "the same content is there; its time was set" if settle else Reason.UNCHANGED.cause
        return self._unchanged(work, message)

    def _unchanged(self, work: Work, message: str) -> Outcome:
        """The file is there already; what it is beside its bytes may not be."""
        placed = Placed(work.entry.size, "", self._besides.dressed(work))
        return self._outcome(work, Verdict.SKIPPED, Reason.UNCHANGED, message, placed)

    def _copy(self, work: Work, overwrite: bool, toll: Toll) -> Outcome:
        begun = time.monotonic()
        check = toll.of(work.entry.size)
        placed = self._target.place(work.source, work.entry, work.target, overwrite, check, work.wishes)
        stood = Stood.REPLACED if overwrite else Stood.NOTHING
        return self._restored(work, placed, stood, time.monotonic() - begun)

    def _aside(self, work: Work, toll: Toll) -> Outcome:
        begun = time.monotonic()
        check = toll.of(work.entry.size)
        placed = self._target.set_aside(
            work.source, work.entry, work.target, self.terms.run, check, self._remember, work.wishes
        )
        return self._restored(work, placed, Stood.ASIDE, time.monotonic() - begun)

    def _restored(self, work: Work, placed: Placed, stood: Stood, seconds: float) -> Outcome:
        return self._outcome(work, Verdict.RESTORED, None, "", placed, seconds, stood)

    def _beside(self, work: Work, wanted: Selection, toll: Toll) -> Outcome:
        """Copy under the first free name beside the existing file, unless an earlier run has already done so."""
        name_of = partial(renamed, work.target, wanted.rename_pattern, self._vm, self._created)
        for attempt in range(RENAMES):
            try:
                beside = replace(work, target=name_of(attempt))
            except PathRefused as error:
                return self._outcome(work, Verdict.REFUSED, error.reason, f"no name for a copy beside it: {error}")
            found = self._target.look(beside.target)
            if found.kind is FoundKind.NOTHING:
                return self._copy(beside, False, toll)
            if found.kind is FoundKind.FILE and self._is_own_copy(beside, found, wanted.compare, toll):
                return self._outcome(beside, Verdict.SKIPPED, Reason.UNCHANGED, Reason.UNCHANGED.cause)
        name = PurePosixPath(work.target.relative).name
        return self._outcome(work, Verdict.REFUSED, Reason.EXISTS, f"{RENAMES} copies of {name} are there already")

    def _is_own_copy(self, beside: Work, found: Found, compare: Compare, toll: Toll) -> bool:
        """Whether a file beside the existing one is the backed-up file, put there by an earlier run."""
        if compare is Compare.CONTENT:
            return found.size == beside.entry.size and self._is_the_same(beside, toll)
        return same_file(beside.entry, found)

    def stalled(self, work: Work, seconds: float) -> Outcome:
        """The outcome of a file whose reading or writing did not move."""
        return self._outcome(work, Verdict.FAILED, Reason.STALLED, hangs(seconds))

    def _outcome(
        self,
        work: Work,
        verdict: Verdict,
        reason: Reason | None,
        message: str,
        placed: Placed | None = None,
        seconds: float = 0.0,
        stood: Stood = Stood.UNKNOWN,
    ) -> Outcome:
        return Outcome(
            group=self._group,
            guest_path=work.guest_path,
            target_path=full_target(work.target),
            verdict=verdict,
            size=placed.size if placed else work.entry.size,
            mtime_ns=work.entry.mtime_ns,
            checksum=placed.checksum if placed else "",
            reason=reason,
            message=message,
            seconds=seconds,
            stood=stood,
            fidelity=placed.fidelity if placed else {},
        )
