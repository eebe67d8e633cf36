"""Deciding and copying, batch by batch, in threads. What has been done is never lost: a batch that is cut short
hands over the outcomes it has."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath

from anyio import from_thread

from orchestrator.core.decide import Copy, Examine, Refuse, Renamed, Skip, decide, same_file
from orchestrator.core.entries import Entry, EntryKind, Found, FoundKind, Outcome, Placed, Verdict
from orchestrator.core.errors import FileError, MountLost
from orchestrator.core.job import Compare
from orchestrator.core.naming import renamed
from orchestrator.core.paths import PathRefused, SourcePath, TargetPath
from orchestrator.core.plan import Selection
from orchestrator.core.reasons import Reason
from orchestrator.engine.calls import hangs
from orchestrator.engine.ports import Beat, Checkpoint, Source
from orchestrator.engine.ports_standing import Destination
from orchestrator.engine.pulse import Progress
from orchestrator.engine.walking import Batch, Terms, Work

REPORT_BYTES = 8 << 20
"""Inside a large file progress is told once for this many bytes."""

LOST_SOURCE = frozenset({Reason.VANISHED, Reason.READ_ERROR})
"""Reasons that may be the whole mount going away and not one file; then the volume folder is looked at."""

RENAMES = 1000
"""How many copies of one file may stand beside each other before a rename gives up."""


class Copier:
    """Deals with the batches of one group. `perform` blocks and runs in a thread of the event loop's."""

    def __init__(
        self,
        source: Source,
        target: Destination,
        group: str,
        vm: str,
        created: datetime,
        tell: Callable[[int], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._source = source
        self._target = target
        self._group = group
        self._vm = vm
        self._created = created
        self._tell = tell
        self._stopping = stopping

    @property
    def terms(self) -> Terms:
        """Whose files are copied, for another process."""
        return Terms(self._group, self._vm, self._created)

    @property
    def stopping(self) -> bool:
        """Whether the run is to end between two files."""
        return self._stopping()

    def perform(self, batch: Batch, done: list[Outcome], pulse: Progress) -> None:
        """Deal with a batch; each outcome goes into `done` as soon as it is final, and `pulse` tells how it goes.

        Raises MountLost when the mount's files are gone, and whatever a cancel raises in the thread. Stops between
        two files when the run is being stopped.
        """
        try:
            self._perform(batch, done, pulse)
        finally:
            pulse.over = True

    def _perform(self, batch: Batch, done: list[Outcome], pulse: Progress) -> None:
        done.extend(batch.outcomes)
        wanted = batch.selection
        self._source.expect(
            batch.volume.folder.root,
            (work.entry for work in batch.works if self._is_read(work, wanted)),
            wanted.wishes.reads_properties,
        )
        for work in batch.works:
            pulse.check()
            if self._stopping():
                return
            outcome = self._one(work, wanted, pulse)
            if outcome is not None:
                if outcome.reason in LOST_SOURCE and self._mount_is_gone(batch):
                    where = batch.volume.folder.root
                    raise MountLost(vm=self._vm, cause=f"its files are no longer on the share ({where})")
                done.append(outcome)
            pulse.reached += 1

    def _is_read(self, work: Work, wanted: Selection) -> bool:
        """Whether a file is going to be read where its name says, as far as can be told before its turn."""
        if work.entry.kind is not EntryKind.FILE or work.source.relative != work.entry.relative:
            return False
        try:
            found = self._target.look(work.target)
        except FileError:
            return False
        return isinstance(decide(work.entry, found, wanted.on_conflict, wanted.compare), Copy | Renamed | Examine)

    def needed(self, batch: Batch, beat: Beat) -> int:
        """Bytes of `batch` that are not at the target already. Blocks."""
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

    def _one(self, work: Work, wanted: Selection, pulse: Progress) -> Outcome | None:
        """The outcome of one entry; None for a folder, which is not counted unless it fails."""
        try:
            if work.entry.kind is EntryKind.FOLDER:
                self._target.make_folder(work.target)
                return None
            return self._file(work, wanted, pulse)
        except FileError as error:
            return self._outcome(work, Verdict.FAILED, error.reason, str(error.facts.get("what", error)))

    def _file(self, work: Work, wanted: Selection, pulse: Progress) -> Outcome:
        try:
            return self._decided(work, wanted, pulse)
        except FileError as error:
            # Somebody has put a file there since the look: it is decided anew, by what stands there now.
            if error.reason is not Reason.EXISTS or self._target.look(work.target).kind is FoundKind.NOTHING:
                raise
            return self._decided(work, wanted, pulse)

    def _decided(self, work: Work, wanted: Selection, pulse: Progress) -> Outcome:
        decision = decide(work.entry, self._target.look(work.target), wanted.on_conflict, wanted.compare)
        if isinstance(decision, Examine):
            if self._is_the_same(work, pulse):
                return self._same(work, decision.settle)
            decision = decision.other
        match decision:
            case Copy(replace=overwrite):
                return self._copy(work, overwrite, pulse)
            case Renamed():
                return self._beside(work, wanted, pulse)
            case Skip(reason):
                return self._outcome(work, Verdict.SKIPPED, reason, reason.cause)
            case Refuse(reason):
                verdict = Verdict.FAILED if work.entry.kind is EntryKind.UNREADABLE else Verdict.REFUSED
                return self._outcome(work, verdict, reason, work.entry.message or reason.cause)

    def _is_the_same(self, work: Work, pulse: Progress) -> bool:
        """Whether the file at the target has the content of the backed-up one."""
        return self._target.same_content(work.source, work.entry, work.target, self._progress(0, pulse))

    def _same(self, work: Work, settle: bool) -> Outcome:
        """The content is there already; with `settle` only the time of the file is not yet the backup's."""
        if settle:
            self._target.settle_times(work.target, work.entry)
        message = "the same content is there; its time was set" if settle else Reason.UNCHANGED.cause
        return self._outcome(work, Verdict.SKIPPED, Reason.UNCHANGED, message)

    def _copy(self, work: Work, overwrite: bool, pulse: Progress) -> Outcome:
        begun = time.monotonic()
        placed = self._target.place(
            work.source, work.entry, work.target, overwrite, self._progress(work.entry.size, pulse)
        )
        return self._outcome(work, Verdict.RESTORED, None, "", placed, time.monotonic() - begun)

    def _beside(self, work: Work, wanted: Selection, pulse: Progress) -> Outcome:
        """Copy under the first free name beside the existing file, unless an earlier run has already done so."""
        name_of = partial(renamed, work.target, wanted.rename_pattern, self._vm, self._created)
        for attempt in range(RENAMES):
            try:
                beside = replace(work, target=name_of(attempt))
            except PathRefused as error:
                return self._outcome(work, Verdict.REFUSED, error.reason, f"no name for a copy beside it: {error}")
            found = self._target.look(beside.target)
            if found.kind is FoundKind.NOTHING:
                return self._copy(beside, False, pulse)
            if found.kind is FoundKind.FILE and self._is_own_copy(beside, found, wanted.compare, pulse):
                return self._outcome(beside, Verdict.SKIPPED, Reason.UNCHANGED, Reason.UNCHANGED.cause)
        name = PurePosixPath(work.target.relative).name
        return self._outcome(work, Verdict.REFUSED, Reason.EXISTS, f"{RENAMES} copies of {name} are there already")

    def _is_own_copy(self, beside: Work, found: Found, compare: Compare, pulse: Progress) -> bool:
        """Whether a file beside the existing one is the backed-up file, put there by an earlier run."""
        if compare is Compare.CONTENT:
            return found.size == beside.entry.size and self._is_the_same(beside, pulse)
        return same_file(beside.entry, found)

    def _progress(self, size: int, pulse: Progress) -> Checkpoint:
        if size < REPORT_BYTES:
            return pulse.check
        pending = 0

        def check(copied: int) -> None:
            nonlocal pending
            pulse.check()
            pending += copied
            if pending >= REPORT_BYTES:
                from_thread.run_sync(self._tell, pending)
                pending = 0

        return check

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
        )


def full_target(target: TargetPath) -> str:
    """A target path as one text, for people and for the journal."""
    if target.root.startswith("\\\\"):
        return "\\".join((target.root.rstrip("\\/"), *target.relative.split("/")))
    return f"{target.root.rstrip('/')}/{target.relative}"
