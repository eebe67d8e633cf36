"""`orchestrator plan`: what would a job do? Shown, and frozen as a document that `run` takes."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, say, tell
from orchestrator.cli.tasks import read_jobs
from orchestrator.cli.working import opened
from orchestrator.config import Config
from orchestrator.core.errors import ExitCode, WordsError
from orchestrator.core.plan import Plan
from orchestrator.freezing import freeze
from orchestrator.listing import NamedJob
from orchestrator.looking import look_closely
from orchestrator.opening import engine_settings
from orchestrator.planning import expected_hosts
from orchestrator.views import listed_json
from orchestrator.views.plan import HostsOf, plan_text
from orchestrator.views.plan_json import plan_json_view
from orchestrator.views.survey import survey_text


def plan(
    context: typer.Context,
    jobs: Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files (TOML).")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Freeze the plan of one job in FILE, for `run FILE`.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Mount, list everything, delete the mounts; one job.")] = False,
) -> None:
    """Show what a job would do: machines, restore points, destinations. Only --deep mounts; nothing is restored.

    \b
    orchestrator plan jobs/incident-4711.toml
    orchestrator plan --deep jobs/incident-4711.toml
    orchestrator plan --out plan.json jobs/incident-4711.toml
    orchestrator run plan.json

    A plan in a FILE is run as it stands, or refused with what has changed since: restore points, and what stands where
    the copies will land; with --deep also the files of the restore points.
    """
    options: Globals = context.obj
    named, config = read_jobs(jobs), options.config()
    if len(named) > 1 and (deep or out is not None):
        raise WordsError(what="--deep and --out take one job; call it once for each")
    if deep:
        _look_closely(options, config, named[0], out)
        return
    digest = ""
    if out is None:
        plans = anyio.run(roof.show_plans, config, named)
    else:
        frozen, digest = anyio.run(freeze, config, named[0], out)
        plans = [frozen]
    at, hosts_of = roof.now(), expected_hosts(config)
    texts = [
        plan_json_view(one, hosts_of=hosts_of) if options.json else _text(config, one, at, hosts_of) for one in plans
    ]
    say(listed_json(texts) if options.json else "\n".join(texts))
    _tell_written(out, digest)
    if any(one.problems for one in plans):
        raise typer.Exit(ExitCode.WORDS)


def _text(config: Config, plan: Plan, at: datetime, hosts_of: HostsOf) -> str:
    return plan_text(plan, at, engine_settings(config).limits, hosts_of)


def _look_closely(options: Globals, config: Config, named: NamedJob, out: Path | None) -> None:
    record = Recording(options, config, "plan")
    with opened(options, config, record, None) as app:
        seen = anyio.run(look_closely, app, named, out)
    hosts_of = expected_hosts(config)
    if options.json:
        say(plan_json_view(seen.plan, seen.survey, seen.forecast, hosts_of))
    else:
        text = _text(config, seen.plan, seen.forecast.at, hosts_of)
        say(f"{text}\n{survey_text(seen.plan, seen.survey, seen.forecast)}")
    _tell_written(out, seen.hash)
    code = record.settle(ExitCode.PARTIAL if seen.survey.problems else ExitCode.OK)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def _tell_written(out: Path | None, digest: str) -> None:
    if digest:
        tell(f"{out}: written, sha256 {digest}")
    elif out is not None:
        tell(f"{out}: not written, because not all of the job could be planned and looked at")
