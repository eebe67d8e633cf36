"""What EM's catalogue says of indexed guests: which paths a restore point has, before anything is mounted.

Only GETs. The POST that "browses" is never sent: the reference says that it mounts disks and names no way to take them
off, so where EM answers nothing without it, nothing is known. Source: pages "CatalogVm", "CatalogVmRestorePoint",
"GET /catalog/vms/{vmName}/vmRestorePoints/{ID}/guestfs/{filepath}".
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import quote

from orchestrator.core.catalog import Listed, Listing, RestorePoint
from orchestrator.core.paths import GuestPath
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.translate import read, refusal
from orchestrator.enterprise_manager.wire import catalog, records, requests
from orchestrator.enterprise_manager.wire.document import Element
from orchestrator.enterprise_manager.wire.exchange import Reply, Request
from orchestrator.enterprise_manager.wire.links import Base
from orchestrator.enterprise_manager.wire.paging import Pages, paging

Record = TypeVar("Record")

PAGES_MOST = 20
"""Pages of one folder that are read; of a larger one nothing is known."""

_LITERAL = ":$@!'()*,~"


class GuestIndex:
    """The catalogue of one EM, asked by `ask`, which sends a request under the live session."""

    def __init__(self, ask: Callable[[Request], Awaitable[Reply]], base: Base, mask: Mask) -> None:
        self._ask = ask
        self._base = base
        self._mask = mask

    async def machines(self) -> frozenset[str]:
        """The names of the machines in the catalogue; none when EM has no catalogue for this account. EmError."""
        request = Request("GET", "/api/catalog/vms", "the catalogue of indexed machines", repeatable=True)
        return await self._read(request, catalog.machine_names) or frozenset()

    async def holds(self, point: RestorePoint) -> bool:
        """Whether the catalogue has that restore point, whose id is the same there. EmError."""
        request = Request("GET", f"{_point(point)}?format=Entity", f"the index of {point.vm}", repeatable=True)
        return await self._read(request, catalog.is_point) or False

    async def listing(self, point: RestorePoint, folder: GuestPath | None) -> Listing | None:
        """The names in a folder of the index, None for the folder above all volumes; None when nothing is known of it:
        the folder is not there, or is too large, or EM lists nothing before it was told to browse. EmError."""
        names = () if folder is None else (*(() if folder.linux else (folder.volume,)), *folder.parts)
        target = "/".join((f"{_point(point)}/guestfs", *(quote(name, safe=_LITERAL) for name in names or ("",))))
        first, pages = requests.folder(requests.list_all(target), f"a folder in the index of {point.vm}"), Pages(target)
        pages.turn_to(first.target)
        found: dict[str, Listed] = {}
        for _ in range(PAGES_MOST):
            page = await self._read(requests.page(first, pages.target or ""), lambda root: self._page(pages, root))
            if page is None:
                return None
            found.update(page)
            if pages.target is None:
                return found
        return None

    def _page(self, pages: Pages, root: Element) -> Listing:
        listed = records.listing(root)
        pages.advance(paging(root, self._base), listing=True)
        return listed or {}

    async def _read(self, request: Request, reader: Callable[[Element], Record]) -> Record | None:
        """What an answer says; None when EM has no such thing (404; 400 for a file that is to be listed), or does not
        show it to this account (403)."""
        reply = await self._ask(request)
        if reply.status in (400, 403, 404):
            return None
        if error := refusal(reply, request, self._mask):
            raise error
        return read(reader, reply, request, self._mask)


def _point(point: RestorePoint) -> str:
    vm, guid = quote(point.vm, safe=_LITERAL), quote(point.uid.rpartition(":")[2], safe="")
    return f"/api/catalog/vms/{vm}/vmRestorePoints/{guid}"
