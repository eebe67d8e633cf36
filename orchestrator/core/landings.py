"""Which paths of one restore point would land at one place, as far as their names tell.

Where every volume has its own folder no two paths can. Rules of the job (strip, drives, a table of destinations) may
send two there. What only the files tell is found while they are walked, and becomes an outcome.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.core.claims import Claim, claims, volumes_of
from orchestrator.core.layout import PLAIN
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import MountGroup, PlanProblem, Selection

Doubled = Mapping[tuple[str, Selection], PlanProblem]
"""(group, selection) and what is wrong with it."""


def doubled(groups: Iterable[MountGroup]) -> Doubled:
    """The selections of entries with a path that lands where another path of the same restore point does. An entry has
    one problem however many machines it stands for."""
    by_point: dict[tuple[str, str], list[MountGroup]] = {}
    for group in groups:
        by_point.setdefault((group.point.uid, str(group.os)), []).append(group)
    found: dict[tuple[str, Selection], PlanProblem] = {}
    by_entry: dict[int, PlanProblem] = {}
    for rivals in by_point.values():
        if all(one.layout == PLAIN for group in rivals for one in group.selections):
            continue
        told = {one.entry: PlanProblem(one.entry, "to", text) for one, text in _of_one_point(rivals)}
        for group in rivals:
            for one in group.selections:
                if one.entry in told:
                    found[group.id, one] = by_entry.setdefault(one.entry, told[one.entry])
    return found


def _of_one_point(groups: Sequence[MountGroup]) -> Iterator[tuple[Selection, str]]:
    """What would write where something else does: in one group only at the very same place, since below it the files
    tell; of two groups, which run side by side, anywhere below each other."""
    landed: dict[Claim, tuple[GuestPath, str]] = {}
    for group, selection, path, claim in _landings(groups):
        other, owner = landed.setdefault(claim, (path, group.id))
        if other.key != path.key or owner != group.id:
            yield selection, _told(selection, other, path)
    for group, selection, path, claim in _landings(groups) if len(groups) > 1 else ():
        for length in range(len(claim)):
            other, owner = landed.get(claim[:length], (path, group.id))
            if owner != group.id:
                yield selection, _told(selection, other, path)


def _landings(groups: Sequence[MountGroup]) -> Iterator[tuple[MountGroup, Selection, GuestPath, Claim]]:
    for group in groups:
        for one in group.selections:
            paths = tuple(_named(one))
            for path, claim in zip(paths, claims(one.destination, paths, one.layout), strict=True):
                yield group, one, path, claim


def _named(selection: Selection) -> Iterator[GuestPath]:
    """The paths of a selection; for `*` also the drives that the job names."""
    for path in selection.paths:
        yield from volumes_of(path, selection.layout)
        if path.volume == "*":
            yield from (GuestPath(drive) for drive, _ in selection.layout.drives)


def _told(selection: Selection, other: GuestPath, path: GuestPath) -> str:
    where = "/".join((selection.destination.rstrip("/"), *selection.layout.landing(path)))
    return f"{other} and {path} would both write to {where!r}; give each its own folder"
