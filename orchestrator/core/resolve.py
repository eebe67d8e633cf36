"""A job resolved against the catalogue.

`plan` is a pure function: the same job, catalogue and history give the same plan, so that a plan can be shown,
kept and compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.core.catalog import GuestOs, RestorePoint
from orchestrator.core.choosing import Catalog, points_of, question_of
from orchestrator.core.claims import Claim, claims, rivals, touching
from orchestrator.core.job import Job
from orchestrator.core.landings import doubled
from orchestrator.core.paths import GuestPath, components
from orchestrator.core.plan import MountGroup, Plan, PlanProblem, Selection, dropping
from orchestrator.core.rates import rate_of
from orchestrator.core.selecting import selections


def plan(
    job: Job,
    catalog: Catalog,
    *,
    run: str,
    allow: Sequence[str],
    history: Mapping[str, float] | None = None,
) -> Plan:
    """Resolve `job`. `allow` are the roots that destinations must lie below; `history` maps a machine to the
    seconds its last restore took, and puts long groups first."""
    problems: list[PlanProblem] = []
    wanted: dict[_Unit, list[tuple[RestorePoint, Selection]]] = {}
    for number, entry in enumerate(job.restore, 1):
        points = points_of(number, entry, catalog.get(question_of(entry), ()), problems)
        for point, selection in selections(job, number, entry, points, run, allow, problems):
            wanted.setdefault(_unit(point, entry.os, selection, wanted), []).append((point, selection))
    groups = [_group(found, unit, history or {}) for unit, found in wanted.items()]
    clashes = {**doubled(groups), **_clashes(groups)}
    problems.extend(clashes.values())
    groups = dropping(groups, lambda group, selection: (group.id, selection) in clashes)
    groups.sort(key=lambda group: (-group.weight, group.vm, group.point.uid, group.id))
    numbered = tuple(replace(group, id=f"g{number:04d}") for number, group in enumerate(groups, 1))
    return Plan(run, job.name, numbered, tuple(dict.fromkeys(problems)), bandwidth=rate_of(job.bandwidth))


_Unit = tuple[str, GuestOs | None, int]
"""A mount group to be: restore point, guest system, and a number that counts up where files go to two places."""


def _unit(
    point: RestorePoint,
    os: GuestOs | None,
    selection: Selection,
    wanted: Mapping[_Unit, Sequence[tuple[RestorePoint, Selection]]],
) -> _Unit:
    """The first group that does not take the same files elsewhere: what becomes of a file is told once per group."""
    numbers = range(len(wanted) + 1)
    units = ((point.uid, os, number) for number in numbers)
    return next(one for one in units if not any(_torn(selection, other) for _, other in wanted.get(one, ())))


def _torn(one: Selection, other: Selection) -> bool:
    """Whether two selections may send the same guest file to two places."""
    apart = components(one.destination) != components(other.destination) or one.layout != other.layout
    return apart and touching((path.key for path in one.paths), (path.key for path in other.paths))


def _group(found: Sequence[tuple[RestorePoint, Selection]], unit: _Unit, history: Mapping[str, float]) -> MountGroup:
    point, (_, os, number) = found[0][0], unit
    selections: list[Selection] = []
    for _, selection in found:
        stage = 1 + max((other.stage for other in selections if _overlap(selection, other)), default=-1)
        selections.append(replace(selection, stage=stage))
    weight = history.get(point.vm, 0.0) or sum(_breadth(path) for one in selections for path in one.paths)
    return MountGroup(f"{point.uid} {os} {number}", point, os, tuple(selections), weight)


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
    owners = {group.id: f"{group.point.uid} {group.os}" for group in groups}
    vms = {owners[group.id]: group.vm for group in groups}
    found = rivals((claim, owners[group.id]) for group in groups for one in group.selections for claim in _claims(one))
    problems: dict[tuple[str, Selection], PlanProblem] = {}
    by_entry: dict[int, PlanProblem] = {}
    for group in groups:
        for one in group.selections:
            owner = owners[group.id]
            other = next((vms[found[claim, owner]] for claim in _claims(one) if (claim, owner) in found), None)
            if other is not None:
                first, second = sorted((group.vm, other))
                both = f"{first!r} and {second!r} would both write below {one.destination!r}"
                problem = PlanProblem(one.entry, "to", f"{both}; put {{vm}} or {{point}} in to, or use another folder")
                problems[group.id, one] = by_entry.setdefault(one.entry, problem)
    return problems
