"""A job resolved against the catalogue: an ordered list of mount groups, one per restore point.

`plan` is a pure function: the same job, catalogue and history give the same plan, so that a plan can be shown,
kept and compared.
"""

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from orchestrator.core.catalog import GuestOs, Question, RestorePoint
from orchestrator.core.claims import Claim, claims, meet, rivals
from orchestrator.core.fidelity import BASIC, Wishes
from orchestrator.core.job import Compare, Conflict, Job, Restore, Verify
from orchestrator.core.naming import RENAME_PATTERN
from orchestrator.core.paths import GuestPath, PathRefused, components, expand_destination, lies_below
from orchestrator.core.rates import Rate, rate_of


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take out of one mount and where to put it. `stage` orders selections that overlap."""

    paths: tuple[GuestPath, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    destination: str
    on_conflict: Conflict
    entry: int
    """The job entry it comes from, counted from 1."""
    stage: int = 0
    wishes: Wishes = BASIC
    compare: Compare = Compare.TIMES
    rename_pattern: str = RENAME_PATTERN


@dataclass(frozen=True, slots=True)
class MountGroup:
    """Everything wanted of one restore point: one mount, one unit of work. Describable by values alone."""

    id: str
    point: RestorePoint
    os: GuestOs | None
    selections: tuple[Selection, ...]
    weight: float = 0.0
    """Expected length in seconds or, without history, in volumes and folders; only the order counts."""

    @property
    def vm(self) -> str:
        return self.point.vm

    @property
    def windows(self) -> bool:
        return self.os is not GuestOs.LINUX


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """Why one job entry cannot be planned: the key, and a message that says what to do."""

    entry: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"restore[{self.entry}].{self.key}: {self.message}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. `problems` are entries that it will not do. `scratch` is the folder in which a drill puts its
    copies, and which it removes at its end; empty when the run is no drill."""

    run: str
    job: str
    groups: tuple[MountGroup, ...]
    problems: tuple[PlanProblem, ...] = field(default=())
    scratch: str = ""
    verify: Verify = Verify.STREAM
    bandwidth: Rate = None
    """Most bytes a second that the run reads."""

    @property
    def destinations(self) -> tuple[str, ...]:
        return tuple(sorted({selection.destination for group in self.groups for selection in group.selections}))


Catalog = Mapping[Question, Sequence[RestorePoint]]
"""EM's answers, by the question asked."""


def question_of(entry: Restore) -> Question:
    """What to ask EM for one entry. A glob asks for every machine: EM's filters know no wildcards."""
    return Question(
        vm=None if entry.is_glob or entry.restore_point else entry.vm,
        uid=entry.restore_point,
        until=entry.as_of,
        backup_server=entry.backup_server,
    )


def questions(job: Job) -> list[Question]:
    """Every distinct question of a job, in the job's order."""
    return list(dict.fromkeys(map(question_of, job.restore)))


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
        points = _points(number, entry, catalog.get(question_of(entry), ()), problems)
        for point in points:
            selection = _selection(job, number, entry, point, run, allow, problems)
            if selection is not None:
                wanted.setdefault(_unit(point, entry.os, selection, wanted), []).append((point, selection))
    groups = [_group(found, unit, history or {}) for unit, found in wanted.items()]
    clashes = _clashes(groups)
    problems.extend(clashes.values())
    groups = _drop(groups, lambda group, selection: (group.id, selection) in clashes)
    groups.sort(key=lambda group: (-group.weight, group.vm, group.point.uid, group.id))
    numbered = tuple(replace(group, id=f"g{number:04d}") for number, group in enumerate(groups, 1))
    return Plan(run, job.name, numbered, tuple(dict.fromkeys(problems)), bandwidth=rate_of(job.bandwidth))


def _points(
    number: int, entry: Restore, found: Sequence[RestorePoint], problems: list[PlanProblem]
) -> list[RestorePoint]:
    """The restore points one entry means: one per machine, the newest at or before its instant."""
    found = [point for point in found if entry.as_of is None or point.created <= entry.as_of]
    if entry.restore_point is not None:
        if not found:
            problems.append(
                PlanProblem(number, "restore_point", f"EM has no restore point {entry.restore_point}; ids come from EM")
            )
        return _of_that_machine(number, entry, found[:1], problems)
    found = _named(entry, found)
    if not found:
        problems.append(PlanProblem(number, "vm", _nothing_found(entry)))
        return []
    return _newest(number, found, problems)


def _named(entry: Restore, found: Sequence[RestorePoint]) -> list[RestorePoint]:
    """The points of the machines that the entry's `vm` stands for; an exact name wins over another letter case."""
    name = (entry.vm or "").casefold()
    if entry.is_glob:
        return [point for point in found if fnmatch.fnmatchcase(point.vm.casefold(), name)]
    exact = [point for point in found if point.vm == entry.vm]
    return exact or [point for point in found if point.vm.casefold() == name]


def _of_that_machine(
    number: int, entry: Restore, found: Sequence[RestorePoint], problems: list[PlanProblem]
) -> list[RestorePoint]:
    """The point asked for by id, unless the entry also names another machine than the point's."""
    if entry.vm is None or _named(entry, found):
        return list(found)
    for point in found:
        text = f"restore point {point.uid} is of {point.vm!r}, not of {entry.vm!r}; remove one of the two"
        problems.append(PlanProblem(number, "vm", text))
    return []


def _nothing_found(entry: Restore) -> str:
    what = f"no machine matches {entry.vm!r}" if entry.is_glob else f"there is no machine {entry.vm!r}"
    when = f" with a restore point at or before {entry.as_of.isoformat()}" if entry.as_of else " with a restore point"
    where = f" on backup server {entry.backup_server!r}" if entry.backup_server else ""
    return (
        f"{what}{when}{where}; check the spelling and the time. A restore point younger than 15 minutes may not have "
        "been collected by EM yet, and the account's restore scope may not cover the machine"
    )


def _newest(number: int, found: Sequence[RestorePoint], problems: list[PlanProblem]) -> list[RestorePoint]:
    """One point per machine. A name that stands for machines of several backup servers is not guessed at."""
    by_name: dict[str, list[RestorePoint]] = {}
    for point in found:
        by_name.setdefault(point.vm, []).append(point)
    chosen = []
    for vm, points in sorted(by_name.items()):
        servers = sorted({point.backup_server for point in points})
        if len(servers) > 1:
            text = f"{vm!r} is on several backup servers ({', '.join(servers)}); set backup_server to the one you mean"
            problems.append(PlanProblem(number, "vm", text))
            continue
        chosen.append(max(points, key=lambda point: (point.created, point.uid)))
    return chosen


def _selection(
    job: Job,
    number: int,
    entry: Restore,
    point: RestorePoint,
    run: str,
    allow: Sequence[str],
    problems: list[PlanProblem],
) -> Selection | None:
    try:
        destination = expand_destination(job.destination(entry), vm=point.vm, run=run, created=point.created)
    except PathRefused as error:
        problems.append(PlanProblem(number, "to", str(error)))
        return None
    if not lies_below(destination, allow):
        text = f"{destination!r} does not lie below targets.allow ({', '.join(allow)}); change one of the two"
        problems.append(PlanProblem(number, "to", text))
        return None
    return Selection(
        paths=_without_nested(entry.guest_paths),
        include=tuple(entry.include),
        exclude=tuple(entry.exclude),
        destination=destination,
        on_conflict=job.conflict(entry),
        entry=number,
        wishes=job.wishes(entry),
        compare=job.comparison(entry),
        rename_pattern=job.renaming(entry),
    )


def _without_nested(paths: Iterable[GuestPath]) -> tuple[GuestPath, ...]:
    """The paths without those that lie inside another one of them: nothing is walked twice."""
    kept: list[GuestPath] = []
    for path in paths:
        if not any(other.holds(path) for other in kept):
            kept = [other for other in kept if not path.holds(other)]
            kept.append(path)
    return tuple(kept)


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
    apart = components(one.destination) != components(other.destination)
    return apart and any(a.holds(b) or b.holds(a) for a in one.paths for b in other.paths)


def _group(found: Sequence[tuple[RestorePoint, Selection]], unit: _Unit, history: Mapping[str, float]) -> MountGroup:
    point, (_, os, number) = found[0][0], unit
    selections: list[Selection] = []
    for _, selection in found:
        stage = 1 + max((other.stage for other in selections if _overlap(selection, other)), default=-1)
        selections.append(replace(selection, stage=stage))
    weight = history.get(point.vm, 0.0) or sum(_breadth(path) for one in selections for path in one.paths)
    return MountGroup(f"{point.uid} {os} {number}", point, os, tuple(selections), weight)


def _claims(selection: Selection) -> tuple[Claim, ...]:
    return claims(selection.destination, selection.paths)


def _overlap(one: Selection, other: Selection) -> bool:
    """Whether two selections may write the same file, so that one has to wait for the other."""
    return any(meet(a, b) for a in _claims(one) for b in _claims(other))


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


def _drop(groups: Iterable[MountGroup], bad: Callable[[MountGroup, Selection], bool]) -> list[MountGroup]:
    """The groups without their bad selections, and without groups that have none left."""
    kept = [
        replace(group, selections=tuple(one for one in group.selections if not bad(group, one))) for group in groups
    ]
    return [group for group in kept if group.selections]


def without(plan: Plan, destinations: Mapping[str, str], backup_servers: Mapping[str, str]) -> Plan:
    """`plan` without what cannot be used; both map a name to the message that says why it cannot."""
    problems = list(plan.problems)
    for group in plan.groups:
        for one in group.selections:
            if one.destination in destinations:
                problems.append(PlanProblem(one.entry, "to", destinations[one.destination]))
            if group.point.backup_server in backup_servers:
                problems.append(PlanProblem(one.entry, "vm", backup_servers[group.point.backup_server]))

    def bad(group: MountGroup, one: Selection) -> bool:
        return one.destination in destinations or group.point.backup_server in backup_servers

    return replace(plan, groups=tuple(_drop(plan.groups, bad)), problems=tuple(dict.fromkeys(problems)))


def refusing(plan: Plan, wrong: Callable[[Wishes], Sequence[str]]) -> Plan:
    """`plan` without what wishes for something that cannot be had here; `wrong` says why, in plain words."""
    told = {wishes: wrong(wishes) for wishes in {one.wishes for group in plan.groups for one in group.selections}}
    problems = [
        PlanProblem(one.entry, "owner", text)
        for group in plan.groups
        for one in group.selections
        for text in told[one.wishes]
    ]
    groups = tuple(_drop(plan.groups, lambda _, one: bool(told[one.wishes])))
    return replace(plan, groups=groups, problems=tuple(dict.fromkeys((*plan.problems, *problems))))


def comparing(plan: Plan, compare: Compare) -> Plan:
    """`plan`, with all of it compared in one way."""

    def compared(group: MountGroup) -> MountGroup:
        return replace(group, selections=tuple(replace(one, compare=compare) for one in group.selections))

    return replace(plan, groups=tuple(map(compared, plan.groups)))


_CODEC = TypeAdapter(Plan)


def plan_to_json(plan: Plan) -> str:
    """The plan as JSON; `plan_from_json` gives the same plan back."""
    return _CODEC.dump_json(plan).decode()


def plan_from_json(text: str) -> Plan:
    """The plan in `text`; ValueError when it is none."""
    return _CODEC.validate_json(text)
