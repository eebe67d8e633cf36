"""`orchestrator worker` and `orchestrator fleet`: machines that restore for others, and who of them is there."""

import json
import os
import re
import socket
import time
from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.recording import Recording
from orchestrator.cli.service import service_notifier
from orchestrator.cli.speaking import Globals, complain, plainly, say, tell
from orchestrator.cli.working import opened
from orchestrator.config import Config
from orchestrator.core.errors import ConfigInvalid, WordsError
from orchestrator.core.fleet_errors import MemberDead, OlderServe
from orchestrator.fleet import how_it_stands, upgrade_journal
from orchestrator.views import visible
from orchestrator.views.members import fleet_json, fleet_text

LOOK_EVERY = 0.5
"""Seconds between two looks whether members of an older version have ended."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

fleet = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Machines that share one journal, and restore for each other.",
)


def worker(
    context: typer.Context,
    site: Annotated[
        str, typer.Option("--site", help="Serve the backup servers of this site; default: of every one.")
    ] = "",
    mounts: Annotated[int, typer.Option("--mounts", min=1, max=500, help="Mounts at once, at most.")] = 8,
    name: Annotated[str, typer.Option("--name", help="Name of this worker; default: that of the machine.")] = "",
    events: Annotated[Path | None, typer.Option("--events", metavar="FILE", help="Append every event.")] = None,
) -> None:
    """Restore what others submit with `run`, over the journal of [fleet], until it is stopped.

    \b
    orchestrator worker --site berlin --mounts 8
    orchestrator worker --site berlin --name berlin-2

    SIGTERM or Ctrl-C once: no more machines, files in flight are finished, mounts deleted, the rest is handed back.
    """
    options: Globals = context.obj
    named = name or socket.gethostname()
    if not _NAME.fullmatch(named):
        raise WordsError(what=f"--name {named!r}: letters, digits, dots, hyphens and underscores, 63 at most")
    config = _of_worker(options.config(), named)
    record = Recording(options, config, "worker")
    service = service_notifier()
    companions = [service.pet_watchdog] if service else []
    with opened(options, config, record, events, service=service) as app:
        anyio.run(roof.serve_units, app, site, mounts, named, _perish, companions)


def _of_worker(config: Config, name: str) -> Config:
    """A worker has a state folder of its own below that of the config: several may serve on one machine."""
    if config.fleet.dsn is None:
        raise ConfigInvalid(place="fleet.dsn", problems="is not set: say where the journal is that the fleet shares")
    folder = config.state.folder / "workers" / name
    return config.model_copy(update={"state": config.state.model_copy(update={"folder": folder})})


def _perish(error: MemberDead) -> None:
    """Not one more byte: threads that copy, and clean-ups that would wait, end with the process."""
    complain(error)
    os._exit(error.exit_code)


@fleet.command(name="upgrade")
@plainly
def upgrade(
    context: typer.Context,
    within: Annotated[float, typer.Option("--within", help="Seconds to wait for older members to end.")] = 1800.0,
) -> None:
    """Make the tables of the fleet, or bring them up to date, with the account that owns them.

    \b
    orchestrator --config owner.toml fleet upgrade

    Where members of an older version could not work with the new tables, they are told to end: they finish the files in
    flight, delete their mounts and hand back the rest. Only then the tables are changed. Everybody else goes on.
    """
    options: Globals = context.obj
    until, last = time.monotonic() + within, ""

    def wait(error: OlderServe) -> bool:
        nonlocal last
        if error.facts["who"] != last:
            last = str(error.facts["who"])
            tell(visible(f"waiting for members of an older version to end: {last}"))
        time.sleep(LOOK_EVERY)
        return time.monotonic() < until

    config = options.config()
    with Recording(options, config, "fleet upgrade"):
        schema = upgrade_journal(config, wait)
    say(json.dumps({"schema": schema}) if options.json else f"the tables of the fleet have schema {schema}")


@fleet.command(name="status")
@plainly
def status(context: typer.Context) -> None:
    """Who is in the fleet, how fast each site copies, and what waits that nobody can take.

    \b
    orchestrator fleet status
    orchestrator --json fleet status
    """
    options: Globals = context.obj
    found = how_it_stands(options.config())
    say(fleet_json(found) if options.json else fleet_text(found))
