"""`orchestrator points`: the restore points of machines, so that a job can be written without the vendor's console."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from orchestrator.cli.speaking import Globals, say, tell
from orchestrator.core.catalog import PointKind
from orchestrator.core.errors import ExitCode, JobInvalid
from orchestrator.core.lists import texts_in
from orchestrator.core.which import Pick, Which, in_zone
from orchestrator.core.words import read_model
from orchestrator.core.zones import typed_time, zone_of
from orchestrator.listing import list_at
from orchestrator.opening import now
from orchestrator.pointing import find_points
from orchestrator.views import visible
from orchestrator.views.points import points_json, points_text

PLACE = "command line"


Names = Annotated[list[str] | None, typer.Option("--vm", metavar="NAME", help="Machine name or glob; may be repeated.")]
ListFile = Annotated[
    Path | None, typer.Option("--vms-from", metavar="FILE", help="File with one name or glob on each line.")
]
Server = Annotated[
    str | None, typer.Option("--backup-server", metavar="NAME", help="Only those of this backup server.")
]
BackupJob = Annotated[
    str | None, typer.Option("--backup-job", metavar="NAME", help="Only those in the backup of this job.")
]
Hierarchy = Annotated[str | None, typer.Option("--hierarchy", metavar="URN", help="Only machines of this object.")]
Sources = Annotated[list[PointKind] | None, typer.Option("--source", help="vm, replica or agent; may be repeated.")]
PickOne = Annotated[Pick, typer.Option("--point", help="Which of each machine: latest, oldest or all.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="None made after it: 2026-11-20T18:00:00Z.")]
NotBefore = Annotated[str | None, typer.Option("--not-before", metavar="TIME", help="None made before it.")]
Zone = Annotated[
    str | None, typer.Option("--time-zone", metavar="ZONE", help="Of times without offset: Europe/Berlin.")
]
Refresh = Annotated[bool, typer.Option("--refresh", help="EM asks its backup servers for new restore points first.")]


def show_points(
    context: typer.Context,
    vm: Names = None,
    vms_from: ListFile = None,
    backup_server: Server = None,
    backup_job: BackupJob = None,
    hierarchy: Hierarchy = None,
    source: Sources = None,
    point: PickOne = Pick.ALL,
    as_of: AsOf = None,
    not_before: NotBefore = None,
    time_zone: Zone = None,
    refresh: Refresh = False,
) -> None:
    """List restore points, machine by machine, the newest first. Nothing is mounted or written.

    \b
    orchestrator points --vm 'fs*'
    orchestrator points --vm fs01 --as-of 2026-11-20T18:00:00 --time-zone Europe/Berlin --point latest
    orchestrator --json points --vms-from berlin.txt --source vm --source replica

    The options mean what the keys of a job file mean.
    """
    options: Globals = context.obj
    keys: dict[str, Any] = {
        "vms": [*(vm or ()), *_listed(vms_from)] or ["*"],
        "backup_server": backup_server,
        "backup_job": backup_job,
        "hierarchy": hierarchy,
        "as_of": as_of and _time(as_of, "--as-of"),
        "not_before": not_before and _time(not_before, "--not-before"),
        "refresh": refresh,
    }
    table = {key: value for key, value in keys.items() if value is not None}
    if time_zone is not None:
        table = in_zone({"time_zone": _zone(time_zone), "restore": [table]})["restore"][0]
    kinds = dict.fromkeys(source or [PointKind.VM])
    wanted = [read_model(Which, {**table, "source": kind}, PLACE, JobInvalid) for kind in kinds]
    found = anyio.run(find_points, options.config(), wanted, point)
    say(points_json(found.points) if options.json else points_text(found.points, now()))
    for problem in found.nothing:
        tell(visible(problem))
    if found.nothing:
        raise typer.Exit(ExitCode.WORDS)


def _listed(file: Path | None) -> tuple[str, ...]:
    return () if file is None else texts_in(list_at(Path(), str(file), PLACE), str(file))


def _zone(name: str) -> str:
    try:
        zone_of(name)
    except ValueError as cause:
        raise JobInvalid(place=PLACE, problems=f"--time-zone: {cause}") from cause
    return name


def _time(text: str, option: str) -> datetime:
    try:
        return typed_time(text)
    except ValueError as cause:
        raise JobInvalid(place=PLACE, problems=f"{option}: {cause}") from cause
