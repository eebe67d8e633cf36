"""`orchestrator put-back`: Enterprise Manager restores to the original location, inside the guest."""

import json
from functools import partial
from typing import Annotated

import anyio
import typer

from orchestrator.cli.browsing import instant_of
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.working import opened, to_look
from orchestrator.config import Config
from orchestrator.core.catalog import GuestOs, PointKind
from orchestrator.core.errors import ExitCode
from orchestrator.core.originals import InPlace, OriginalState, Standing
from orchestrator.guest_accounts import accounts
from orchestrator.one_point import PointAsked
from orchestrator.putting_back import put_back as put_paths_back
from orchestrator.views import visible


def put_back(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Folders and files in the guest.")],
    vm: Annotated[str | None, typer.Option("--vm", help="Machine name as EM shows it.")] = None,
    restore_point: Annotated[str | None, typer.Option("--restore-point", help="Id, instead of --as-of.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="Newest at or before, as 2026-11-20T18:00:00+01:00.")
    ] = None,
    backup_server: Annotated[str | None, typer.Option("--backup-server", help="Only of this backup server.")] = None,
    source: Annotated[PointKind, typer.Option("--source", help="Whose restore points.")] = PointKind.VM,
    os: Annotated[GuestOs | None, typer.Option("--os", help="Kind of guest; needed for Linux guests.")] = None,
    standing: Annotated[
        Standing, typer.Option("--standing", help="What becomes of a file that stands there.")
    ] = Standing.KEEP,
    credentials: Annotated[
        str, typer.Option("--guest-credentials", metavar="NAME", help="A table [[guest_credentials]].")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Also what was asked for before, end unknown.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only told.")] = False,
) -> None:
    r"""Have Enterprise Manager restore paths to their original location, inside the running guest.

    \b
    orchestrator put-back --vm fs01 'C:\\Shares\\Finance'
    orchestrator put-back --vm fs01 --yes 'C:\\Shares\\Finance'
    orchestrator put-back --vm fs01 --yes --standing overwrite --guest-credentials fs 'C:\\Shares\\plan.xlsx'

    Without --yes it only tells which restore point is meant. Each path is journalled before Enterprise Manager is asked
    for it, and never asked for twice by itself. The mount is always deleted.
    """
    options: Globals = context.obj
    config = options.config()
    how = _how(config, standing, credentials)
    asked = PointAsked(
        paths, vm, restore_point, instant_of(as_of), backup_server, source.value, os.value if os else None
    )
    asked.job()  # wrong words are told before anything is opened
    record = Recording(options, config, "put-back")
    with to_look("put-back"), opened(options, config, record, None) as app:
        point, done = anyio.run(partial(put_paths_back, app, asked, how, really=yes, again=again))
    where = f"{point.vm} on {point.backup_server}, restore point of {point.created:%Y-%m-%d %H:%M:%S} UTC"
    if options.json:
        results = None if done is None else [dict(zip(("path", "result", "message"), one, strict=True)) for one in done]
        head = {"vm": point.vm, "restore_point": point.uid, "created": point.created.isoformat()}
        say(json.dumps({**head, "standing": standing.value, "paths": results}, indent=2))
    else:
        say(visible(where))
        if done is None:
            say(f"nothing was done. With --yes these come back ({standing.value}): {visible(', '.join(paths))}")
        for path, result, message in done or ():
            say(visible(f"{result}: {path}" + (f": {message}" if message else "")))
    bad = any(result != OriginalState.RESTORED.value for _, result, _ in done or ())
    code = record.settle(ExitCode.PARTIAL if bad else ExitCode.OK)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def _how(config: Config, standing: Standing, name: str) -> InPlace:
    """WordsError for credentials that the config does not have, ConfigInvalid for a password that is not there."""
    if not name:
        return InPlace(standing)
    account = accounts(config, [name])[name]
    return InPlace(standing, account.user, account.password)
