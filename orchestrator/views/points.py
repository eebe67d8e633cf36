"""Restore points as a table and as JSON."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from orchestrator.core.catalog import RestorePoint
from orchestrator.core.sizes import age_text
from orchestrator.core.twins import machines_in
from orchestrator.views.json import dump, whole_second
from orchestrator.views.units import count, instant, visible

_HEADS = ("machine", "made", "age", "source", "backup server", "id")


def points_text(points: Sequence[RestorePoint], now: datetime) -> str:
    """A line for each restore point, and below what a job has to say where one name is that of several machines."""
    rows = [_HEADS, *(_row(point, now) for point in points)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    machines = len({(point.vm, point.backup_server) for point in points})
    lines += ["", f"{count(len(points), 'restore point')} of {count(machines, 'machine')}"]
    if refused := sum(1 for point in points if not point.create_href):
        lines.append(f"{count(refused, 'restore point')} marked ! cannot be mounted: EM offers this account no mount")
    return "\n".join([*lines, *_twins(points)])


def _row(point: RestorePoint, now: datetime) -> tuple[str, ...]:
    mark = "" if point.create_href else " !"
    server = visible(point.backup_server) + (f" ({visible(point.backup_job)})" if point.backup_job else "")
    age = age_text(now - point.created)
    return visible(point.vm), instant(point.created), age, point.kind.value, server, visible(point.uid) + mark


def _twins(points: Iterable[RestorePoint]) -> list[str]:
    named: dict[tuple[str, str, str], list[RestorePoint]] = {}
    for point in points:
        named.setdefault((point.vm, point.kind.value, point.backup_server), []).append(point)
    lines = []
    for (vm, _, server), found in named.items():
        twins = machines_in(found)
        if len(twins) > 1:
            lines += [f"{visible(vm)} on {visible(server)} is {len(twins)} machines; say in the job which one:"]
            newest = [max(twin, key=lambda point: point.created) for twin in twins]
            lines += [f'  hierarchy = "{visible(one.hierarchy)}"  newest {instant(one.created)}' for one in newest]
    return ["", *lines] if lines else []


def points_json(points: Sequence[RestorePoint]) -> str:
    """A list of restore points with what a job can say of each."""
    rows = [
        {
            "vm": point.vm,
            "restore_point": point.uid,
            "created": whole_second(point.created),
            "source": point.kind.value,
            "backup_server": point.backup_server,
            "backup_job": point.backup_job or None,
            "hierarchy": point.hierarchy or None,
            "algorithm": point.algorithm or None,
            "mountable": bool(point.create_href),
        }
        for point in points
    ]
    return dump({"points": rows}, indent=2)
