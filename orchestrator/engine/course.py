"""What one mount group has done so far."""

from dataclasses import dataclass, field

from orchestrator.core.entries import Outcome
from orchestrator.core.plan import MountGroup
from orchestrator.core.select import Selector
from orchestrator.engine.ports_dispatch import Turn


@dataclass(slots=True)
class Course:
    """What one group has done so far, over all its mounts. `unfinished` are the paths that could not be walked,
    or not to their end; they are told when the mount has come to its end, since after a loss they are walked again."""

    group: MountGroup
    selectors: dict[int, Selector]
    turn: Turn = Turn.FIRST
    announced: tuple[int, int] = (0, 0)
    unfinished: list[Outcome] = field(default_factory=list)
    complete: bool = False
    mounted: bool = False
    told: set[str] = field(default_factory=set)
    """The paths that EM was asked to restore to their original location and whose end is told: they are not asked for
    again, whatever came of them."""
    again: MountGroup | None = None
    """What wants another turn: the group, or the group with the next of its restore points."""

    @property
    def undone(self) -> str:
        """Why a group that is through with its mount is not done; empty when it is, or when a stop cut it short."""
        return self.unfinished[-1].message if self.complete and self.unfinished else ""
