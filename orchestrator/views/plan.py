"""A plan as text for a terminal."""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.entry import Compare, Conflict
from orchestrator.core.limits import Limits
from orchestrator.core.paths import HOLDING
from orchestrator.core.plan import MountGroup, Plan, Selection
from orchestrator.core.roads import Road
from orchestrator.views.fidelity import wished
from orchestrator.views.originals import destination_words
from orchestrator.views.selected import bound_lines, path_lines
from orchestrator.views.units import about, count, instant, point_words, visible

HostsOf = Callable[[MountGroup], Collection[str]]
"""The mount hosts on which the mount of a group is expected; none where there is only one share."""


def plan_text(plan: Plan, now: datetime, limits: Limits, hosts_of: HostsOf = lambda group: ()) -> str:
    """What a run would do, machine by machine in the order of their mounts, what it would not do, and how many mounts
    it needs. Ages are told at `now`."""
    machines = len({group.vm for group in plan.groups})
    lines = [
        f"Plan of job {plan.job}: {count(len(plan.groups), 'restore point')} of {count(machines, 'machine')}"
        f" to mount, {count(len(plan.problems), 'problem')}"
    ]
    for group in plan.groups:
        lines += ["", *_planned(group, now)]
    if plan.problems:
        lines += ["", "Not planned:"]
        lines += [f"  {visible(str(problem))}" for problem in plan.problems]
    if plan.warnings:
        lines += ["", "Planned all the same, but look:"]
        lines += [f"  {visible(str(warning))}" for warning in plan.warnings]
    return "\n".join([*lines, *_mounts(plan, limits, hosts_of), ""])


def _mounts(plan: Plan, limits: Limits, hosts_of: HostsOf) -> list[str]:
    """How many mounts each backup server has to make, how many of them at once, and on which mount hosts."""
    servers = Counter(group.point.backup_server for group in plan.groups)
    if not servers:
        return []
    lines = [
        f"  {visible(server)}: {count(mounts, 'mount')}, {limits.of_server(server):,} at once"
        for server, mounts in sorted(servers.items())
    ]
    expected = Counter(tuple(sorted(hosts)) for group in plan.groups if (hosts := hosts_of(group)))
    for hosts, mounts in sorted(expected.items()):
        most = limits.per_host.get(hosts[0].casefold()) if len(hosts) == 1 else None
        room = f", {most:,} at once" if most is not None else ""
        lines.append(f"  expected on {visible(' or '.join(hosts))}: {count(mounts, 'mount')}{room}")
    return ["", "Mounts:", *lines, f"  in all: {count(len(plan.groups), 'mount')}, {limits.mounts:,} at once"]


def _planned(group: MountGroup, now: datetime) -> list[str]:
    point = group.point
    system = f", {group.os.value}" if group.os else ""
    when = f"as of {instant(point.created)}, {about((now - point.created).total_seconds())} old"
    lines = [f"{group.id}  {visible(group.vm)}  {when}  on {visible(point.backup_server)}{system}"]
    if group.others:
        told = (f"{point_words(one.kind.value, one.created)}{_elsewhere(one, point)}" for one in group.others)
        lines.append(f"       when it cannot be mounted: {', '.join(told)}")
    for selection in group.selections:
        lines += _selected(selection)
    return lines


def _elsewhere(other: RestorePoint, point: RestorePoint) -> str:
    return "" if other.backup_server == point.backup_server else f" on {visible(other.backup_server)}"


def _selected(selection: Selection) -> list[str]:
    lines = [f"       {visible(path)}" for path in path_lines(selection)]
    lines += [f"         only {visible(pattern)}" for pattern in selection.include]
    lines += [f"         without {visible(pattern)}" for pattern in selection.exclude]
    lines += [f"         only files {bound}" for bound in bound_lines(selection.bounds)]
    if selection.road is Road.ORIGINAL:
        return [*lines, f"         -> {visible(destination_words(selection))}"]
    how = selection.on_conflict.value
    how += f", keeps what it replaces in {HOLDING}" if selection.on_conflict is Conflict.ASIDE else ""
    how += ", by content" if selection.compare is Compare.CONTENT else ""
    how += "".join(f", {one}" for one in wished(selection.wishes))
    how += f", in step {selection.stage + 1}" if selection.stage else ""
    return [*lines, f"         -> {visible(selection.destination)}  (conflict: {how})"]
