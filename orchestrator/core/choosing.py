"""Which restore points an entry of a job means: what EM is asked, and which of its answers are taken."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.catalog import PointKind, Question, RestorePoint
from orchestrator.core.entry import Restore
from orchestrator.core.inventory import Inventory
from orchestrator.core.job import Job
from orchestrator.core.plan import PlanProblem
from orchestrator.core.sizes import age_text
from orchestrator.core.twins import machines_in, which_one
from orchestrator.core.which import KINDS, FallBack, Pick, Which, is_glob

OLDER_TRIED = 3
"""Older restore points that are tried at most. Each takes as long as a mount may take to fail."""

NAMES_SHOWN = 5
"""Names of a list that are shown when several of them stand for nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A restore point to mount, and those to mount instead when it cannot be, in that order."""

    point: RestorePoint
    others: tuple[RestorePoint, ...] = ()


def questions_of(entry: Which) -> Iterator[Question]:
    """What to ask EM for one entry. A glob asks for every machine: EM's filters know no wildcards."""
    if entry.restore_point is not None:
        yield Question(uid=entry.restore_point, backup_server=entry.backup_server, kind=entry.source)
        return
    for kind in entry.kinds:
        for name in entry.names:
            yield Question(
                vm=None if is_glob(name) else name,
                until=entry.as_of,
                backup_server=entry.backup_server,
                kind=kind,
                since=entry.not_before,
                backup_job=None if kind is PointKind.REPLICA else entry.backup_job,
            )


def questions(job: Job) -> list[Question]:
    """Every distinct question of a job, in the job's order."""
    return list(dict.fromkeys(question for entry in job.restore for question in questions_of(entry)))


def choices(
    number: int, entry: Restore, inventory: Inventory, now: datetime, problems: list[PlanProblem]
) -> list[Choice]:
    """The restore points that one entry means, by machine. What cannot be chosen becomes one of `problems`."""
    if entry.restore_point is not None:
        return _by_id(number, entry, inventory, problems)
    nothing: list[str] = []
    machines: dict[str, list[RestorePoint]] = {}
    for name in entry.names:
        found = _by_machine(entry, _named(entry, name, inventory))
        if not found:
            nothing.append(name)
        elif len(found) > 1 and not is_glob(name):
            spelled = " and ".join(map(repr, sorted(found)))
            problems.append(PlanProblem(number, _key(entry), f"{name!r} is {spelled}; write the one you mean"))
        else:
            machines |= found
    if nothing:
        problems.append(PlanProblem(number, _key(entry), nothing_found(entry, nothing)))
    return [choice for vm in sorted(machines) for choice in _of(number, entry, vm, machines[vm], now, problems)]


def points_of(entry: Which, inventory: Inventory, pick: Pick) -> tuple[list[RestorePoint], list[str]]:
    """All that the names of an entry stand for, also machines of one name; `pick` counts for each machine. And the
    names that stand for nothing."""
    found: dict[str, RestorePoint] = {}
    missing = []
    for name in entry.names:
        named = _named(entry, name, inventory)
        if not named:
            missing.append(name)
        for points in _by_machine(entry, named).values():
            for machine in machines_in(points):
                ordered = sorted(machine, key=lambda point: (point.created, point.uid), reverse=True)
                kept = {Pick.LATEST: ordered[:1], Pick.OLDEST: ordered[-1:], Pick.ALL: ordered}[pick]
                found |= {point.uid: point for point in kept}
    return list(found.values()), missing


def _key(entry: Which) -> str:
    return next((key for key in ("vms_from", "vms") if getattr(entry, key) is not None), "vm")


def _named(entry: Which, name: str, inventory: Inventory) -> list[RestorePoint]:
    """The points that a name or glob stands for, of every source that the entry may turn to. A machine whose name only
    looks like a glob is found by it."""
    found: list[RestorePoint] = []
    for kind in entry.kinds:
        spelled = [point for point in inventory.named(name, kind) if _is_allowed(entry, point)]
        if not spelled and is_glob(name):
            spelled = [point for point in inventory.matching(name, kind) if _is_allowed(entry, point)]
        found += spelled
    return found


def _is_allowed(entry: Which, point: RestorePoint) -> bool:
    """Whether a point is one of those to which the entry restricts itself, but for its age."""
    where = entry.backup_server is None or point.backup_server.casefold() in (entry.backup_server.casefold(), "")
    began = entry.not_before is None or point.created >= entry.not_before
    ended = entry.last_moment is None or point.created <= entry.last_moment
    return where and began and ended and _is_in_hierarchy(entry, point) and _is_of_job(entry, point)


def _is_in_hierarchy(entry: Which, point: RestorePoint) -> bool:
    """A machine's own reference, or that of its host, whose id stands before the dot of every reference to what it
    manages. EM tells no reference of replicas and agents."""
    if entry.hierarchy is None or point.kind is not PointKind.VM:
        return True
    wanted, has = entry.hierarchy.casefold(), point.hierarchy.casefold()
    host = has.rpartition(":")[2].partition(".")[0]
    return has == wanted or (bool(host) and wanted == f"urn:veeam:hierarchyroot:{host}")


def _is_of_job(entry: Which, point: RestorePoint) -> bool:
    if entry.backup_job is None or point.kind is PointKind.REPLICA:
        return True
    return point.backup_job.casefold() == entry.backup_job.casefold()


def _by_id(number: int, entry: Restore, inventory: Inventory, problems: list[PlanProblem]) -> list[Choice]:
    """The point asked for by id, unless the entry also names another machine than the point's."""
    point = inventory.of_id(entry.restore_point or "")
    if point is None or not _is_allowed(entry, point):
        text = f"EM has no restore point {entry.restore_point}; ids come from EM, see `orchestrator points`"
        problems.append(PlanProblem(number, "restore_point", text))
        return []
    if entry.vm is not None and not _named(entry, entry.vm, Inventory([point])):
        text = f"restore point {point.uid} is of {point.vm!r}, not of {entry.vm!r}; remove one of the two"
        problems.append(PlanProblem(number, "vm", text))
        return []
    return [Choice(point)]


def _by_machine(entry: Which, found: Iterable[RestorePoint]) -> dict[str, list[RestorePoint]]:
    """Points by the name of their machine. Those of another source belong to the machine of that name, in any letter
    case."""
    machines: dict[str, list[RestorePoint]] = {}
    folded: dict[str, str] = {}
    for point in sorted(found, key=lambda point: point.kind is not entry.source):
        vm = point.vm
        if point.kind is not entry.source and vm not in machines:
            vm = folded.get(vm.casefold(), vm)
        machines.setdefault(vm, []).append(point)
        folded.setdefault(vm.casefold(), vm)
    return machines


def _of(
    number: int,
    entry: Restore,
    vm: str,
    found: Sequence[RestorePoint],
    now: datetime,
    problems: list[PlanProblem],
) -> list[Choice]:
    """What is taken of one machine. A name that stands for two machines is not guessed at."""
    sources: dict[PointKind, list[RestorePoint]] = {}
    for kind in entry.kinds:
        mine = [point for point in found if point.kind is kind]
        twins = machines_in(mine)
        if len(twins) > 1:
            problems.append(PlanProblem(number, _key(entry), which_one(vm, twins)))
            return []
        sources[kind] = sorted(mine, key=lambda point: (point.created, point.uid), reverse=True)
    at, limit = entry.as_of or now, entry.oldest_allowed
    young = {
        kind: [point for point in points if limit is None or at - point.created <= limit]
        for kind, points in sources.items()
    }
    chosen = _picked(entry, young)
    if not chosen:
        newest = max(found, key=lambda point: point.created)
        problems.append(PlanProblem(number, "max_age", _too_old(entry, vm, newest, at)))
    return chosen


def _picked(entry: Which, sources: dict[PointKind, list[RestorePoint]]) -> list[Choice]:
    own = sources[entry.source]
    if entry.point is Pick.ALL and own:
        return [Choice(point, tuple(_others(entry, sources, point))) for point in own]
    first = own[-1:] if entry.point is Pick.OLDEST else own[:1]
    order = [*first, *_others(entry, sources, None)]
    return [Choice(order[0], tuple(order[1:]))] if order else []


def _others(
    entry: Which, sources: dict[PointKind, list[RestorePoint]], of: RestorePoint | None
) -> Iterator[RestorePoint]:
    """The fall-back order of an entry or, with `of`, of that one of its points: nothing newer then."""
    for step in entry.fall_back:
        if step is FallBack.OLDER:
            yield from () if entry.point is Pick.OLDEST else sources[entry.source][1 : 1 + OLDER_TRIED]
            continue
        points = [point for point in sources[KINDS[step]] if of is None or point.created <= of.created]
        yield from points[-1:] if entry.point is Pick.OLDEST else points[:1]


def nothing_found(entry: Which, names: Sequence[str]) -> str:
    """That some of an entry's names stand for nothing, and what that may mean."""
    if len(names) == 1:
        glob = is_glob(names[0])
        what = f"no machine matches {names[0]!r}" if glob else f"there is no machine {names[0]!r}"
    else:
        shown = ", ".join(map(repr, names[:NAMES_SHOWN]))
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        what = f"{len(names)} of {len(entry.names)} names stand for no machine ({shown}{more})"
    when = f" at or after {entry.not_before.isoformat()}" if entry.not_before else ""
    when += " and" if when and entry.as_of else ""
    when += f" at or before {entry.as_of.isoformat()}" if entry.as_of else ""
    where = f" on backup server {entry.backup_server!r}" if entry.backup_server else ""
    where += f" in the backup of job {entry.backup_job!r}" if entry.backup_job else ""
    where += f" of {entry.hierarchy}" if entry.hierarchy else ""
    return (
        f"{what} with a restore point{when}{where}; check the spelling and the time. A restore point younger than 15 "
        "minutes may not have been collected by EM yet (refresh = true), and the account's restore scope may not cover "
        "the machine"
    )


def _too_old(entry: Which, vm: str, newest: RestorePoint, at: datetime) -> str:
    when = f"at {at.isoformat(timespec='seconds')}" if entry.as_of else "now"
    return (
        f"the newest restore point of {vm!r} is of {newest.created.isoformat(timespec='seconds')} and {when} "
        f"{age_text(at - newest.created)} old, max_age allows {entry.max_age}; look at its backup job, or raise max_age"
    )
