"""`orchestrator notify-test`: do the messages arrive? Asked by day, not found out by night."""

import json
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.speaking import Globals, say, tell
from orchestrator.core.announce import Kind
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.core.events import Event, Notice
from orchestrator.views import visible


def notify_test(
    context: typer.Context,
    kind: Annotated[Kind, typer.Option("--kind", help="What the sample is about.")] = Kind.FINISHED,
) -> None:
    """Send a sample on every channel of the config and say what became of it. Nothing is mounted or restored.

    \b
    orchestrator notify-test
    orchestrator notify-test --kind mounts-left
    orchestrator --json notify-test

    Every channel gets it, whatever kinds and jobs it wants. Dead man's switches are not pinged: that would tell them
    of a run that there was not. Exit code 3 when a channel did not take it.
    """
    options: Globals = context.obj
    config = options.config()
    if not config.notifications:
        raise WordsError(what="the config has no [[notifications]] table; config.example.toml shows one")
    tried = anyio.run(roof.make_notifier(config, _tell_notice).test, kind)
    if options.json:
        say(
            json.dumps([{"channel": one.channel, "sent": not one.cause, "cause": one.cause} for one in tried], indent=2)
        )
    else:
        say("\n".join(f"{one.channel}: {f'not sent: {one.cause}' if one.cause else 'sent'}" for one in tried))
    if any(one.cause for one in tried):
        raise typer.Exit(ExitCode.PARTIAL)


def _tell_notice(event: Event) -> None:
    if isinstance(event, Notice):
        tell(visible(event.message))
