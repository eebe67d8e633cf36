"""A plan is looked at closely for a person: what it would do, and what follows from what is there."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.app import working
from orchestrator.core.plan import Plan
from orchestrator.core.survey import Forecast, Survey
from orchestrator.freezing import planned_run, refuse_originals, refuse_unfrozen, write_document
from orchestrator.listing import NamedJob
from orchestrator.opening import App, now
from orchestrator.planning import checked_plan
from orchestrator.surveying import foresee, survey_plan


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A plan that was looked at closely, and what follows from it; `hash` is that of its document, empty when none was
    written."""

    plan: Plan
    survey: Survey
    forecast: Forecast
    hash: str = ""


async def look_closely(app: App, named: NamedJob, out: Path | None) -> LookedAt:
    """Plan a job, mount and list everything that it names, and delete the mounts; with `out`, freeze it there. What
    cannot be planned is an error, as it is for a run; so are PlanUnusable, StoppedEarly and MountLeft."""
    rooms, made = app.rooms(), now()
    refuse_originals(named)
    if out is not None:
        refuse_unfrozen(named)
    async with working(app, rooms) as (books, stop, seats):
        with stop.forestalls():
            plan = await checked_plan(app, rooms, books, named, planned_run(named, made), keep_going=False)
        survey = await survey_plan(app, rooms, books, stop, seats, plan)
        with stop.forestalls():
            ahead = await foresee(app, rooms, books, plan, survey)
            if out is None or survey.problems:
                return LookedAt(plan, survey, ahead)
            digest = await write_document(app.config, named, plan, made, app.source, out, survey)
            return LookedAt(plan, survey, ahead, digest)
    raise AssertionError("a forestalled block returns or raises")
