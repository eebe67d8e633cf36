"""`orchestrator plan`: what would a job do? Shown, and frozen as a document that `run` takes."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.speaking import Globals, read_jobs, say, tell
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.freezing import freeze
from orchestrator.opening import engine_settings
from orchestrator.planning import expected_hosts
from orchestrator.views import listed_json, plan_json_view, plan_text


def plan(
    context: typer.Context,
    jobs: Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files (TOML).")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Freeze the plan of one job in FILE, for `run FILE`.")
    ] = None,
) -> None:
    """Show what a job would do: machines, restore points, destinations. Nothing is mounted.

    \b
    orchestrator plan jobs/incident-4711.toml
    orchestrator plan --out plan.json jobs/incident-4711.toml
    orchestrator run plan.json

    A plan in a FILE is run as it stands, or refused with what has changed since: restore points, and what stands where
    the copies will land.
    """
    options: Globals = context.obj
    named, config = read_jobs(jobs), options.config()
    digest = ""
    if out is None:
        plans = anyio.run(roof.show_plans, config, named)
    elif len(named) > 1:
        raise WordsError(what="--out freezes the plan of one job; call it once for each")
    else:
        frozen, digest = anyio.run(freeze, config, named[0], out)
        plans = [frozen]
    if options.json:
        say(listed_json([plan_json_view(one) for one in plans]))
    else:
        limits = engine_settings(config).limits
        say("\n".join(plan_text(one, roof.now(), limits, expected_hosts(config)) for one in plans))
    if digest:
        tell(f"{out}: written, sha256 {digest}")
    elif out is not None:
        tell(f"{out}: not written, because not all of the job can be planned")
    if any(one.problems for one in plans):
        raise typer.Exit(ExitCode.WORDS)
