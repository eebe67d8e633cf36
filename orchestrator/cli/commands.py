"""The commands. Each reads its words, asks the roof, and prints."""

import json
from contextlib import suppress
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args

import anyio
import typer

import orchestrator
from orchestrator import app as roof
from orchestrator.artefacts import files_anew, read_report, write_artefacts, written
from orchestrator.cli.applying import put_metadata_on
from orchestrator.cli.auditing import audit
from orchestrator.cli.browsing import browse
from orchestrator.cli.checking import check
from orchestrator.cli.demo import demonstrate
from orchestrator.cli.drafting import new
from orchestrator.cli.fleet import fleet, worker
from orchestrator.cli.keeping import prune_state, show_drills
from orchestrator.cli.limiting import in_force, limit
from orchestrator.cli.notifying import notify_test
from orchestrator.cli.planning import plan
from orchestrator.cli.pointing import show_points
from orchestrator.cli.proving import bag, verify
from orchestrator.cli.putting_back import put_back
from orchestrator.cli.recording import Recording
from orchestrator.cli.schemas import schema
from orchestrator.cli.simulating import serve_simulator
from orchestrator.cli.speaking import Globals, complain, plainly, read_jobs, read_tasks, say, tell
from orchestrator.cli.standing import standing
from orchestrator.cli.undoing import undo
from orchestrator.cli.watching import NobodyListens, ask_to_sweep, pause, queue, stop, unpause, watch
from orchestrator.cli.working import opened
from orchestrator.config import Config
from orchestrator.core.entry import Compare
from orchestrator.core.errors import ExitCode, WordsError, worst
from orchestrator.core.ledger import RunRow, RunState
from orchestrator.core.limiting import LimitsNow
from orchestrator.core.report import Report
from orchestrator.freezing import FrozenPlan
from orchestrator.journal import Journal
from orchestrator.listing import with_lists
from orchestrator.views import (
    listed_json,
    report_json,
    report_text,
    run_limits,
    status_text,
    visible,
)
from orchestrator.views.log import Level

cli = typer.Typer(
    name="orchestrator",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Bulk file restore for Veeam Backup Enterprise Manager: mounts restore points, copies the files you name, "
        "proves the copies, and always deletes the mounts.\n\n"
        "Exit codes: 0 all restored; 1 our bug; 2 command line, config or job is wrong; 3 some files refused or "
        "failed; 4 Enterprise Manager could not do its part; 5 journal or state folder unusable; 6 stopped, "
        "`resume` continues; 7 mounts may be left, `sweep` clears them."
    ),
)

Jobs = Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files (TOML).")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `orchestrator status` shows it.")]
OptionalRun = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Run id; without it, see below.")]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="Leave out entries that cannot be planned, run the rest.")
]
CompareBy = Annotated[
    Compare | None, typer.Option("--compare", help="content: prove by its bytes that a file is there already.")
]
Events = Annotated[Path | None, typer.Option("--events", metavar="FILE", help="Append every event as a JSON line.")]


class LogFormat(Enum):
    """How progress is told on stderr."""

    TEXT = "text"
    JSON = "json"


class LogLevel(Enum):
    """How much an event must matter to be logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LEVELS: dict[LogLevel, Level] = dict(zip(LogLevel, get_args(Level), strict=True))


def _version(wanted: bool) -> None:
    if wanted:
        say(f"orchestrator {orchestrator.__version__}")
        raise typer.Exit


@cli.callback()
def _globals(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", envvar="ORCHESTRATOR_CONFIG", help="The config file.")
    ] = Path("config.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON, alone on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="text: progress for people; json: structured log lines.")
    ] = LogFormat.TEXT,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", metavar="FILE", help="Append structured log lines to FILE.")
    ] = None,
    log_level: Annotated[
        LogLevel | None, typer.Option("--log-level", help="Least level of structured log lines.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    level = LEVELS[log_level] if log_level is not None else None
    context.obj = Globals(config, as_json, quiet, log_format is LogFormat.JSON, log_file, level)


@cli.command()
@plainly
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
    if (keep_going or compare) and any(isinstance(one, FrozenPlan) for one in named):
        raise WordsError(what="a plan is run as it stands: leave out --keep-going and --compare, or run its job")
    record = Recording(options, config, "run")
    with opened(options, config, record, events, [one.name for one in named]) as app:
        finished = anyio.run(roof.run_jobs, app, named, keep_going, compare)
    _show_finished(options, finished, record)


@cli.command()
@plainly
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


cli.command(name="plan")(plainly(plan))
cli.command(name="new")(plainly(new))
cli.command(name="check")(plainly(check))


@cli.command()
@plainly
def validate(context: typer.Context, jobs: Jobs) -> None:
    """Check job files and the config without asking Enterprise Manager anything.

    \b
    orchestrator validate jobs/*.toml
    """
    options: Globals = context.obj
    named = read_jobs(jobs)
    options.config()
    for one in named:
        with_lists(one)
        entries = len(one.job.restore)
        say(f"{visible(one.place)}: ok, {entries} restore {'entry' if entries == 1 else 'entries'}")
    say(f"{options.config_file}: ok")


@cli.command()
@plainly
def status(context: typer.Context, run: OptionalRun = None) -> None:
    """List the runs, and mounts that are left; with RUN, its groups and mounts. Works while a run is going on.

    \b
    orchestrator status
    orchestrator status incident-4711-20261123T031500Z
    """
    options: Globals = context.obj
    config = options.config()
    with roof.reading(config) as journal:
        if run is None:
            runs = journal.runs()
            limits = in_force(config)
            values = [_run_values(row, limits) for row in runs]
            say(json.dumps(values, indent=2) if options.json else standing(config, journal, runs, limits))
            return
        if options.json:
            say(report_json(read_report(journal, config, run)))
            return
        row, groups, leases = journal.run(run), journal.groups(run), journal.leases(run)
        say(status_text(row, groups, journal.totals(run), leases, roof.now()))


@cli.command()
@plainly
def report(
    context: typer.Context,
    run: RunName,
    write: Annotated[bool, typer.Option("--write", help="Write the report files again.")] = False,
) -> None:
    """Print the report of a run. The files (HTML, JSON, checksums) are named in it.

    \b
    orchestrator report incident-4711-20261123T031500Z
    orchestrator --json report incident-4711-20261123T031500Z
    """
    options: Globals = context.obj
    config = options.config()
    with roof.reading(config) as journal:
        found = _written_anew(options, journal, config, run) if write else read_report(journal, config, run)
    say(report_json(found) if options.json else report_text(found))


cli.command(name="verify")(plainly(verify))
cli.command(name="bag")(plainly(bag))


@cli.command()
@plainly
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


cli.command(name="undo")(plainly(undo))
cli.command(name="schema")(plainly(schema))
cli.command(name="apply-metadata")(plainly(put_metadata_on))
cli.command(name="points")(plainly(show_points))
cli.command(name="prune")(plainly(prune_state))
cli.command(name="drills")(plainly(show_drills))
cli.command(name="watch")(plainly(watch))
cli.command(name="queue")(plainly(queue))
cli.command(name="browse")(plainly(browse))
cli.command(name="put-back")(plainly(put_back))
cli.command(name="pause")(plainly(pause))
cli.command(name="unpause")(plainly(unpause))
cli.command(name="stop")(plainly(stop))
cli.command(name="limit")(plainly(limit))
cli.command(name="notify-test")(plainly(notify_test))
cli.add_typer(audit, name="audit")
cli.add_typer(fleet, name="fleet")
cli.command(name="worker")(plainly(worker))
cli.command(name="simulate")(plainly(serve_simulator))
cli.command(name="demo")(plainly(demonstrate))


def _written_anew(options: Globals, journal: Journal, config: Config, run: str) -> Report:
    """The report of a run, its files written again, and told of."""
    with Recording(options, config, "report") as record:
        found = write_artefacts(journal, config, run)
        for event in written(run, files_anew(found), roof.now):
            record.take(event)
    return found


def _run_values(row: RunRow, limits: LimitsNow | None) -> dict[str, Any]:
    ended = row.ended.isoformat() if row.ended else None
    now = {} if limits is None else run_limits(limits, row.id)
    return {
        "run": row.id,
        "job": row.job,
        "state": row.state.value,
        "started": row.started.isoformat(),
        "ended": ended,
        "exit_code": row.exit_code,
        **now,
    }


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
