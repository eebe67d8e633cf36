"""`orchestrator undo`: a run is taken back."""

import sys
from typing import Annotated

import anyio
import typer

from orchestrator.cli.counting import counting
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say, tell
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import Event, Notice
from orchestrator.core.replaced import UndoReport
from orchestrator.opening import keeping, reading
from orchestrator.undoing import discard_asides, undo_run
from orchestrator.views import visible
from orchestrator.views.undo import undo_json, undo_text


def undo(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `orchestrator status` shows it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Undo nothing: remove for good what the run has set aside.")
    ] = False,
) -> None:
    """Take a run back: files that were set aside return, files and folders that it added go.

    \b
    orchestrator undo incident-4711-20261123T031500Z --dry-run
    orchestrator undo incident-4711-20261123T031500Z
    orchestrator undo incident-4711-20261123T031500Z --discard

    Every file is proved by its checksum first. One that somebody has changed since stays, and is named. Can be stopped
    and begun again.
    """
    options: Globals = context.obj
    config = options.config()
    work = discard_asides if discard else undo_run

    def listen(event: Event) -> None:
        if isinstance(event, Notice) and not options.quiet:
            tell(visible(event.message))

    with counting("looked at", sys.stderr, options.quiet) as count:
        if dry_run:
            with reading(config) as journal:
                report = anyio.run(lambda: work(config, journal, run, listen, count, dry=True))
            code = _code(report)
        else:
            with Recording(options, config, "undo") as record, keeping(config) as journal:
                report = anyio.run(lambda: work(config, journal, run, listen, count, dry=False))
            code = record.settle(_code(report))
    say(undo_json(report) if options.json else undo_text(report))
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def _code(report: UndoReport) -> ExitCode:
    if not report.complete:
        return ExitCode.STOPPED
    return ExitCode.PARTIAL if report.left_count else ExitCode.OK
