"""`orchestrator prune` and `orchestrator drills`: what the state folder keeps, and for how long."""

from datetime import timedelta
from typing import Annotated

import typer

from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say, tell
from orchestrator.core.errors import ExitCode
from orchestrator.core.events import RunPruned
from orchestrator.opening import keeping, now, reading
from orchestrator.pruning import prune
from orchestrator.views import drills_json, drills_text, pruned_json, pruned_text, visible


def prune_state(
    context: typer.Context,
    days: Annotated[
        int,
        typer.Option("--older-than", metavar="DAYS", min=1, max=36500, help="Runs that ended more days ago than this."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove finished runs that are old, with their reports and all that the journal knows of them.

    \b
    orchestrator prune --older-than 400 --dry-run
    orchestrator prune --older-than 400
    orchestrator --json prune --older-than 400

    Never an unfinished run, a run with a mount that may be open, or the last finished run of a job. Restored files
    are not touched.
    """
    options: Globals = context.obj
    config = options.config()
    before = now() - timedelta(days=days)
    if dry_run:
        with reading(config) as journal:
            pruned = prune(config, journal, before, dry=True)
    else:
        with Recording(options, config, "prune") as record, keeping(config) as journal:
            pruned = prune(
                config, journal, before, dry=False, gone=lambda run: record.take(RunPruned(now(), run.id, run.job))
            )
    say(pruned_json(pruned) if options.json else pruned_text(pruned))
    if pruned.note:
        tell("\n".join(map(visible, pruned.note.splitlines())))
    if pruned.left:
        raise typer.Exit(ExitCode.STATE)


def show_drills(
    context: typer.Context,
    job: Annotated[str | None, typer.Option("--job", metavar="JOB", help="Only the drills of this job.")] = None,
) -> None:
    """Show the restore drills, newest first, and whether restoring takes longer than it did.

    \b
    orchestrator drills
    orchestrator drills --job monthly-drill
    orchestrator --json drills

    The trend compares the last five drills of a job with the five before, each by their median.
    """
    options: Globals = context.obj
    with reading(options.config()) as journal:
        drills = journal.drills(job)
    say(drills_json(drills) if options.json else drills_text(drills))
