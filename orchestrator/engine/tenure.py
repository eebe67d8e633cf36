"""Until when a worker of the fleet may write, by a clock of its own; and a destination that asks before it writes."""

from collections.abc import Callable, Mapping

from orchestrator.core.entries import Entry, Found, Placed
from orchestrator.core.fidelity import BASIC, Fidelity, Properties, Wishes
from orchestrator.core.fleet_errors import MemberDead
from orchestrator.core.paths import SourcePath, TargetPath
from orchestrator.core.replaced import Aside
from orchestrator.engine.ports import Checkpoint
from orchestrator.engine.ports_standing import Destination

SAFE = 0.9
"""Part of the lease for which a worker trusts its own clock: clocks do not run alike."""


class Tenure:
    """Others call a worker dead when its last renewal is older than `lease` seconds. It was renewed after the time at
    which the question was sent, so that counting from there is never too long. `clock` goes on while the machine
    sleeps. Any thread may ask."""

    def __init__(self, lease: float, clock: Callable[[], float]) -> None:
        self._lease = lease
        self._clock = clock
        self._until = clock() + lease * SAFE
        self._ended = False

    def renewed(self, sent: float) -> None:
        """A renewal that was sent then was answered."""
        if not self._ended:
            self._until = sent + self._lease * SAFE

    def end(self) -> None:
        """It is over, and no renewal begins it again."""
        self._ended, self._until = True, float("-inf")

    @property
    def left(self) -> float:
        """Seconds until nothing may be written any more."""
        return self._until - self._clock()

    def check(self) -> None:
        """MemberDead when it is over."""
        if self._clock() > self._until:
            raise MemberDead(seconds=self._lease)


class Fenced:
    """A destination that nothing is written to once the tenure is over: asked before each call that writes, and between
    the pieces of a file."""

    def __init__(self, target: Destination, tenure: Tenure) -> None:
        self._target = target
        self._tenure = tenure

    def _checking(self, check: Checkpoint) -> Checkpoint:
        """In `check` a copy waits for its bandwidth, or for the end of a pause. Whether the tenure outlived that is
        asked after it, before the next piece."""

        def both(count: int) -> None:
            check(count)
            self._tenure.check()

        return both

    def place(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        replace: bool,
        check: Checkpoint,
        wishes: Wishes = BASIC,
    ) -> Placed:
        self._tenure.check()
        placed = self._target.place(source, entry, target, replace, self._checking(check), wishes)
        self._tenure.check()  # what is named by now is whole, and the next worker finds it there
        return placed

    def set_aside(
        self,
        source: SourcePath,
        entry: Entry,
        target: TargetPath,
        run: str,
        check: Checkpoint,
        remember: Callable[[Aside], None],
        wishes: Wishes = BASIC,
    ) -> Placed:
        self._tenure.check()
        return self._target.set_aside(source, entry, target, run, self._checking(check), remember, wishes)

    def make_folder(self, target: TargetPath) -> None:
        self._tenure.check()
        self._target.make_folder(target)

    def finish_folder(self, target: TargetPath, entry: Entry) -> None:
        self._tenure.check()
        self._target.finish_folder(target, entry)

    def settle_times(self, target: TargetPath, entry: Entry) -> None:
        self._tenure.check()
        self._target.settle_times(target, entry)

    def dress(self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, wishes: Wishes) -> Fidelity:
        self._tenure.check()
        return self._target.dress(source, entry, target, has, wishes)

    def link(
        self, source: SourcePath, entry: Entry, target: TargetPath, has: Properties, replace: bool, wishes: Wishes
    ) -> Placed:
        self._tenure.check()
        return self._target.link(source, entry, target, has, replace, wishes)

    def name_again(self, first: TargetPath, target: TargetPath, replace: bool) -> None:
        self._tenure.check()
        self._target.name_again(first, target, replace)

    # --- what only looks ---

    def check_root(self, root: str) -> None:
        self._target.check_root(root)

    def look(self, path: TargetPath) -> Found:
        return self._target.look(path)

    def free_space(self, root: str) -> int:
        return self._target.free_space(root)

    def listing(self, root: str, relative: str) -> Mapping[str, Found] | None:
        return self._target.listing(root, relative)

    def same_content(self, source: SourcePath, entry: Entry, target: TargetPath, check: Checkpoint) -> bool:
        return self._target.same_content(source, entry, target, check)

    def take_made(self) -> list[str]:
        return self._target.take_made()

    def link_text(self, target: TargetPath) -> str | None:
        return self._target.link_text(target)

    def one_file(self, first: TargetPath, target: TargetPath) -> bool:
        return self._target.one_file(first, target)
