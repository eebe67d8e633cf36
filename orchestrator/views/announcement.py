"""Announcements as a person reads them in a mail or a chat: what happened, numbers, what to do next."""

import shlex
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.announce import Announcement, Kind
from orchestrator.core.errors import ExitCode
from orchestrator.core.ledger import Totals
from orchestrator.views.units import count, duration, instant, size, verdict, visible

TITLE_LIMIT = 200
"""Characters; a subject line that is longer is cut by somebody else, at a worse place."""

MESSAGE_LIMIT = 1000
"""Characters of one reason."""


def announcement_title(one: Announcement) -> str:
    """One line, for the subject of a mail."""
    title = f"{'[test] ' if one.test else ''}orchestrator: {_headline(one)}"
    return title if len(title) <= TITLE_LIMIT else title[: TITLE_LIMIT - 3] + "..."


def _headline(one: Announcement) -> str:
    job = visible(one.job) or "a job"
    match one.kind:
        case Kind.STARTED:
            return f"{job} goes on" if one.resumed else f"{job} started"
        case Kind.FINISHED:
            return f"{job} finished, {count((one.totals or Totals()).restored, 'file')} restored"
        case Kind.PARTIAL:
            bad = one.totals.refused + one.totals.failed if one.totals else 0
            return f"{job} finished, {count(bad, 'file') if bad else 'some entries'} not restored"
        case Kind.FAILED:
            return f"{job} failed, exit code {one.exit_code}"
        case Kind.STOPPED:
            return f"{job} was stopped"
        case Kind.MOUNTS_LEFT:
            return f"{job} left {count(one.mounts_left, 'mount') if one.mounts_left else 'a mount'} behind"
        case Kind.COULD_NOT_START:
            return f"{count(one.count, 'job')} could not be started" if one.count > 1 else f"{job} could not be started"
        case Kind.MISSED:
            return f"{count(one.count, 'run')} missed" if one.count > 1 else f"{job} missed its time"
        case Kind.DEADLINE_IN_DANGER:
            return f"{job} may miss its deadline"
        case Kind.DRILL:
            return f"drill {job} {'passed' if one.exit_code == ExitCode.OK else 'did not pass'}"


def announcement_text(one: Announcement, folder: str = "", host: str = "") -> str:
    """The whole message as plain text. `folder` is where the files of the run are, `host` who tells it."""
    parts = [_happened(one), _numbers(one), _next(one, folder), _sender(one, folder, host)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _happened(one: Announcement) -> list[str]:
    """What happened. A sample says so first."""
    lines = ["This is a test: nothing has happened.", ""] if one.test else []
    if one.run:
        lines.append(f"Run {visible(one.run)}" + (f" of job {visible(one.job)}" if one.job else "") + ".")
    elif one.job:
        lines.append(f"Job {visible(one.job)}.")
    lines.append(_sentence(one))
    if one.message:
        lines.append(_one_line(one.message))
    lines += [f"  {_one_line(example)}" for example in one.examples]
    if one.examples and one.count > len(one.examples):
        lines.append(f"  and {one.count - len(one.examples):,} more")
    return lines


def _sentence(one: Announcement) -> str:
    match one.kind:
        case Kind.STARTED:
            begun = "The run goes on" if one.resumed else "The run has started"
            return f"{begun}: {count(one.groups or 0, 'restore point')}."
        case Kind.COULD_NOT_START if one.count > 1:
            return f"{count(one.count, 'job')} could not be started within the last minute:"
        case Kind.COULD_NOT_START:
            return "The job could not be started; nothing was restored."
        case Kind.MISSED if one.count > 1:
            return f"{count(one.count, 'due time')} went by without a run:"
        case Kind.MISSED:
            return f"The run that was due at {instant(one.due)} did not take place."
        case Kind.DEADLINE_IN_DANGER:
            return f"As things go, it ends at {instant(one.forecast)}, after its deadline {instant(one.deadline)}."
        case Kind.DRILL if one.differences:
            return f"Verifying failed for {count(one.differences, 'file')}."
        case Kind.DRILL if one.exit_code == ExitCode.OK:
            return "What was restored was verified and removed again."
        case Kind.MOUNTS_LEFT if one.exit_code is None:
            return "A mount could not be deleted; it holds a backup file until it is gone."
        case _:
            return verdict(one.exit_code)


def _numbers(one: Announcement) -> list[str]:
    rows = []
    if (totals := one.totals) is not None:
        rows += [("restored", f"{count(totals.restored, 'file')}, {size(totals.bytes)}")]
        rows += [(name, f"{getattr(totals, name):,}") for name in ("skipped", "refused", "failed")]
    if one.files is not None and one.bytes is not None:
        rows.append(("restored", f"{count(one.files, 'file')}, {size(one.bytes)}"))
    if one.seconds is not None:
        rows.append(("took", duration(one.seconds)))
    if one.mounts_opened is not None:
        rows.append(("mounts", f"opened {one.mounts_opened}, deleted {one.mounts_deleted}, left {one.mounts_left}"))
    return [f"{name:<9} {value}" for name, value in rows]


def next_commands(one: Announcement, folder: str = "") -> tuple[str, ...]:
    """The commands that come next, in order; none when there is nothing to do."""
    run = f" {shlex.quote(visible(one.run))}" if one.run else ""
    residual = (f"orchestrator run {shlex.quote(visible(f'{folder}/residual.toml'))}",) if folder else ()
    match one.kind, one.exit_code:
        case Kind.PARTIAL, _:
            return (f"orchestrator report{run}", *residual)
        case Kind.MOUNTS_LEFT, None:
            return ("orchestrator sweep",)
        case Kind.MOUNTS_LEFT, _:
            return ("orchestrator sweep", f"orchestrator report{run}")
        case Kind.STOPPED, _:
            return (f"orchestrator resume{run}",)
        case Kind.FAILED, ExitCode.STATE:
            return (f"orchestrator resume{run}",)
        case Kind.FAILED, ExitCode.BUG:
            return ("orchestrator sweep", f"orchestrator resume{run}")
        case Kind.FAILED, _:
            return (f"orchestrator report{run}", f"orchestrator resume{run}")
        case Kind.DEADLINE_IN_DANGER, _:
            return (f"orchestrator status{run}",)
        case Kind.DRILL, code if code != ExitCode.OK:
            return (f"orchestrator report{run}",)
        case _:
            return ()


def _next(one: Announcement, folder: str) -> list[str]:
    if commands := next_commands(one, folder):
        lines = [f"  {command}" for command in commands]
        if one.kind is Kind.PARTIAL and folder:
            lines[-1] += "    (if the report names this file)"
        still_running = one.kind is Kind.MOUNTS_LEFT and one.exit_code is None
        return ["When the run has ended:" if still_running else "Next:", *lines]
    match one.kind:
        case Kind.COULD_NOT_START:
            return ["Next: put right what the message names, then start the job again."]
        case Kind.MISSED:
            return ["Next: if it is needed, start the job by hand."]
        case _:
            return []


def _sender(one: Announcement, folder: str, host: str) -> list[str]:
    lines = []
    if folder and (one.totals is not None or one.kind is Kind.DRILL):  # a run that broke off has written none
        lines.append(f"Report: {visible(f'{folder}/report.html')}")
    return [*lines, f"{f'{visible(host)}, ' if host else ''}{instant(one.at)}"]


def announcement_values(one: Announcement, folder: str = "", host: str = "") -> dict[str, Any]:
    """Everything there is to say, flat and by name: for templates and for programs. Every key is always there; what a
    kind does not have is None. Times are ISO 8601 in UTC; texts can drive no terminal."""
    totals = one.totals
    return {
        "kind": one.kind.value,
        "title": announcement_title(one),
        "text": announcement_text(one, folder, host),
        "test": one.test,
        "at": _iso(one.at),
        "host": visible(host),
        "job": visible(one.job),
        "run": visible(one.run),
        "message": _one_line(one.message),
        "exit_code": None if one.exit_code is None else int(one.exit_code),
        "meaning": "" if one.exit_code is None else verdict(one.exit_code),
        "resumed": one.resumed,
        "groups": one.groups,
        "restored": totals.restored if totals else one.files,
        "skipped": totals.skipped if totals else None,
        "refused": totals.refused if totals else None,
        "failed": totals.failed if totals else None,
        "bytes": totals.bytes if totals else one.bytes,
        "seconds": one.seconds,
        "mounts_opened": one.mounts_opened,
        "mounts_deleted": one.mounts_deleted,
        "mounts_left": one.mounts_left,
        "differences": one.differences,
        "due": _iso(one.due),
        "deadline": _iso(one.deadline),
        "forecast": _iso(one.forecast),
        "count": one.count,
        "examples": [_one_line(example) for example in one.examples],
        "commands": list(next_commands(one, folder)),
        "folder": visible(folder),
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    """A message of several lines on one: what a stranger wrote into a job shall not look like words of ours."""
    line = "; ".join(part.strip(" :") for part in text.splitlines() if part.strip())
    return visible(line if len(line) <= MESSAGE_LIMIT else f"{line[:MESSAGE_LIMIT]}...")
