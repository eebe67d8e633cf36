"""Looking for restore points: EM is asked, and nothing is mounted or written."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.config import Config
from orchestrator.core.catalog import RestorePoint
from orchestrator.core.choosing import nothing_found, points_of, questions_of
from orchestrator.core.inventory import Inventory
from orchestrator.core.which import Pick, Which
from orchestrator.opening import make_client, stopped_from_outside
from orchestrator.planning import close, refresh, unheard


@dataclass(frozen=True, slots=True)
class FoundPoints:
    """Restore points by machine, the newest first, and in plain words the names that stand for none."""

    points: tuple[RestorePoint, ...]
    nothing: tuple[str, ...]


async def find_points(config: Config, wanted: Sequence[Which], pick: Pick) -> FoundPoints:
    """The restore points that each of `wanted` stands for. EmError, StoppedEarly, ConfigInvalid."""
    client = make_client(config)
    async with client, stopped_from_outside(unheard, None) as stop:
        try:
            with stop.forestalls():
                await client.open()
                await refresh(client, wanted)
                asked = [question for one in wanted for question in questions_of(one)]
                inventory = Inventory(await client.find_all(asked))
                return _found(wanted, inventory, pick)
        finally:
            await close(client)
    raise AssertionError("a forestalled block returns or raises")


def _found(wanted: Sequence[Which], inventory: Inventory, pick: Pick) -> FoundPoints:
    """A name stands for nothing only when it does in every source that was asked for."""
    points: dict[str, RestorePoint] = {}
    nothing: list[set[str]] = []
    for one in wanted:
        found, missing = points_of(one, inventory, pick)
        points |= {point.uid: point for point in found}
        nothing.append(set(missing))
    names = [name for name in wanted[0].names if all(name in missing for missing in nothing)]
    ordered = sorted(points.values(), key=lambda point: (-point.created.timestamp(), point.uid))
    ordered.sort(key=lambda point: (point.vm.casefold(), point.vm, point.kind.value, point.backup_server))
    return FoundPoints(tuple(ordered), (nothing_found(wanted[0], names),) if names else ())
