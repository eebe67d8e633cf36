"""What happened, in a line for a person: the list of recent events on the status page."""

from orchestrator.core.events import (
    DeadlineInDanger,
    DrillEnded,
    Event,
    GroupEnded,
    GroupPutOff,
    GroupsStuck,
    JobNotStarted,
    JobRejected,
    LimitChanged,
    MountGone,
    MountLeft,
    Notice,
    OperatorActed,
    OriginalEnded,
    OtherPointTaken,
    QueuePaused,
    RunEnded,
    RunPaused,
    RunStarted,
    ScheduleMissed,
    SessionRenewed,
    Stopping,
    SweepEnded,
    WatcherReady,
    WorkerReady,
)
from orchestrator.core.ledger import GroupState
from orchestrator.views.limits import change_line
from orchestrator.views.units import count, duration, instant, point_words, short_verdict

_ASKED = {
    "pause": "pause everything",
    "resume": "let everything go on",
    "drain": "drain",
    "cancel": "cancel",
    "sweep": "sweep",
}


def told(event: Event) -> str:
    """One line; empty for what no list tells. Names in it are as they are: what shows the line makes them visible."""
    match event:
        case RunStarted(job=job, groups=groups, resumed=resumed):
            return f"{job} {'goes on' if resumed else 'started'}: {count(groups, 'restore point')}"
        case RunEnded(run=run, exit_code=code):
            return f"{run} ended: {short_verdict(code)}"
        case GroupEnded(vm=vm, state=state, message=message) if state != GroupState.DONE.value:
            return f"{vm} {state}" + (f": {message}" if message else "")
        case GroupPutOff(vm=vm, message=message):
            return f"{vm} waits for its second turn: {message}"
        case OtherPointTaken(vm=vm):
            return f"{vm}: {point_words(event.source, event.created)} is tried instead: {event.message}"
        case OriginalEnded(vm=vm, guest_path=path, result=result, message=message):
            how = f"restore of {path} to its original location: {result.value}"
            return f"{vm}: {how}" + (f": {message}" if message else "")
        case MountLeft(vm=vm, backup_server=server, cause=cause):
            return f"mount of {vm} on {server} left behind: {cause}"
        case MountGone(vm=vm, cause=cause):
            return f"mount of {vm} lost, it is mounted again: {cause}"
        case SessionRenewed(cause=cause):
            return f"logged on to Enterprise Manager again: {cause}"
        case Stopping(how=how, run=run):
            return f"stopping {run or 'everything'}, {'files in flight are finished' if how == 'drain' else 'at once'}"
        case LimitChanged() | RunPaused():
            return change_line(event)
        case GroupsStuck():
            return stuck_words(event)
        case Notice(message=message):
            return message
        case OperatorActed(who=who, what=what, run=run):
            return f"{who} asked to {_ASKED.get(what, what)}" + (f" {run}" if run else "")
        case _:
            return _told_by_the_watcher(event)


def _told_by_the_watcher(event: Event) -> str:
    match event:
        case WatcherReady(folder=folder):
            return f"watching {folder}"
        case WorkerReady(name=name, site=site, mounts=mounts):
            return f"{name} serves {site or 'every site'} with {count(mounts, 'mount')} at once"
        case SweepEnded(cleared=cleared, left=left):
            return f"sweep: {count(len(cleared), 'mount')} cleared, {len(left)} left"
        case JobRejected(file=file, message=message):
            return f"{file} is no job: {message}"
        case JobNotStarted(job=job, message=message):
            return f"{job} did not start: {message}"
        case ScheduleMissed(job=job, due=due, cause=cause):
            return f"{job} missed {instant(due)}: {cause}"
        case QueuePaused(paused=paused):
            return "paused: nothing new begins" if paused else "the queue goes on"
        case DeadlineInDanger(job=job, deadline=deadline, forecast=forecast):
            return f"{job} may end {instant(forecast)}, its deadline is {instant(deadline)}"
        case DrillEnded(job=job, files=files, seconds=seconds, differences=differences):
            how = count(differences, "difference") if differences else "all as it should be"
            return f"drill of {job}: {count(files, 'file')} in {duration(seconds)}, {how}"
        case _:
            return ""


def stuck_words(event: GroupsStuck) -> str:
    """What waits for nobody, and why. Names in it are as they are."""
    if not event.groups:
        return f"{event.run}: nothing waits any more that no worker can take"
    wait = "waits" if event.groups == 1 else "wait"
    return f"{count(event.groups, 'restore point')} {wait} that no worker can take: {'; '.join(event.why)}"
