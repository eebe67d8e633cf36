"""Limits and pauses in words, for people and for programs."""

from datetime import datetime
from typing import Any

from orchestrator.core.events import LimitChanged, RunPaused
from orchestrator.core.limiting import BY_HAND, Limit, LimitedRun, LimitNow, LimitsNow
from orchestrator.views.units import clock, visible


def change_line(event: LimitChanged | RunPaused) -> str:
    """What has changed and by whom, in a line. Names in it are as they are: what shows the line makes them visible."""
    return change_words(event) + (f", by {event.who}" if event.who else "")


def change_words(event: LimitChanged | RunPaused) -> str:
    """What has changed."""
    if isinstance(event, RunPaused):
        what = "paused: no file is begun, those in flight are held" if event.paused else "goes on"
        return f"{event.run} {what}"
    what = _what(event.what, event.run, event.backup_server)
    if not event.before:
        return f"{what} is limited to {event.value} ({event.cause})"
    why = "" if event.who else f" ({event.cause})"
    return f"{what} is {event.value} from now on, it was {event.before}{why}"


def limits_text(found: LimitsNow, now: datetime) -> str:
    """The limits in force, one on a line, and the runs that are paused."""
    rows = [(_what_of(one), one.text, _why(one, now)) for one in found.limits]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{what:<{wide[0]}}  {value:<{wide[1]}}  {why}" for what, value, why in rows]
    lines += [f"{run.run} {'is paused' if run.paused else 'is going on'}" for run in found.runs]
    return "\n".join(map(visible, lines))


def limits_line(found: LimitsNow) -> str:
    """What of it a person should know who looks at everything: bandwidths, what was changed by hand, paused runs."""
    limits = [
        f"{_what_of(one)} {one.text}"
        for one in found.limits
        if one.cause == BY_HAND or (one.limit.what == "bandwidth" and one.value is not None)
    ]
    lines = [f"Limited: {', '.join(limits)}. `orchestrator limit` shows why."] if limits else []
    lines += [f"{run.run} is paused; `orchestrator unpause {run.run}` goes on." for run in found.runs if run.paused]
    return "\n".join(map(visible, lines))


def run_limits(found: LimitsNow, run: str) -> dict[str, Any]:
    """`paused` and `limits` of a run that is going on, as values for JSON; nothing for any other run."""
    paused = next((one.paused for one in found.runs if one.run == run), None)
    if paused is None:
        return {}
    limits = [one for one in limits_values(found)["limits"] if one["run"] in ("", run)]
    return {"paused": paused, "limits": limits}


def limits_values(found: LimitsNow) -> dict[str, Any]:
    """The same as values for JSON: `limits` and `runs`."""
    limits = [
        {
            "what": one.limit.what,
            "run": one.limit.run,
            "backup_server": one.limit.backup_server,
            "value": one.value,
            "text": one.text,
            "cause": one.cause,
            "until": one.until.isoformat() if one.until else None,
        }
        for one in found.limits
    ]
    return {"limits": limits, "runs": [{"run": one.run, "job": one.job, "paused": one.paused} for one in found.runs]}


def limits_of(values: Any) -> LimitsNow:
    """What `limits_values` has made values of."""
    limits = tuple(
        LimitNow(
            Limit(one["what"], one["run"], one["backup_server"]),
            one["value"],
            one["cause"],
            datetime.fromisoformat(one["until"]) if one["until"] else None,
        )
        for one in values["limits"]
    )
    return LimitsNow(limits, tuple(LimitedRun(one["run"], one["job"], one["paused"]) for one in values["runs"]))


def _what(what: str, run: str, backup_server: str) -> str:
    return f"{what} of {run or backup_server}" if run or backup_server else what


def _what_of(one: LimitNow) -> str:
    return _what(one.limit.what, one.limit.run, one.limit.backup_server)


def _why(one: LimitNow, now: datetime) -> str:
    return f"{one.cause}, until {clock(one.until, now)}" if one.until else one.cause
