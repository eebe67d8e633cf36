"""`orchestrator queue`: what was dropped and has not ended."""

import typer

from orchestrator.cli.speaking import Globals, say
from orchestrator.opening import reading
from orchestrator.views import queue_json, queue_text
from orchestrator.watching import queue_of


def queue(context: typer.Context) -> None:
    """Show the jobs that were dropped and have not ended: running, waiting, held and why, recurring and when.

    \b
    orchestrator queue
    orchestrator --json queue
    """
    options: Globals = context.obj
    config = options.config()
    with reading(config) as journal:
        lines, paused = queue_of(config, journal)
    say(queue_json(lines, paused) if options.json else queue_text(lines, paused))
