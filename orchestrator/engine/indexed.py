"""Paths that EM's index of the guests does not have, told before anything is mounted.

A path counts as missing only when a listing of a folder above it was read to its end and lacks the next name. Where EM
has no index, or does not list it, nothing is told.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

from orchestrator.core.catalog import Listing, PointKind, RestorePoint
from orchestrator.core.errors import EmError
from orchestrator.core.paths import GuestPath, fold
from orchestrator.core.plan import MountGroup, Plan, PlanProblem

ASKS = 300
"""Folders and restore points that EM is asked about for one plan. A plan of thousands of machines is made soon."""

PATHS_TOLD = 20
"""Paths of one selection that are told by name; of a long list that is of another machine, the rest is counted."""


class Index(Protocol):
    """EM's catalogue of indexed guests. EmError when it cannot be asked."""

    async def machines(self) -> frozenset[str]:
        """The names of the machines in it."""
        ...

    async def holds(self, point: RestorePoint) -> bool:
        """Whether it has that restore point."""
        ...

    async def listing(self, point: RestorePoint, folder: GuestPath | None) -> Listing | None:
        """The names in a folder, None for the one above all volumes; None when nothing is known of it."""
        ...


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a folder, as they are and as a guest of Windows compares them: a list of many paths asks often."""

    exact: frozenset[str]
    folded: frozenset[str]


@dataclass(slots=True)
class _Asking:
    """What was asked so far, for one plan."""

    index: Index
    left: int = ASKS
    folders: dict[tuple[str, tuple[str, ...] | None], Names | None] = field(default_factory=dict)

    async def names(self, point: RestorePoint, folder: GuestPath | None) -> Names | None:
        """The names in a folder; None when nothing is known of it."""
        key = point.uid, None if folder is None else folder.key
        if key not in self.folders:
            if self.left <= 0:
                return None
            self.left -= 1
            listed = await self.index.listing(point, folder)
            self.folders[key] = None if listed is None else Names(frozenset(listed), frozenset(map(fold, listed)))
        return self.folders[key]


async def with_index_warnings(plan: Plan, index: Index) -> Plan:
    """`plan`, with a warning for each path that the index of its restore point does not have. A catalogue that cannot
    be asked is no obstacle: then there are no warnings, or no more."""
    warnings = dict[PlanProblem, None]()
    asking = _Asking(index)
    try:
        indexed = {name.casefold() for name in await index.machines()}
        for group in plan.groups:
            if asking.left <= 0:
                break
            if group.point.kind is PointKind.VM and group.vm.casefold() in indexed:
                warnings.update(dict.fromkeys(await _missing(asking, group)))
    except EmError:
        pass
    return replace(plan, warnings=(*plan.warnings, *warnings))


async def _missing(asking: _Asking, group: MountGroup) -> list[PlanProblem]:
    asking.left -= 1
    if not await asking.index.holds(group.point):
        return []
    when = f"{group.vm}, {group.point.created:%Y-%m-%d %H:%M:%S} UTC"
    found = []
    for selection in group.selections:
        lacking = [path for path in selection.paths if await _lacks(asking, group.point, path)]
        texts = [f"{path} is" for path in lacking[:PATHS_TOLD]]
        if len(lacking) > PATHS_TOLD:
            texts.append(f"and {len(lacking) - PATHS_TOLD:,} more paths are")
        said = f"not in the index of that point ({when}); check the spelling and the time"
        found += [PlanProblem(selection.entry, "paths", f"{text} {said}") for text in texts]
    return found


async def _lacks(asking: _Asking, point: RestorePoint, path: GuestPath) -> bool:
    """Whether it is sure that the index has no such path. The folder right above is asked first, since most paths are
    there; then from the volume down, for the first folder that lacks a name."""
    folders = _above(path)
    for folder, name in (*folders[-1:], *folders[:-1]):
        listed = await asking.names(point, folder)
        if listed is None:
            if folder is folders[-1][0]:
                continue
            return False
        if name not in listed.exact and (path.linux or fold(name) not in listed.folded):
            return True
        if folder is folders[-1][0]:
            return False
    return False


def _above(path: GuestPath) -> list[tuple[GuestPath | None, str]]:
    """Every folder above a path, the top first, with the name that it must have."""
    if path.volume == "*":
        return []
    steps: list[tuple[GuestPath | None, str]] = [] if path.linux else [(None, path.volume)]
    for length, name in enumerate(path.parts):
        steps.append((GuestPath(path.volume, path.parts[:length]), name))
    return steps
