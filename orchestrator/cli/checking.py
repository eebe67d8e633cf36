"""`orchestrator check`: is all well for a restore? Asked before the night, and answered with what to do."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator.checking import check_all
from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.tasks import read_jobs
from orchestrator.core.errors import ExitCode
from orchestrator.core.preflight import exit_code
from orchestrator.views.findings import findings_json, findings_text


def check(
    context: typer.Context,
    jobs: Annotated[list[Path] | None, typer.Argument(metavar="[JOB...]", help="Job files (TOML).")] = None,
) -> None:
    """Check Enterprise Manager, account, shares and destinations; with JOB also its machines. Nothing is mounted.

    \b
    orchestrator check
    orchestrator check jobs/incident-4711.toml
    orchestrator --json check

    Every run begins with the same checks. The exit code is 0 when nothing fails; a warning fails nothing.
    """
    options: Globals = context.obj
    named = read_jobs(jobs or [])
    findings = anyio.run(check_all, options.config(), named)
    say(findings_json(findings) if options.json else findings_text(findings))
    code = exit_code(findings)
    if code is not ExitCode.OK:
        raise typer.Exit(code)
