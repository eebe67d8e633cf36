"""EM asked to look at its backup servers now: it mirrors what they have, every 15 minutes unless it is told to.

Source: page "POST /backupServers/{ID}?action=collect". Its task ends when the collection has begun; nothing tells when
it is through.
"""

from collections.abc import Awaitable, Callable

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.catalog import Task, TaskPhase
from orchestrator.core.errors import EmError, Forbidden, RefreshRefused, SessionEnded
from orchestrator.enterprise_manager.catalogue import EveryPage
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.retrying import Sleep
from orchestrator.enterprise_manager.translate import read, refusal
from orchestrator.enterprise_manager.wire import records, requests, servers
from orchestrator.enterprise_manager.wire.exchange import Reply, Request
from orchestrator.enterprise_manager.wire.links import Base
from orchestrator.enterprise_manager.wire.servers import KnownServer

LOOKS = 60
"""How often a task is looked at before it is given up."""

PAUSE = 2.0
"""Seconds between two looks."""


class Refresher:
    """Makes EM collect. `send` renews the session when it has ended: a collection belongs to no session."""

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Reply]],
        every_page: EveryPage,
        query_path: Callable[[], str],
        base: Base,
        mask: Mask,
        sleep: Sleep,
        settings: EnterpriseManagerSettings,
    ) -> None:
        self._send = send
        self._every_page = every_page
        self._query_path = query_path
        self._base = base
        self._mask = mask
        self._sleep = sleep
        self._page_size = settings.page_size
        self._wait = settings.refresh_wait

    async def refresh(self, backup_server: str | None) -> None:
        """Have the data of one backup server collected, or those of all, and give that `refresh_wait` seconds.

        RefreshRefused when EM does not do it, or does not know the server.
        """
        wanted = await self._servers(backup_server)
        for server in wanted:
            try:
                await self._collect(server)
            except SessionEnded:
                raise
            except EmError as error:
                raise RefreshRefused(what=server.name, cause=error.facts.get("cause", error)) from error
        if wanted:
            await self._sleep(self._wait)

    async def _servers(self, backup_server: str | None) -> list[KnownServer]:
        first = requests.backup_servers(self._query_path(), self._page_size)
        try:
            found = await self._every_page(first, lambda root: servers.backup_servers(root, self._base))
        except Forbidden as error:
            cause = "the account may not see backup servers; it needs the role Portal User or Portal Administrator too"
            raise RefreshRefused(what=backup_server or "every backup server", cause=cause) from error
        if backup_server is None:
            return found
        named = [server for server in found if server.name.casefold() == backup_server.casefold()]
        if not named:
            known = ", ".join(sorted(server.name for server in found)) or "none"
            raise RefreshRefused(what=backup_server, cause=f"it knows no backup server of that name; it knows {known}")
        return named

    async def _collect(self, server: KnownServer) -> None:
        task = await self._task(requests.collect(server.collect, server.name))
        for _ in range(LOOKS):
            if task.phase is TaskPhase.FINISHED:
                if task.success is False:
                    raise RefreshRefused(what=server.name, cause=task.message or "EM gives no reason")
                return
            await self._sleep(PAUSE)
            task = await self._task(requests.task(task.href))
        raise RefreshRefused(what=server.name, cause=f"it has not begun within {LOOKS * PAUSE:g} s")

    async def _task(self, request: Request) -> Task:
        reply = await self._send(request)
        if error := refusal(reply, request, self._mask):
            raise error
        return read(lambda root: records.task(root, self._base), reply, request, self._mask)
