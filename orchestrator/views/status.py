"""The status page: the whole page, and the part of it that changes. Usable without script; escapes every name."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from orchestrator.core.snapshot import RunNow, Snapshot
from orchestrator.views.alerts import Tone, alerts, headline, tone_of
from orchestrator.views.text import cause_and_action
from orchestrator.views.told import told
from orchestrator.views.units import about, clipped, clock, count, duration, rate, short_verdict, size, visible

WALL_ROWS = {1: 11, 2: 4}
"""Machines that a wall screen has room for, by the number of runs it shows."""

WALL_RUNS = 3
WALL_LINES = 3


@dataclass(frozen=True, slots=True)
class Look:
    """How it is shown: for a wall screen (nothing to touch), with buttons for operators. `place` names the machine,
    `version` the style and the script that go with it."""

    wall: bool = False
    actions: bool = False
    place: str = ""
    version: str = ""


class Figure(NamedTuple):
    """One number at the top."""

    name: str
    value: str
    unit: str = ""
    tone: Tone = "quiet"


def _template_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.views", ""),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "about": about,
        "clipped": clipped,
        "clock": clock,
        "duration": duration,
        "iso": _iso,
        "rate": rate,
        "short_verdict": short_verdict,
        "size": size,
        "told": told,
        "tone": tone_of,
        "visible": visible,
    }
    environment.globals |= {"count": count, "reason": cause_and_action}
    return environment


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


_ENVIRONMENT = _template_environment()
_ENVIRONMENT.get_template("status_parts.html.j2")  # kept, so that rendering reads no file
_PAGE = _ENVIRONMENT.get_template("status.html.j2")
_LIVE = _ENVIRONMENT.get_template("status_live.html.j2")
_WALL = _ENVIRONMENT.get_template("status_wall.html.j2")


def status_page(snapshot: Snapshot, look: Look) -> str:
    """The whole page. What changes is inside it already, so that it can be read without script."""
    live = status_fragment(snapshot, look)
    return _PAGE.render(live=live, look=look, head=headline(snapshot, alerts(snapshot)), snapshot=snapshot)


def status_fragment(snapshot: Snapshot, look: Look) -> str:
    """The element `main` of the page, as it is now."""
    found = alerts(snapshot)
    return (_WALL if look.wall else _LIVE).render(
        s=snapshot,
        look=look,
        alerts=found,
        head=headline(snapshot, found),
        figures=list(_figures(snapshot)),
        rows=_rows(snapshot.runs),
        wall_runs=WALL_RUNS,
        soon=list(_soon(snapshot)),
    )


def _soon(snapshot: Snapshot) -> Iterator[tuple[str, str, datetime | None]]:
    """(job, why, when) of what begins next, for a wall: jobs that wait, then what the clock will start."""
    outlook = snapshot.outlook
    waiting = [(one.job, one.cause or "waits for its turn", one.until) for one in outlook.queue[: WALL_LINES - 1]]
    yield from waiting
    for one in outlook.upcoming[: WALL_LINES - len(waiting)]:
        yield one.job, one.cause, one.due


def _rows(runs: tuple[RunNow, ...]) -> list[int]:
    """How many machines of each run a wall shows: fair shares, and what one does not need goes to the others."""
    rows, room = [0] * len(runs), WALL_ROWS.get(len(runs), 0)
    wanted = [len(run.groups) + len(run.ended_groups) for run in runs]
    while room and rows != wanted:
        for place, most in enumerate(wanted):
            if room and rows[place] < most:
                rows[place] += 1
                room -= 1
    return rows


def _figures(snapshot: Snapshot) -> Iterator[Figure]:
    runs = snapshot.runs
    yield Figure("Progress", *_split(_progress(runs)))
    yield Figure("To go", *_to_go(runs))
    yield Figure("Speed", *_split(rate(sum(run.bytes_per_second for run in runs))))
    yield Figure("Files", f"{sum(run.files_per_second for run in runs):,.0f}", "a second")
    yield Figure("Mounts open", f"{len(snapshot.mounts):,}", "")
    left = len(snapshot.mounts_left)
    if left:
        yield Figure("Mounts left", f"{left:,}", "", "bad")
    bad = sum(run.totals.refused + run.totals.failed for run in runs)
    yield Figure("Not restored", f"{bad:,}", "file" if bad == 1 else "files", "fair" if bad else "quiet")
    waiting = snapshot.outlook.queue_length
    yield Figure("Waiting", f"{waiting:,}", "job" if waiting == 1 else "jobs")


def _progress(runs: tuple[RunNow, ...]) -> str:
    """Of all runs together, by their restore points."""
    planned = sum(run.groups_planned for run in runs)
    through = sum(run.progress * run.groups_planned for run in runs)
    return f"{int(100 * through / planned)} %" if planned else "-"


def _to_go(runs: tuple[RunNow, ...]) -> tuple[str, str]:
    """The longest of all runs, as far as it is known."""
    known = [run.eta_seconds for run in runs if run.eta_seconds is not None]
    if not known:
        return "?" if runs else "-", ""
    number, unit = _split(about(max(known)))
    return number if len(known) == len(runs) else f">{number}", unit


def _split(text: str) -> tuple[str, str]:
    number, _, unit = text.partition(" ")
    return number, unit
