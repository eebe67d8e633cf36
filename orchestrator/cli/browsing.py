"""`orchestrator browse`: what a restore point holds, so that a job can be written without the vendor's console."""

from datetime import datetime
from typing import Annotated

import anyio
import typer

from orchestrator.browsing import browse_point
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.working import opened, to_look
from orchestrator.core.catalog import GuestOs, PointKind
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.core.zones import typed_time
from orchestrator.one_point import PointAsked
from orchestrator.views.browsing import browsed_json, browsed_text


def browse(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="Folder or file in the guest; default: volumes.")] = "*",
    vm: Annotated[str | None, typer.Option("--vm", help="Machine name as EM shows it.")] = None,
    restore_point: Annotated[str | None, typer.Option("--restore-point", help="Id, instead of --as-of.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="Newest at or before, as 2026-11-20T18:00:00+01:00.")
    ] = None,
    backup_server: Annotated[str | None, typer.Option("--backup-server", help="Only of this backup server.")] = None,
    source: Annotated[PointKind, typer.Option("--source", help="Whose restore points.")] = PointKind.VM,
    os: Annotated[GuestOs | None, typer.Option("--os", help="Kind of guest; needed for Linux guests.")] = None,
    find: Annotated[str, typer.Option("--find", metavar="PATTERN", help="All below PATH with such a name.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most entries that are shown.")] = 10_000,
) -> None:
    r"""List folders and files of a restore point: mount, list, delete.

    \b
    orchestrator browse --vm fs01
    orchestrator browse --vm fs01 --as-of 2026-11-20T18:00:00Z 'C:\\Shares'
    orchestrator browse --vm fs01 --find '*.xlsx' 'C:\\Shares'
    orchestrator --json browse --vm web01 --os linux /srv

    Folders are listed by Enterprise Manager itself, so no share is needed. The mount is journalled and always deleted;
    after a kill, `orchestrator sweep` clears it.
    """
    options: Globals = context.obj
    config = options.config()
    asked = PointAsked(
        [path], vm, restore_point, instant_of(as_of), backup_server, source.value, os.value if os else None
    )
    asked.job()  # wrong words are told before anything is opened
    record = Recording(options, config, "browse")
    with to_look("browse"), opened(options, config, record, None) as app:
        point, found = anyio.run(browse_point, app, asked, find, limit)
    view = browsed_json if options.json else browsed_text
    say(view(point, found.entries, found.more))
    code = record.settle(ExitCode.OK)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def instant_of(text: str | None) -> datetime | None:
    """The instant of `--as-of`; WordsError."""
    if text is None:
        return None
    try:
        instant = typed_time(text)
    except ValueError as cause:
        raise WordsError(what=f"--as-of: {cause}") from cause
    if instant.tzinfo is None:
        raise WordsError(what=f"--as-of: {text!r} has no time zone; add Z for UTC, or an offset such as +01:00")
    return instant
