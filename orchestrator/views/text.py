"""Plain text for a terminal: plans, reports, the table of runs. Every name goes through `visible`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from orchestrator.core.drills import DrillTrend, drill_trends
from orchestrator.core.drops import DrillRow
from orchestrator.core.errors import ExitCode
from orchestrator.core.ledger import GroupRow, GroupState, LeaseRow, RunRow, RunState, Totals
from orchestrator.core.lifecycle import OPEN_STATES
from orchestrator.core.paths import HOLDING, TargetPath, full_target
from orchestrator.core.reasons import Reason
from orchestrator.core.report import LeftMount, Problem, Report
from orchestrator.core.retention import Pruned
from orchestrator.core.waiting import QueueLine
from orchestrator.views.fidelity import HEADS, asked, card_notes, card_rows
from orchestrator.views.originals import SHOWN, original_words
from orchestrator.views.units import count, duration, instant, point_words, rate, size, verdict, visible

MOUNTS_SHOWN = 10

EXAMPLES = 5
"""A closing report shows this many files for each reason; report.json has them all."""


def report_text(report: Report) -> str:
    """The short closing report. `Report.closing_line` is always the last line."""
    lines = [f"Run {report.run} of job {report.job}: {verdict(report.exit_code)}", _when(report), ""]
    lines += [f"  {line}" for line in _totals(report)]
    if report.remounts or report.sessions > 1:
        lines.append(f"  mounting  {count(report.sessions, 'logon session')}, {count(report.remounts, 'remount')}")
    if len(report.hosts) > 1:
        hosts = ", ".join(f"{visible(host)} {number:,}" for host, number in report.hosts.items())
        lines.append(f"  hosts     {hosts} mounts")
    lines += _replaced(report)
    lines += [f"  metadata  {one}" for one in asked(report)]
    lines += _fidelity(report)
    lines += _originals(report)
    lines += _other_points(report)
    lines += _failed_groups(report)
    lines += _problems(report)
    lines += _changes(report)
    if report.files:
        width = max(map(len, report.files))
        lines += ["", "Files of this run:"]
        lines += [f"  {kind:<{width}}  {visible(path)}" for kind, path in report.files.items()]
    lines += _left(report.mounts_left)
    return _joined([*lines, *_next(report), "", report.closing_line])


def _next(report: Report) -> list[str]:
    """The command that comes next, ready to be copied; nothing when there is none."""
    resume = f"orchestrator resume {report.run}"
    match report.exit_code:
        case ExitCode.PARTIAL if "residual" in report.files:
            command = f"orchestrator run {visible(report.files['residual'])}"
        case ExitCode.EM | ExitCode.STOPPED:
            command = resume
        case ExitCode.MOUNTS_LEFT:
            command = "orchestrator sweep" + ("" if report.state == RunState.FINISHED.value else f", then {resume}")
        case _:
            return []
    return ["", f"next: {command}"]


def _when(report: Report) -> str:
    if report.ended is None:
        return f"started {instant(report.started)}, state {report.state}"
    return f"{instant(report.started)} to {instant(report.ended)}, {duration(report.seconds)}"


def _totals(report: Report) -> list[str]:
    totals = report.totals
    speed = f", {rate(totals.bytes / report.seconds)}" if report.seconds else ""
    done = sum(1 for group in report.groups if group.state == GroupState.DONE.value)
    lines = [
        f"restored  {count(totals.restored, 'file')}, {size(totals.bytes)}{speed}",
        f"skipped   {count(totals.skipped, 'file')}",
        f"refused   {count(totals.refused, 'file')}",
        f"failed    {count(totals.failed, 'file')}",
        f"machines  {done} of {count(len(report.groups), 'restore point')} done",
    ]
    proof = _PROOFS.get(report.verify)
    if proof:
        lines.append(f"proved    {proof}")
    return lines


_PROOFS = {
    "none": "by nothing but the size: no checksums were taken",
    "read-back": "every copy was read back from the disk",
}
"""What is said of a proof that is not the usual one."""


def _replaced(report: Report) -> list[str]:
    """What stood in the way, where it is now, and whether the run was undone."""
    lines = []
    if report.replaced:
        lines.append(f"  replaced  {count(report.replaced, 'file')}, which are not kept")
    for one in report.set_aside:
        where = full_target(TargetPath(one.root, f"{HOLDING}/{report.run}"))
        lines.append(f"  aside     {count(one.files, 'file')}, {size(one.bytes)}, in {visible(where)}")
    for undo in report.undos:
        told = f"{count(undo.returned, 'file')} put back, {undo.removed:,} removed, {undo.left:,} left"
        lines.append(f"  undone    {instant(undo.started)}: {told if undo.ended else 'not to its end'}")
    if report.set_aside:
        lines.append(f"  to undo   orchestrator undo {report.run}")
    return lines


def _fidelity(report: Report) -> list[str]:
    rows = card_rows(report.fidelity)
    if not rows:
        return []
    table = _table([("PROPERTY", *(head.upper() for head in HEADS)), *rows])
    lines = ["", "What files and folders are beside their bytes:", *table, *card_notes(report)]
    return lines[:2] + [f"  {line}" for line in lines[2:]]


def _originals(report: Report) -> list[str]:
    if not report.originals:
        return []
    lines = ["", "Restored to the original location by Enterprise Manager, by its own word:"]
    for one in report.originals[:SHOWN]:
        said = f" ({visible(one.message)})" if one.message else ""
        lines.append(f"  {visible(one.vm)}: {visible(one.guest_path)}: {original_words(one)}{said}")
    more = len(report.originals) - SHOWN
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def _failed_groups(report: Report) -> list[str]:
    bad = [group for group in report.groups if group.state != GroupState.DONE.value]
    if not bad:
        return []
    lines = ["", "Restore points that are not done:"]
    for group in bad:
        why = f": {visible(group.message)}" if group.message else ""
        lines.append(f"  {visible(group.vm)} as of {instant(group.created)}, {group.state}{why}")
    return lines


def _other_points(report: Report) -> list[str]:
    fallen = [group for group in report.groups if group.instead_of]
    lines = [
        f"  {visible(one.vm)}: {point_words(one.kind, one.created)}, after {len(one.instead_of)} that could not be"
        for one in fallen
    ]
    return ["", "Mounted instead of the first choice:", *lines] if lines else []


def _changes(report: Report) -> list[str]:
    if not report.changes:
        return []
    told = [(one.at, f"{one.change}, by {one.who}" if one.who else one.change) for one in report.changes]
    return ["", "Changed while it went on:", *(f"  {instant(at)}  {visible(text)}" for at, text in told)]


def _problems(report: Report) -> list[str]:
    lines: list[str] = []
    for slug, number in report.problems_by_reason.items():
        lines += ["", *_reason(slug, number, [one for one in report.problems if one.reason == slug])]
    return lines


def _reason(slug: str, number: int, problems: Sequence[Problem]) -> list[str]:
    cause, action = cause_and_action(slug)
    lines = [f"{count(number, 'problem')}: {cause} [{visible(slug)}]", f"  next: {action}"]
    for problem in problems[:EXAMPLES]:
        where = f"{visible(problem.vm)}: " if problem.vm else ""
        said = f" ({visible(problem.message)})" if problem.message else ""
        lines.append(f"    {where}{visible(problem.guest_path)}{said}")
    if number > EXAMPLES:
        lines.append(f"    and {number - EXAMPLES:,} more")
    return lines


def cause_and_action(slug: str) -> tuple[str, str]:
    """What a reason means and what to do about it; a slug that this version does not know says so."""
    try:
        reason = Reason.of(slug)
    except KeyError:
        return "no reason that this version knows", "see the message"
    return reason.cause, f"{reason.action} ({reason.owner})"


def _left(mounts: Sequence[LeftMount]) -> list[str]:
    if not mounts:
        return []
    lines = ["", "MOUNTS LEFT BEHIND. Run `orchestrator sweep`; if it cannot delete them, on the backup server:"]
    for mount in mounts:
        lines.append(f"  {visible(mount.vm)} as of {instant(mount.created)} on {visible(mount.backup_server)}")
        lines.append(f"    {visible(mount.cause)}")
        where = f" on {visible(mount.host)}" if mount.host else ""
        lines.append(f"    mount {visible(mount.href)}, folder {visible(mount.folder) or 'unknown'}{where}")
        lines.append(f"    {visible(mount.remedy)}")
    return lines


def runs_text(runs: Sequence[RunRow]) -> str:
    """One line per run, in the order given."""
    if not runs:
        return _joined(["No runs yet."])
    rows = [("RUN", "JOB", "STATE", "STARTED", "TOOK", "EXIT")]
    for run in runs:
        took = duration((run.ended - run.started).total_seconds()) if run.ended else "-"
        code = "-" if run.exit_code is None else str(run.exit_code)
        rows.append((visible(run.id), visible(run.job), run.state.value, instant(run.started), took, code))
    return _joined(_table(rows))


def queue_text(lines: Sequence[QueueLine], paused: bool) -> str:
    """The queue of the watcher, one line per job."""
    head = ["Paused: nothing new begins; `orchestrator unpause` goes on.", ""] if paused else []
    if not lines:
        return _joined([*head, "No job waits, runs or recurs."])
    rows = [("JOB", "STATE", "PRIORITY", "TAKEN", "BEGINS", "WHY", "RUN", "FILE")]
    for one in lines:
        begins = instant(one.begins) if one.begins else "-"
        names = (visible(one.cause) or "-", visible(one.run) or "-", visible(one.file))
        rows.append((visible(one.job), one.state, str(one.priority), instant(one.taken), begins, *names))
    return _joined([*head, *_table(rows)])


def standing_text(runs: Sequence[RunRow], jobs: int, left: Sequence[LeaseRow], *, somebody: bool, paused: bool) -> str:
    """Every run, and what a person should know besides. `jobs`: how many dropped ones have not ended; `left`: mounts
    that no run holds any more; `somebody`: an orchestrator is running."""
    parts = [runs_text(runs)]
    if jobs:
        parts.append(f"{count(jobs, 'dropped job')} not ended yet; `orchestrator queue` shows what each waits for.\n")
    if paused:
        parts.append("Paused: nothing new begins; `orchestrator unpause` goes on.\n")
    if not somebody and any(run.state is RunState.RUNNING for run in runs):
        parts.append(
            "No orchestrator is running here. What is shown as running has died: dropped jobs go on when the watcher\n"
            "is started, other runs by `orchestrator resume`.\n"
        )
    if left:
        names = [f"{visible(one.point.vm)} on {visible(one.point.backup_server)}" for one in left]
        others = f" and {len(names) - MOUNTS_SHOWN:,} more" if len(names) > MOUNTS_SHOWN else ""
        parts.append(f"Mounts left: {', '.join(names[:MOUNTS_SHOWN])}{others}. `orchestrator sweep` deletes them.\n")
    return "\n".join(parts)


def status_text(
    run: RunRow,
    groups: Sequence[GroupRow],
    totals: Mapping[str, Totals],
    leases: Sequence[LeaseRow],
    now: datetime,
) -> str:
    """Where one run is: its groups, what is done, the mounts that EM holds for it. `totals` is by group id."""
    everything = sum(totals.values(), Totals())
    took = ((run.ended or now) - run.started).total_seconds()
    lines = [
        f"Run {visible(run.id)} of job {visible(run.job)}: {run.state.value}, started {instant(run.started)},"
        f" {'took' if run.ended else 'for'} {duration(took)}",
        f"restored {everything.restored:,} ({size(everything.bytes)}), skipped {everything.skipped:,},"
        f" refused {everything.refused:,}, failed {everything.failed:,}",
    ]
    if run.exit_code is not None:
        lines.append(f"exit code {run.exit_code}: {verdict(run.exit_code)}")
    rows = [("GROUP", "MACHINE", "STATE", "RESTORED", "BYTES", "NOTE")]
    for row in groups:
        sum_ = totals.get(row.group, Totals())
        note = visible(row.message)
        rows.append((row.group, visible(row.vm), row.state.value, f"{sum_.restored:,}", size(sum_.bytes), note))
    lines += ["", *_table(rows)] if groups else []
    held = [lease for lease in leases if lease.state in OPEN_STATES]
    lines += ["", f"mounts open: {len(held)}"]
    for lease in held:
        href = visible(lease.mount_href or lease.task_href or lease.point.mounts_href)
        where = f"  on {visible(lease.host)}" if lease.host else ""
        lines.append(f"  {visible(lease.point.vm)}  {lease.state.value} since {instant(lease.opened)}  {href}{where}")
    return _joined(lines)


def pruned_text(pruned: Pruned) -> str:
    """The runs that were removed or would be, and how many stay."""
    lines = [*runs_text(pruned.removed).splitlines(), ""] if pruned.removed else []
    for run, cause in pruned.left.items():
        lines.append(f"left: {visible(run)}: {visible(cause)}")
    done = "to be removed" if pruned.dry else "removed"
    lines.append(
        f"{done}: {count(len(pruned.removed), 'run')} and {count(pruned.claims, 'dropped job')};"
        f" {count(pruned.kept, 'run')} kept"
    )
    return _joined(lines)


def drills_text(drills: Sequence[DrillRow]) -> str:
    """One line per drill, in the order given, and one of trend for each job."""
    if not drills:
        return _joined(["No drills yet."])
    rows = [("RUN", "ENDED", "POINTS", "FILES", "BYTES", "RESTORE", "SLOWEST", "VERIFY", "DIFFER", "EXIT")]
    for one in drills:
        slowest = f"{duration(one.slowest)} {visible(one.slowest_vm)}".rstrip()
        numbers = f"{one.groups:,}", f"{one.files:,}", size(one.bytes), duration(one.seconds)
        end = slowest, duration(one.verify_seconds), f"{one.differences:,}", str(one.exit_code)
        rows.append((visible(one.run), instant(one.ended), *numbers, *end))
    return _joined([*_table(rows), "", *map(_trend, drill_trends(drills))])


def _trend(trend: DrillTrend) -> str:
    job = visible(trend.job)
    if trend.recent is None:
        return f"{job}: no drill has come to its end"
    now = f"{job}: {duration(trend.recent)} to restore, median of {count(trend.recent_drills, 'drill')}"
    if trend.before is None:
        return f"{now}; too few for a trend"
    change = f", {trend.change:+.0%}" if trend.change is not None else ""
    return f"{now}; {duration(trend.before)} in the {count(trend.before_drills, 'drill')} before{change}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two spaces between; no spaces at the end of a line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
