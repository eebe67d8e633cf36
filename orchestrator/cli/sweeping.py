"""`orchestrator sweep`: mounts that nobody holds any more are deleted, or proved to be gone."""

import json
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.asking import NobodyListens, ask_to_sweep
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.working import opened
from orchestrator.core.errors import ExitCode
from orchestrator.views import visible


def sweep(
    context: typer.Context,
    within: Annotated[float, typer.Option("--within", help="Seconds to wait for proof that a mount is gone.")] = 60.0,
) -> None:
    """Delete the mounts that dead runs have left, or prove that they are gone. Touches nothing that is not ours.

    \b
    orchestrator sweep

    While a watcher is running, it is asked to sweep, which it does as soon as no job runs.
    """
    options: Globals = context.obj
    config = options.config()
    if not options.json and roof.is_locked(config.state.folder):
        with suppress(NobodyListens):  # then it is no watcher, and what opening the journal says is the better word
            ask_to_sweep(options, within)
            return
    record = Recording(options, config, "sweep")
    with opened(options, config, record, None) as app:
        cleared, left = anyio.run(roof.sweep_mounts, app, within)
    mounts = roof.left_mounts(left)
    if options.json:
        shown = [asdict(one) | {"created": one.created.isoformat(), "remedy": one.remedy} for one in mounts]
        say(json.dumps({"cleared": len(cleared), "mounts_left": shown}, indent=2))
    else:
        for one in mounts:
            say(visible(f"left: {one.vm} ({one.created:%Y-%m-%d %H:%M} UTC) on {one.backup_server}: {one.cause}"))
            say(visible(f"      on the backup server: {one.remedy}"))
        say(f"mounts cleared {len(cleared)}, left {len(left)}")
    code = record.settle(ExitCode.MOUNTS_LEFT if left else ExitCode.OK)
    if code is not ExitCode.OK:
        raise typer.Exit(code)
