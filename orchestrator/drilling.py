"""The end of a restore drill: its copies are verified and removed, and how long it took is kept."""

import os
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.artefacts import checksum_of
from orchestrator.core.drops import DrillRow
from orchestrator.core.errors import DrillDiffers, DrillLeft, DrillStopped, ExitCode, OrchestratorError, worst
from orchestrator.core.events import DrillEnded
from orchestrator.core.ledger import RunState
from orchestrator.core.plan import Plan
from orchestrator.core.report import Report
from orchestrator.engine.books import Books
from orchestrator.engine.drilling import Drilled, prove_and_remove
from orchestrator.engine.stopping import Stop
from orchestrator.opening import App, now, read_journal


@dataclass(frozen=True, slots=True)
class Finished:
    """One run as a command shows it. `error` is what cut it short, when something did."""

    report: Report
    error: OrchestratorError | None = None


async def finish_drill(app: App, books: Books, stop: Stop, plan: Plan, finished: Finished) -> Finished:
    """Verify, measure and remove what a drill has restored, once. A run that is to be gone on with is not over."""
    report = finished.report
    known = {row.run for row in await books.ask(app.journal.drills, report.job)}
    if report.state != RunState.FINISHED.value or report.run in known:
        return finished
    try:
        drilled = await _drilled(app, books, stop, plan)
    except (DrillStopped, DrillLeft) as error:
        return replace(finished, error=finished.error or error)
    found = drilled.verified.differences
    differs = None
    if found:
        first, files = found[0].target_path, drilled.verified.files
        differs = DrillDiffers(count=len(found), files=files, first=first, folder=plan.scratch)
    code = worst(ExitCode(report.exit_code or 0), *([differs.exit_code] if differs else []))
    row = _row(report, drilled, code)
    await books.ask(app.journal.write_drill, row)
    app.listen(
        DrillEnded(now(), row.run, row.job, row.groups, row.files, row.bytes, row.seconds, row.differences, int(code))
    )
    return replace(finished, error=finished.error or differs)


async def _drilled(app: App, books: Books, stop: Stop, plan: Plan) -> Drilled:
    """Read by a connection of its own: the journal's other users go on meanwhile."""
    row = await books.ask(app.journal.run, plan.run)
    algorithm = checksum_of(app.config, row)
    threads = min(app.config.limits.copies, 4 * (os.cpu_count() or 1))
    journal = await books.ask(read_journal, app.config)
    try:
        return await prove_and_remove(
            journal.restored(plan.run),
            lambda path, check: app.target.verify_file(path, algorithm, check),
            partial(app.target.remove_scratch, plan.scratch),
            threads,
            stop,
            plan.scratch,
            app.config.limits.stall_timeout,
        )
    finally:
        await books.ask(journal.close)


def _row(report: Report, drilled: Drilled, code: ExitCode) -> DrillRow:
    slowest = max(report.groups, key=lambda group: group.seconds or 0.0, default=None)
    return DrillRow(
        run=report.run,
        job=report.job,
        ended=now(),
        groups=len(report.groups),
        files=report.totals.restored,
        bytes=report.totals.bytes,
        seconds=report.seconds or 0.0,
        slowest=(slowest.seconds or 0.0) if slowest else 0.0,
        slowest_vm=slowest.vm if slowest else "",
        verify_seconds=drilled.seconds,
        differences=len(drilled.verified.differences),
        removed=drilled.removed,
        exit_code=int(code),
    )
