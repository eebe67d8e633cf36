"""A session of an earlier process: its restores can be followed, its mounts deleted, and it can be
logged off, nothing more.

Source: page "VmRestorePointMount" (a mount is seen by the session that made it, and by no other).
"""

from orchestrator.core.errors import SessionEnded
from orchestrator.enterprise_manager.mounts import MountCalls
from orchestrator.enterprise_manager.session import log_off
from orchestrator.enterprise_manager.transport import Transport
from orchestrator.enterprise_manager.wire import requests
from orchestrator.enterprise_manager.wire.exchange import Reply, Request


class PastSession:
    """Never renewed: a 401 is SessionEnded. Its generation is 0."""

    def __init__(self, transport: Transport, token: str, href: str) -> None:
        self._transport = transport
        self._token = token
        self._href = href
        self._mounts = MountCalls(self._ask, transport.base, transport.mask)
        transport.mask.learn(token, href)

    @property
    def mounts(self) -> MountCalls:
        """The calls on its mounts; pass generation 0."""
        return self._mounts

    @property
    def restores(self) -> MountCalls:
        """The calls on its tasks that restore files; pass generation 0."""
        return self._mounts

    async def verify(self) -> None:
        """SessionEnded when EM no longer knows the session."""
        reply = await self._ask(requests.own_session(self._href), 0)
        if reply.status == 404:
            raise SessionEnded(what="the session of an earlier run")

    async def close(self) -> None:
        """Log it off; gone already is fine."""
        await log_off(self._transport, self._token, self._href)

    async def _ask(self, request: Request, generation: int) -> Reply:
        if generation != 0:
            raise SessionEnded(what=f"{request.what} belongs to session {generation}, not to an earlier run")
        reply = await self._transport.send(request, token=self._token)
        if reply.status == 401:
            raise SessionEnded(what=f"the session of an earlier run: {request.what} was answered with 401")
        return reply
