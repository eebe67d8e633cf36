"""Which restore points an entry of a job means: what EM is asked, and which of its answers are taken."""

import fnmatch
from collections.abc import Mapping, Sequence

from orchestrator.core.catalog import Question, RestorePoint
from orchestrator.core.entry import Restore
from orchestrator.core.job import Job
from orchestrator.core.plan import PlanProblem

Catalog = Mapping[Question, Sequence[RestorePoint]]
"""EM's answers, by the question asked."""


def question_of(entry: Restore) -> Question:
    """What to ask EM for one entry. A glob asks for every machine: EM's filters know no wildcards."""
    return Question(
        vm=None if entry.is_glob or entry.restore_point else entry.vm,
        uid=entry.restore_point,
        until=entry.as_of,
        backup_server=entry.backup_server,
        kind=entry.source,
    )


def questions(job: Job) -> list[Question]:
    """Every distinct question of a job, in the job's order."""
    return list(dict.fromkeys(map(question_of, job.restore)))


def points_of(
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
