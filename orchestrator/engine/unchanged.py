"""Files that are there already, told while the share is listed.

The target's folder is listed once, instead of a look at each name of it in a copying thread; and what needs no work is
handed over many batches at a time, because each hand-over between threads costs more than the files in it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.core.decide import same_file
from orchestrator.core.entries import EntryKind, Found, FoundKind, Outcome, Verdict
from orchestrator.core.entry import Compare
from orchestrator.core.paths import full_target
from orchestrator.core.reasons import Reason
from orchestrator.engine.ports import Beat
from orchestrator.engine.ports_standing import Standing
from orchestrator.engine.walking import Batch, Walk, Work

FRESH = 2.0
"""Seconds for which a listing is believed, or as long as it took if that was longer. What changes later counts as
changed after the run."""

TOGETHER = 16
"""Batches without any work that are handed over at once."""


@dataclass(slots=True)
class Drawn:
    """What was drawn from a walk: the batches as they were found, the outcomes of what needs no work, and the batches
    that do: one at most, unless the walk was given up."""

    found: list[Batch] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    left: list[Batch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Listing:
    """What stands in one folder of the target, and until when that is believed."""

    names: Mapping[str, Found]
    until: float


class Unchanged:
    """Looks at the targets of one walk, which gives the files of one folder together. Blocks."""

    def __init__(self, target: Standing, group: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._group = group
        self._clock = clock
        self._listings: dict[tuple[str, str], _Listing] = {}

    def settled(self, batch: Batch) -> Batch:
        """`batch` with an outcome for each file that is there already, and without work for what is."""
        wanted = batch.selection
        if wanted.compare is not Compare.TIMES or wanted.wishes.reads_properties:
            return batch
        works, outcomes = [], list(batch.outcomes)
        for work in batch.works:
            kind = work.entry.kind
            if kind is not EntryKind.FILE and kind is not EntryKind.FOLDER:
                works.append(work)
                continue
            found = self._found(work)
            if found is None:
                works.append(work)
            elif kind is EntryKind.FOLDER:
                if found.kind is not FoundKind.FOLDER:
                    works.append(work)
            elif found.kind is FoundKind.FILE and same_file(work.entry, found):
                outcomes.append(self._unchanged(work))
            else:
                works.append(work)
        return replace(batch, works=tuple(works), outcomes=tuple(outcomes))

    def _found(self, work: Work) -> Found | None:
        """What stands at the target of `work`; None for nothing, and when only a look tells."""
        above, _, name = work.target.relative.rpartition("/")
        place = work.target.root, above
        begun = self._clock()
        listing = self._listings.get(place)
        if listing is None or begun > listing.until:
            there = self._target.listing(*place) or {}
            now = self._clock()
            listing = _Listing(there, now + max(FRESH, now - begun))
            # A walk goes down and comes back: the folders above are asked for again, those beside are not.
            self._listings = {one: kept for one, kept in self._listings.items() if _holds(one, place)}
            self._listings[place] = listing
        return listing.names.get(name)

    def _unchanged(self, work: Work) -> Outcome:
        reason, entry = Reason.UNCHANGED, work.entry
        return Outcome(
            self._group,
            work.guest_path,
            full_target(work.target),
            Verdict.SKIPPED,
            entry.size,
            entry.mtime_ns,
            reason=reason,
            message=reason.cause,
        )


def _holds(upper: tuple[str, str], place: tuple[str, str]) -> bool:
    """Whether the folder `place` (root and relative path) lies within `upper`."""
    return upper[0] == place[0] and (not upper[1] or place[1].startswith(f"{upper[1]}/"))


class Drawing:
    """Draws from a walk until there is work."""

    def __init__(self, walk: Walk, unchanged: Unchanged) -> None:
        self._walk = walk
        self._unchanged = unchanged
        self._drawn: list[tuple[Batch, Batch]] = []
        """Each batch as it was found, and as it is settled."""
        self._settling: Batch | None = None
        self.over = False

    def next(self, beat: Beat) -> Drawn:
        """The next batch with work, and all that was found before it. Blocks; raises what `Walk.next_batch` does."""
        drawn = self._drawn = []
        while len(drawn) < TOGETHER:
            batch = self._walk.next_batch(beat)
            if batch is None:
                self.over = True
                break
            self._settling = batch
            settled = self._unchanged.settled(batch)
            drawn.append((batch, settled))
            if settled.works:
                break
        return self._so_far()

    def given_up(self) -> Drawn:
        """What `next` has found so far, while it hangs in a thread that is given up; with what it had not looked at."""
        unseen = [batch for batch in (self._settling, self._walk.held()) if batch is not None]
        drawn = self._so_far()  # last: what the thread finds out just now must not be missing from both
        known = {id(one) for batch in drawn.found for one in (*batch.works, *batch.outcomes)}
        for batch in unseen:
            works = tuple(one for one in batch.works if id(one) not in known)
            outcomes = tuple(one for one in batch.outcomes if id(one) not in known)
            known.update(map(id, (*works, *outcomes)))
            if works or outcomes:
                rest = replace(batch, works=works, outcomes=outcomes)
                drawn.found.append(rest)
                drawn.left.append(rest)
        return drawn

    def _so_far(self) -> Drawn:
        drawn = Drawn()
        for batch, settled in tuple(self._drawn):
            drawn.found.append(batch)
            if settled.works:
                drawn.left.append(settled)
            else:
                drawn.outcomes += settled.outcomes
        return drawn
