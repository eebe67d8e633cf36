"""Many restore points with few queries.

Sources: pages "Query Service", "GET /query?type=VmRestorePoint" and its twins, "GET /query?type=RestorePoint".
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from orchestrator.core.catalog import PointKind, Question, RestorePoint
from orchestrator.core.errors import AgentsHidden, EmFault, Forbidden
from orchestrator.enterprise_manager.wire import points, requests
from orchestrator.enterprise_manager.wire.batches import Batch, batches
from orchestrator.enterprise_manager.wire.document import Element
from orchestrator.enterprise_manager.wire.exchange import Request
from orchestrator.enterprise_manager.wire.links import Base

Record = TypeVar("Record")

TOO_LONG = frozenset({400, 413, 414, 431})
"""What servers, and proxies on the way, answer to an address that is longer than they take."""


class EveryPage(Protocol):
    """Asks, and follows the pages of the answer."""

    async def __call__(self, first: Request, reader: Callable[[Element], list[Record]]) -> list[Record]:
        """What `reader` finds on every page."""
        ...


OnePoint = Callable[[str, PointKind], Awaitable[list[RestorePoint]]]
"""Reads the point of that id without a query; nothing when EM does not have it."""


class Catalogue:
    """Questions about many machines. `query_path` is asked for before each query: a renewed session may have been told
    another one."""

    def __init__(
        self, every_page: EveryPage, one_point: OnePoint, query_path: Callable[[], str], base: Base, page_size: int
    ) -> None:
        self._every_page = every_page
        self._one_point = one_point
        self._query_path = query_path
        self._base = base
        self._page_size = page_size

    async def find_all(self, asked: Iterable[Question]) -> list[RestorePoint]:
        """Every restore point that answers one of the questions, each once, newest first; others may be among them."""
        wholes: dict[tuple[str, str | None], frozenset[str]] = {}
        found: list[RestorePoint] = []
        for batch in batches(asked):
            points_found = await self._of(batch)
            if batch.backup_job is not None:
                points_found = await self._of_backup(batch, batch.backup_job, points_found, wholes)
            found += points.on_server(points_found, batch.backup_server)
        return points.distinct(found)

    async def _of(self, batch: Batch) -> list[RestorePoint]:
        """One query, or two halves of it where its address is too long for who takes it."""
        request = requests.points_of(self._query_path(), batch, self._page_size)
        try:
            return await self._every_page(request, lambda root: points.points(root, self._base, batch.kind))
        except EmFault as error:
            if error.facts.get("status") not in TOO_LONG or not batch.halves:
                raise
            return [point for half in batch.halves for point in await self._of(half)]
        except Forbidden as error:
            # Who may mount the points of agents may still not query them, but read each by its id.
            if batch.kind is not PointKind.AGENT:
                raise
            if not batch.uids:
                raise AgentsHidden(what=error.facts["what"], cause=error.facts["cause"]) from error
            return [point for uid in batch.uids for point in await self._one_point(uid, batch.kind)]

    async def _of_backup(
        self,
        batch: Batch,
        backup_job: str,
        found: list[RestorePoint],
        wholes: dict[tuple[str, str | None], frozenset[str]],
    ) -> list[RestorePoint]:
        """Those of a job. EM's filters know the backup of an agent's point, and of no machine's: there the restore
        points of the whole backup are asked for, and tell which belong to it."""
        if batch.kind is PointKind.AGENT:
            return points.named_backup(found, backup_job)
        key = (backup_job, batch.backup_server)
        if key not in wholes:
            first = requests.backups_of(self._query_path(), *key, self._page_size)
            wholes[key] = frozenset(await self._every_page(first, lambda root: points.wholes(root, self._base)))
        return points.of_backup(found, wholes[key], backup_job)
