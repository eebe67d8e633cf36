"""What a close look at a plan has seen, and what follows from it, as text and as values for JSON."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.core.plan import Plan
from orchestrator.core.survey import Fate, Forecast, Lock, Look, Room, Survey
from orchestrator.views.units import about, clock, count, instant, rate, size, visible

LOCKS_SHOWN = 10
"""So many backup files are told one by one, the longest first."""

MACHINES_SHOWN = 5

PROBLEMS_SHOWN = 20


def survey_text(plan: Plan, survey: Survey, ahead: Forecast) -> str:
    """Files, room, time and locks."""
    names = {group.id: group.vm for group in plan.groups}
    lines = ["Listed:"]
    for group, vm in names.items():
        looks = [one for one in survey.looks if one.group == group]
        if looks:
            lines.append(f"  {group}  {visible(vm)}: {_sum(looks)}")
    if len(names) > 1:
        lines.append(f"  in all: {_sum(survey.looks)}")
    lines += _shown("Would be refused:", [visible(text) for one in survey.looks for text in one.refusals])
    lines += _shown("Could not be looked at:", [visible(text) for text in survey.problems])
    lines += ["", "Room:", *(f"  {_room(one)}" for one in ahead.rooms)]
    lines += ["", f"Time: {_time(ahead)}", *_locks(ahead), *_window(ahead)]
    return "\n".join([*lines, ""])


def _sum(looks: Sequence[Look]) -> str:
    fates = Counter({fate: sum(one.count(fate) for one in looks) for fate in Fate})
    told = "".join(f", {fates[fate]:,} {fate.value}" for fate in Fate if fates[fate])
    files, whole = sum(one.tree.files for one in looks), sum(one.tree.bytes for one in looks)
    return f"{count(files, 'file')}, {size(whole)}{told}; {size(sum(one.needed for one in looks))} to be written"


def _shown(heading: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    more = len(lines) - PROBLEMS_SHOWN
    told = [f"  {line}" for line in lines[:PROBLEMS_SHOWN]]
    return ["", heading, *told, *([f"  and {more:,} more"] if more > 0 else [])]


def _room(room: Room) -> str:
    if room.free is None:
        return f"{visible(room.folder)}: {size(room.needed)} needed; how much is free cannot be told"
    told = f"{size(room.needed)} needed, {size(room.free)} free, {size(room.reserve)} of it reserved"
    return f"{visible(room.folder)}: {told}: {'enough' if room.fits else 'NOT ENOUGH'}"


def _time(ahead: Forecast) -> str:
    past = ahead.past
    if ahead.seconds is None or past.since is None:
        return "not known, because no run has restored anything with this state folder yet"
    runs = f"{count(past.runs, 'run')} since {instant(past.since)}"
    speed = f"{rate(past.bytes / past.seconds)}, {past.files / past.seconds:,.0f} files/s"
    return f"about {about(ahead.seconds)}, by {runs}: {speed}"


def _locks(ahead: Forecast) -> list[str]:
    minutes = ahead.lock_minutes
    if minutes is None:
        return ["Locks: not known; each backup file is locked as long as its mount is open"]
    lines = [f"Locks: about {minutes:,.1f} lock-minutes; each backup file is locked as long as its mount is open"]
    lines += [f"  {_lock(one)}" for one in ahead.locks[:LOCKS_SHOWN]]
    more = len(ahead.locks) - LOCKS_SHOWN
    return [*lines, *([f"  and {more:,} more"] if more > 0 else [])]


def _lock(lock: Lock) -> str:
    names = ", ".join(map(visible, lock.machines[:MACHINES_SHOWN]))
    more = f" and {len(lock.machines) - MACHINES_SHOWN:,} more" if len(lock.machines) > MACHINES_SHOWN else ""
    file = visible(lock.file) if lock.file else "the backup file"
    return f"{visible(lock.server)}: {file} of {names}{more}: about {about(lock.seconds or 0.0)}"


def _window(ahead: Forecast) -> list[str]:
    if ahead.window is None:
        return []
    if ahead.window <= ahead.at:
        until = f" until {clock(ahead.closes, ahead.at)}" if ahead.closes else ""
        return [f"Backup window: open{until}; backup jobs that need these files may fail while they are locked"]
    opens = f"opens at {clock(ahead.window, ahead.at)}"
    if ahead.seconds is None:
        return [f"Backup window: {opens}; the run should have ended by then"]
    if ahead.collides:
        return [f"Backup window: {opens}, BEFORE the end of a run that begins now; run it later, or less of it"]
    return [f"Backup window: {opens}, after the end of a run that begins now"]


def survey_values(survey: Survey, ahead: Forecast) -> dict[str, Any]:
    """The same for programs."""
    return {
        "looks": [_look_values(one) for one in survey.looks],
        "problems": list(survey.problems),
        "rooms": [
            {"folder": one.folder, "needed": one.needed, "free": one.free, "reserve": one.reserve, "fits": one.fits}
            for one in ahead.rooms
        ],
        "seconds": ahead.seconds,
        "past_runs": ahead.past.runs,
        "lock_minutes": ahead.lock_minutes,
        "locks": _lock_values(ahead.locks),
        "backup_window": ahead.window.isoformat() if ahead.window else None,
        "collides": ahead.collides,
    }


def _look_values(look: Look) -> dict[str, Any]:
    return {
        "group": look.group,
        "destination": look.destination,
        "files": look.tree.files,
        "bytes": look.tree.bytes,
        **{fate.value: look.count(fate) for fate in Fate},
        "needed": look.needed,
        "freed": look.freed,
        "refusals": list(look.refusals),
    }


def _lock_values(locks: Iterable[Lock]) -> list[dict[str, Any]]:
    return [
        {"server": one.server, "file": one.file, "machines": list(one.machines), "seconds": one.seconds}
        for one in locks
    ]
