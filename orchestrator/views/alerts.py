"""What on the status page needs a person, the worst first, and the one line above everything."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal, NamedTuple

from orchestrator.core.errors import ExitCode
from orchestrator.core.snapshot import Ended, LeftBehind, RunNow, Snapshot
from orchestrator.views.text import cause_and_action
from orchestrator.views.units import about, clipped, clock, count, short_verdict

Tone = Literal["good", "fair", "bad", "quiet"]

STALLED_AFTER = 120.0
"""Seconds without any movement, while a mount is open, that a person should know of."""

STUCK_AFTER = 600.0
ENDED_WITHIN = timedelta(hours=24)
"""A job that ended badly is told of for so long, unless it ended well since."""

TONES: dict[int | None, Tone] = {ExitCode.OK: "good", ExitCode.PARTIAL: "fair", ExitCode.STOPPED: "fair"}


class Alert(NamedTuple):
    """One thing to look at. `text` says what is known and what to do."""

    tone: Tone
    title: str
    text: str = ""


class Headline(NamedTuple):
    """The first line of the page, and what is going on in a few words."""

    tone: Tone
    title: str
    text: str


def tone_of(exit_code: int | None) -> Tone:
    """How bad an ending is."""
    return TONES.get(exit_code, "bad")


def headline(snapshot: Snapshot, found: tuple[Alert, ...]) -> Headline:
    """Said of everything at once."""
    parts = [
        f"{count(len(snapshot.runs), 'run')} going on",
        f"{count(len(snapshot.mounts), 'mount')} open",
        f"{count(snapshot.outlook.queue_length, 'job')} waiting",
    ]
    text = ", ".join(parts)
    if any(alert.tone == "bad" for alert in found):
        return Headline("bad", "Needs attention", text)
    if found:
        return Headline("fair", "Needs a look", text)
    if snapshot.runs:
        return Headline("good", "All is well", text)
    return Headline("quiet", "Nothing is running", text)


def alerts(snapshot: Snapshot) -> tuple[Alert, ...]:
    """Everything that needs a person."""
    found = [*_left(snapshot), *_held_up(snapshot), *_missed(snapshot), *_ended(snapshot)]
    for run in snapshot.runs:
        found += _of_run(run, snapshot)
    return tuple(sorted(found, key=lambda alert: alert.tone != "bad"))


def _left(snapshot: Snapshot) -> Iterator[Alert]:
    if left := snapshot.mounts_left:
        named = "; ".join(_named(one) for one in left[:3])
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        title = f"{count(len(left), 'mount')} may be left behind"
        yield Alert("bad", title, f"{named}{more}. Run `orchestrator sweep`.")


def _named(mount: LeftBehind) -> str:
    if not mount.vm:
        return clipped(mount.href, 60)
    return f"{clipped(mount.vm, 60)} on {clipped(mount.backup_server, 60)}"


def _held_up(snapshot: Snapshot) -> Iterator[Alert]:
    if snapshot.stopping:
        yield Alert("fair", "Everything is being stopped", "Mounts are deleted; `orchestrator resume` goes on later.")
    if snapshot.outlook.paused:
        yield Alert("fair", "The queue is paused", "Runs that are going on go on. Nothing new begins.")


def _of_run(run: RunNow, snapshot: Snapshot) -> Iterator[Alert]:
    job = clipped(run.job, 60)
    if run.late and run.forecast and run.deadline:
        late = about((run.forecast - run.deadline).total_seconds())
        text = f"It ends at about {clock(run.forecast, snapshot.at)} as things go, {late} too late."
        yield Alert("bad", f"{job} misses its deadline of {clock(run.deadline, snapshot.at)}", text)
    if run.groups_stuck:
        wait = "waits" if run.groups_stuck == 1 else "wait"
        title = f"{job}: {count(run.groups_stuck, 'restore point')} {wait} that no worker can take"
        yield Alert("bad", title, clipped("; ".join(run.stuck_because)))
    if run.paused:
        title, text = f"{job} is paused", f"Its mounts stay open. Run `orchestrator unpause {clipped(run.run, 80)}`."
        yield Alert("fair", title, text)
    still = (snapshot.at - run.moved).total_seconds()
    if run.mounts_open and not run.paused and still >= STALLED_AFTER:
        tone: Tone = "bad" if still >= STUCK_AFTER else "fair"
        yield Alert(tone, f"{job} stands still", f"Nothing has moved for {about(still)}. Are the mount shares there?")
    if run.groups_failed:
        yield Alert("fair", f"{job}: {count(run.groups_failed, 'restore point')} failed", "Its row says why.")
    if run.problems:
        worst = run.problems[0]
        cause, action = cause_and_action(worst.reason)
        number = sum(one.count for one in run.problems)
        title = f"{job}: {count(number, 'file')} not restored"
        yield Alert("fair", title, f"Mostly: {cause}. Next: {action}.")


def _missed(snapshot: Snapshot) -> Iterator[Alert]:
    for one in snapshot.missed:
        if snapshot.at - one.at < ENDED_WITHIN:
            title = f"{clipped(one.job, 60)} missed its time, {clock(one.due, snapshot.at)}"
            yield Alert("fair", title, clipped(one.cause))


def _ended(snapshot: Snapshot) -> Iterator[Alert]:
    """The last ending of each job, when it was a bad one."""
    again = {run.job for run in snapshot.runs}
    last: dict[str, Ended] = {}
    for one in snapshot.history:
        last.setdefault(one.job, one)
    for one in last.values():
        if one.ended is None or snapshot.at - one.ended >= ENDED_WITHIN or one.job in again:
            continue
        told_already = one.exit_code == ExitCode.MOUNTS_LEFT and snapshot.mounts_left
        if one.exit_code != ExitCode.OK and not told_already:
            how = f"ended {clock(one.ended, snapshot.at)}" if one.run else "did not start"
            title = f"{clipped(one.job, 60)} {how}: {short_verdict(one.exit_code)}"
            yield Alert(tone_of(one.exit_code), title, clipped(one.line))
