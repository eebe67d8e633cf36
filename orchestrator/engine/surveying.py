"""In the place of copying: everything that a walk finds is counted, with what stands where it belongs."""

from collections.abc import Sequence
from functools import partial

from anyio import CapacityLimiter

from orchestrator.core.decide import decide
from orchestrator.core.entries import EntryKind, Found, FoundKind, Verdict
from orchestrator.core.errors import FileError
from orchestrator.core.events import Notice
from orchestrator.core.plan import MountGroup
from orchestrator.core.survey import Look, Tally
from orchestrator.engine.calls import Calls
from orchestrator.engine.ports import Beat, Target
from orchestrator.engine.rooms import Rooms
from orchestrator.engine.scribe import Outbox, hand_over
from orchestrator.engine.stages import Ledgered
from orchestrator.engine.stopping import Stop
from orchestrator.engine.walking import Batch, Walk

NOTHING = Found(FoundKind.NOTHING)


class Surveyor:
    """Takes the place of Stages in a run that only looks. `looks` are complete when the run has ended."""

    def __init__(self, rooms: Rooms, stop: Stop, walking: CapacityLimiter) -> None:
        self._rooms = rooms
        self._stop = stop
        self._walking = walking
        self._calls = Calls(rooms.settings.stall)
        self._looks: dict[str, list[Look]] = {}

    @property
    def looks(self) -> tuple[Look, ...]:
        return tuple(look for _, looks in sorted(self._looks.items()) for look in looks)

    async def close(self) -> None:
        """Nothing is held."""

    async def run(self, stages: Sequence[Sequence[Walk]], course: Ledgered, outbox: Outbox) -> bool:
        """List every stage and count it; False when a stop cut it short. A mount that is lost is listed anew."""
        group, tallies = course.group, dict[int, Tally]()
        for walk in (walk for walks in stages for walk in walks):
            number = group.selections.index(walk.selection)
            if not await self._list(walk, tallies.setdefault(number, Tally()), course, outbox):
                return False
        self._looks[group.id] = [tally.look(group, number) for number, tally in sorted(tallies.items())]
        self._tell(group)
        return True

    async def _list(self, walk: Walk, tally: Tally, course: Ledgered, outbox: Outbox) -> bool:
        while not self._stop.draining:
            try:
                batch = await self._calls.run(walk.volume.folder.root, walk.next_batch, self._walking)
                if batch is None:
                    return True
                await hand_over(outbox, [one for one in batch.outcomes if one.verdict is Verdict.FAILED])
                await self._calls.run(walk.selection.destination, partial(_weigh, self._rooms.target, batch, tally))
            except TimeoutError as error:  # of the share, or of the destination
                course.unfinished.extend(walk.unfinished(str(error.strerror)))
                return True
        return False

    def _tell(self, group: MountGroup) -> None:
        looks = self._looks[group.id]
        files, size = sum(one.tree.files for one in looks), sum(one.tree.bytes for one in looks)
        text = f"{group.vm}: listed, {files:,} {'file' if files == 1 else 'files'} of {size:,} bytes"
        self._rooms.emit(Notice(self._rooms.clock(), text))


def _weigh(target: Target, batch: Batch, tally: Tally, beat: Beat) -> None:
    """Count a batch, with what stands at its targets. Blocks."""
    for outcome in batch.outcomes:
        if outcome.verdict is Verdict.REFUSED:
            tally.refuse(outcome.guest_path, outcome.message)
    selection = batch.selection
    for work in batch.works:
        found = NOTHING
        if work.entry.kind is EntryKind.FILE:
            try:
                found = target.look(work.target)
            except FileError as error:
                tally.refuse(work.guest_path, str(error))
                continue
        tally.add(
            work.guest_path, work.entry, decide(work.entry, found, selection.on_conflict, selection.compare), found
        )
        beat()
