"""A job resolved against the catalogue.

`plan` is a pure function: the same job, catalogue and history give the same plan, so that a plan can be shown,
kept and compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from orchestrator.core.catalog import GuestOs
from orchestrator.core.choosing import Choice, choices
from orchestrator.core.claims import Claim, claims, rivals, root_of, touching
from orchestrator.core.in_place import doubly_asked
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.landings import doubled
from orchestrator.core.paths import GuestPath, components, fold
from orchestrator.core.plan import MountGroup, Plan, PlanProblem, Selection, dropping
from orchestrator.core.rates import rate_of
from orchestrator.core.roads import Road
from orchestrator.core.selecting import selections


def plan(
    job: Job,
    inventory: Inventory,
    *,
    run: str,
    allow: Sequence[str],
    now: datetime,
    history: Mapping[str, float] | None = None,
    guests: Sequence[str] = (),
) -> Plan:
    """Resolve `job` at the instant `now`. `allow` are the roots that destinations must lie below, `guests` the machines
    that EM may restore into; `history` maps a machine to the seconds its last restore took, and puts long groups
    first."""
    problems: list[PlanProblem] = []
    wanted: dict[_Unit, list[tuple[Choice, Selection]]] = {}
    for number, entry in enumerate(job.restore, 1):
        chosen = {choice.point: choice for choice in choices(number, entry, inventory, now, problems)}
        for point, selection in selections(job, number, entry, chosen, run, allow, guests, problems):
            unit = _unit(chosen[point], entry.os, selection, wanted)
            wanted.setdefault(unit, []).append((chosen[point], selection))
    groups = [_group(found, unit, history or {}) for unit, found in wanted.items()]
    copied = [group for group in groups if group.road is not Road.ORIGINAL]
    clashes = {**doubled(copied), **_clashes(copied), **doubly_asked(groups)}
    problems.extend(clashes.values())
    groups = dropping(groups, lambda group, selection: (group.id, selection) in clashes)
    groups.sort(key=lambda group: (-group.weight, group.vm, group.point.uid, group.id))
    numbered = tuple(replace(group, id=f"g{number:04d}") for number, group in enumerate(groups, 1))
    return Plan(run, job.name, numbered, tuple(dict.fromkeys(problems)), bandwidth=rate_of(job.bandwidth))


_Unit = tuple[str, GuestOs | None, int]
"""A mount group to be: restore points, guest system, and a number that counts up where files go to two places."""


def _unit(
    choice: Choice,
    os: GuestOs | None,
    selection: Selection,
    wanted: Mapping[_Unit, Sequence[tuple[Choice, Selection]]],
) -> _Unit:
    """The first group that does not take the same files elsewhere: what becomes of a file is told once per group."""
    points = " else ".join(point.uid for point in (choice.point, *choice.others))
    units = ((points, os, number) for number in range(len(wanted) + 1))
    return next(one for one in units if not any(_torn(selection, other) for _, other in wanted.get(one, ())))


def _torn(one: Selection, other: Selection) -> bool:
    """Whether two selections cannot share a mount: they take different roads, or may send a file to two places."""
    if one.road is not other.road:
        return True
    if components(one.destination) == components(other.destination) and one.layout == other.layout:
        return False
    return _lands_elsewhere(one, other) or _lands_elsewhere(other, one)


def _lands_elsewhere(one: Selection, other: Selection) -> bool:
    """Whether a path of `other` that a path of `one` holds lands elsewhere than below that one."""
    above = {path.key: path for path in one.paths}
    for path, claim in zip(other.paths, _claims(other), strict=False):
        key = path.key
        for length in range(len(key) + 1):
            holding = above.get(key[:length])
            if holding is not None and claim != _image(one, holding, path):
                return True
    return False


def _image(selection: Selection, holding: GuestPath, path: GuestPath) -> Claim:
    """Where `path` lands as a part of `holding`, which is a path of the selection."""
    if holding.volume == "*":
        return claims(selection.destination, [path], selection.layout)[0]
    [claim] = claims(selection.destination, [holding], selection.layout)
    return (*claim, *map(fold, path.parts[len(holding.parts) :]))


def _group(found: Sequence[tuple[Choice, Selection]], unit: _Unit, history: Mapping[str, float]) -> MountGroup:
    choice, (points, os, number) = found[0][0], unit
    selections: list[Selection] = []
    for _, selection in found:
        stage = 1 + max((other.stage for other in selections if _overlap(selection, other)), default=-1)
        selections.append(replace(selection, stage=stage))
    weight = history.get(choice.point.vm, 0.0) or sum(_breadth(path) for one in selections for path in one.paths)
    return MountGroup(f"{points} {os} {number}", choice.point, os, tuple(selections), weight, choice.others)


def _claims(selection: Selection) -> tuple[Claim, ...]:
    return claims(selection.destination, selection.paths, selection.layout)


def _overlap(one: Selection, other: Selection) -> bool:
    """Whether two selections may write the same file, so that one has to wait for the other."""
    return touching(_claims(one), _claims(other))


def _breadth(path: GuestPath) -> float:
    """A rough size of what a path asks for, when nothing is known about the machine."""
    return 100.0 if path.volume == "*" else 10.0 if not path.parts else 1.0


def _clashes(groups: Sequence[MountGroup]) -> dict[tuple[str, Selection], PlanProblem]:
    """Selections of different restore points that would write the same files: the result would depend on luck.

    A job entry has one problem however many machines it stands for.
    """
    owners = {group.id: group.id.rpartition(" ")[0] for group in groups}
    vms = {owners[group.id]: group.vm for group in groups}
    wanted = [(group, one, root_of(one.destination)) for group in groups for one in group.selections]
    # Where no destination meets one of another restore point, none of a hundred thousand paths does.
    near = rivals((root, owners[group.id]) for group, _, root in wanted)
    claimed = [(group, one, _claims(one)) for group, one, root in wanted if (root, owners[group.id]) in near]
    found = rivals((claim, owners[group.id]) for group, _, made in claimed for claim in made)
    problems: dict[tuple[str, Selection], PlanProblem] = {}
    by_entry: dict[int, PlanProblem] = {}
    for group, one, made in claimed:
        owner = owners[group.id]
        other = next((vms[found[claim, owner]] for claim in made if (claim, owner) in found), None)
        if other is not None:
            problem = PlanProblem(one.entry, "to", _both_write(group.vm, other, one.destination))
            problems[group.id, one] = by_entry.setdefault(one.entry, problem)
    return problems


def _both_write(one: str, other: str, destination: str) -> str:
    if one == other:
        both = f"two restore points of {one!r} would write below {destination!r}"
        return f"{both}; put {{point}} in to, or use another folder"
    first, second = sorted((one, other))
    both = f"{first!r} and {second!r} would both write below {destination!r}"
    return f"{both}; put {{vm}} or {{point}} in to, or use another folder"
