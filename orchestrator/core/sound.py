"""What every plan that this program has frozen fulfils.

A hash proves that a document is whole, not who has made it: anybody can compute one. So a document may say no more than
a job can.
"""

import re
from collections.abc import Iterator, Sequence

from orchestrator.core.layout import drives_of
from orchestrator.core.naming import check_pattern
from orchestrator.core.paths import GuestPath, PathRefused, components, parse_guest_path, target_path
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.select import Selector

JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""What a job may be called; runs, and folders of runs, are called after it."""


def unsound(plan: Plan, looked_at: Sequence[str]) -> str:
    """What in `plan` no job gives, in plain words; empty when it is sound. `looked_at` are the destinations of which
    the document tells what stood there."""
    return next(_faults(plan, looked_at), "")


def _faults(plan: Plan, looked_at: Sequence[str]) -> Iterator[str]:
    if not re.fullmatch(JOB_NAME, plan.job):
        yield f"{plan.job!r} is no name of a job"
    if not re.fullmatch(rf"{re.escape(plan.job)}-\d{{8}}T\d{{6}}Z", plan.run, re.ASCII):
        yield f"{plan.run!r} is no run of {plan.job}"
    if plan.scratch or plan.problems:
        yield "only a plan without problems, and no drill, is frozen"
    if sorted(looked_at) != list(plan.destinations):
        yield "what stood at its destinations is not what it tells"
    names = [group.id for group in plan.groups]
    if not names or len(set(names)) != len(names):
        yield "it has no mount groups, or one of them twice"
    for group in plan.groups:
        yield from _faults_of(group)


def _faults_of(group: MountGroup) -> Iterator[str]:
    if not re.fullmatch(r"g\d{4,}", group.id, re.ASCII) or not group.selections or group.instead_of:
        yield f"{group.id!r} is no mount group of a plan"
    if len({one.road for one in group.selections}) > 1:
        yield f"{group.id} takes two roads"
    for one in group.selections:
        try:
            _check(one)
        except ValueError as error:  # PathRefused is one
            yield f"{group.id}: {error}"


def _check(selection: Selection) -> None:
    """ValueError for what no entry of a job can say."""
    if not selection.paths or not components(selection.destination) or selection.entry < 1 or selection.stage < 0:
        raise ValueError("it lacks paths, a destination or its entry")
    for path in (*selection.paths, *selection.layout.strip):
        if _spelled(path) != path:
            raise PathRefused(f"{str(path)!r} is no guest path")
    target_path(selection.destination, selection.layout.below)
    drives_of(dict(selection.layout.drives))
    check_pattern(selection.rename_pattern)
    Selector.check(selection.include, including=True)
    Selector.check(selection.exclude, including=False)


def _spelled(path: GuestPath) -> GuestPath:
    return parse_guest_path(str(path))
