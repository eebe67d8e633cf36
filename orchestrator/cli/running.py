"""`orchestrator run` and `resume`."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from orchestrator import app as roof
from orchestrator.cli.recording import Recording
from orchestrator.cli.speaking import Globals, complain, say, tell
from orchestrator.cli.tasks import Jobs, read_tasks
from orchestrator.cli.working import opened
from orchestrator.core.entry import Compare
from orchestrator.core.errors import ExitCode, WordsError, worst
from orchestrator.core.ledger import RunState
from orchestrator.listing import NamedJob
from orchestrator.views import listed_json, report_json, report_text

KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Leave out entries that cannot be planned, run the rest.")
]
CompareBy = Annotated[
    Compare | None, typer.Option("--compare", help="content: prove by its bytes that a file is there already.")
]
Events = Annotated[Path | None, typer.Option("--events", metavar="FILE", help="Append every event as a JSON line.")]
OptionalRun = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Run id; without it, see below.")]


def run(
    context: typer.Context,
    jobs: Jobs,
    keep_going: KeepGoing = False,
    compare: CompareBy = None,
    events: Events = None,
) -> None:
    """Restore: mount, copy, prove, delete the mounts, report.

    \b
    orchestrator run jobs/incident-4711.toml
    orchestrator --config /etc/orchestrator/config.toml run --keep-going a.toml b.toml
    orchestrator --json run job.toml > report.json
    orchestrator run plan.json

    A plan that `plan --out` has written is run as it stands, or refused with what has changed since.
    Ctrl-C once finishes the files in flight, twice gives them up; either way the mounts are deleted and
    `orchestrator resume` continues.
    """
    options: Globals = context.obj
    named, config = read_tasks(jobs), options.config()
    if (keep_going or compare) and not all(isinstance(one, NamedJob) for one in named):
        raise WordsError(what="a plan is run as it stands: leave out --keep-going and --compare, or run its job")
    record = Recording(options, config, "run")
    with opened(options, config, record, events, [one.name for one in named]) as app:
        finished = anyio.run(roof.run_jobs, app, named, keep_going, compare)
    _show_finished(options, finished, record)


def resume(context: typer.Context, run: OptionalRun = None, compare: CompareBy = None, events: Events = None) -> None:
    """Go on with a run that was stopped or died; without RUN, with the newest unfinished one.

    \b
    orchestrator resume
    orchestrator resume incident-4711-20261123T031500Z

    What is already restored is not copied again. Mounts that the dead run left are deleted first.
    """
    options: Globals = context.obj
    config = options.config()
    record = Recording(options, config, "resume")
    with opened(options, config, record, events, [""]) as app:
        finished = anyio.run(roof.resume_run, app, run, compare)
    _show_finished(options, [finished], record)


def _show_finished(options: Globals, finished: list[roof.Finished], record: Recording) -> None:
    reports = [one.report for one in finished]
    code = record.settle(roof.exit_code(finished))
    try:
        say(
            listed_json([report_json(one) for one in reports]) if options.json else "\n".join(map(report_text, reports))
        )
    except WordsError as error:
        complain(error)
        code = worst(code, error.exit_code)
    for ended in finished:
        if ended.error is not None:
            complain(ended.error)
            if ended.report.state != RunState.FINISHED.value:
                tell(f"the run can be continued: orchestrator resume {ended.report.run}")
    if code is not ExitCode.OK:
        raise typer.Exit(code)
