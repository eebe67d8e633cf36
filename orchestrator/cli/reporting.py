"""`orchestrator status` and `report`: what the journal knows of the runs."""

import json
from typing import Annotated, Any

import typer

from orchestrator.cli.speaking import Globals, say
from orchestrator.cli.standing import standing
from orchestrator.config import Config
from orchestrator.core.ledger import RunRow
from orchestrator.core.limiting import LimitsNow
from orchestrator.core.report import Report
from orchestrator.journal import Journal, is_locked
from orchestrator.reading import now, reading
from orchestrator.views import report_json, report_text, run_limits, status_text

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Run id, as `orchestrator status` shows it.")]
OptionalRun = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Run id; without it, see below.")]


def status(context: typer.Context, run: OptionalRun = None) -> None:
    """List the runs, and mounts that are left; with RUN, its groups and mounts. Works while a run is going on.

    \b
    orchestrator status
    orchestrator status incident-4711-20261123T031500Z
    """
    options: Globals = context.obj
    config = options.config()
    with reading(config) as journal:
        if run is None:
            runs = journal.runs()
            limits = _in_force(config)
            values = [_run_values(row, limits) for row in runs]
            say(json.dumps(values, indent=2) if options.json else standing(config, journal, runs, limits))
            return
        if options.json:
            from orchestrator.artefacts import read_report  # and all that makes a report, which no list needs

            say(report_json(read_report(journal, config, run)))
            return
        row, groups, leases = journal.run(run), journal.groups(run), journal.leases(run)
        say(status_text(row, groups, journal.totals(run), leases, now()))


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
    from orchestrator.artefacts import read_report

    options: Globals = context.obj
    config = options.config()
    with reading(config) as journal:
        found = _written_anew(options, journal, config, run) if write else read_report(journal, config, run)
    say(report_json(found) if options.json else report_text(found))


def _written_anew(options: Globals, journal: Journal, config: Config, run: str) -> Report:
    """The report of a run, its files written again, and told of."""
    from orchestrator.artefacts import files_anew, write_artefacts, written
    from orchestrator.cli.recording import Recording

    with Recording(options, config, "report") as record:
        found = write_artefacts(journal, config, run)
        for event in written(run, files_anew(found), now):
            record.take(event)
    return found


def _in_force(config: Config) -> LimitsNow | None:
    """What limits the process that has the state folder; None when there is none, or it does not say."""
    if not is_locked(config.state.folder):
        return None
    from orchestrator.cli.limiting import in_force  # speaks with that process

    return in_force(config)


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
