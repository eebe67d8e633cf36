"""What stands where the copies of a plan will land: walked and counted, before anything is written."""

from collections.abc import Mapping, Sequence
from functools import partial

from anyio import CapacityLimiter, create_task_group

from orchestrator.core.census import Census, Tree
from orchestrator.core.entries import EntryKind
from orchestrator.core.errors import PlanUnusable
from orchestrator.core.paths import HOLDING, SourcePath
from orchestrator.core.plan_document import Site
from orchestrator.engine.calls import Calls
from orchestrator.engine.gathering import one_error
from orchestrator.engine.ports import Beat, Source
from orchestrator.engine.rooms import EngineSettings

WALKS = 8
"""Destinations that are walked at once."""


async def look_at_sites(
    landings: Mapping[str, Sequence[str]], source: Source, settings: EngineSettings
) -> tuple[Site, ...]:
    """What stands at `landings`, which are relative to their destinations. PlanUnusable when it cannot be told."""
    calls, found = Calls(settings.stall, CapacityLimiter(WALKS)), dict[str, Tree]()

    async def look(destination: str) -> None:
        try:
            count = partial(_counted, source, destination, landings[destination])
            found[destination] = await calls.run(destination, count)
        except OSError as error:
            raise PlanUnusable(what=f"{destination} cannot be looked at: {error.strerror or error}") from error

    with one_error():
        async with create_task_group() as looking:
            for destination in landings:
                looking.start_soon(look, destination)
    return tuple(Site(destination, found[destination]) for destination in landings)


def _counted(source: Source, destination: str, places: Sequence[str], beat: Beat) -> Tree:
    census = Census()
    for place in places:
        start = source.look(SourcePath(destination, place), beat)
        if start is None:
            continue
        if place:
            census.add(place, start)
        if start.kind is EntryKind.FOLDER:
            for entries in source.scan(SourcePath(destination, start.relative), _enters, beat):
                for entry in entries:
                    if entry.relative != HOLDING:
                        census.add(entry.relative, entry)
    return census.tree()


def _enters(folder: str) -> bool:
    """What earlier runs have set aside is in nobody's way."""
    return folder != HOLDING
