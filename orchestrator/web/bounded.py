"""A server that takes no more than it is given: connections, and time to end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from anyio import CancelScope, current_time

END_WITHIN = 5.0
LAST_ANSWERS = 1.0

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def bounded(
    handle: Handle, name: str, most: int, within: float | None = None, **settings: Any
) -> AsyncIterator[web.ServerRunner]:
    """What sites are started on while the block lasts. The rest is as in `bounded_server`."""
    runner = web.ServerRunner(bounded_server(handle, name, most, within, **settings), shutdown_timeout=LAST_ANSWERS)
    await runner.setup()
    try:
        yield runner
    finally:
        with CancelScope(shield=True, deadline=current_time() + END_WITHIN):
            await runner.cleanup()


def bounded_server(
    handle: Handle, name: str, most: int, within: float | None = None, **settings: Any
) -> "BoundedServer":
    """Makes what serves one connection. Whoever comes when `most` are there is hung up on, and so is everybody after
    `within` seconds when that is given. `settings` are those of aiohttp's server."""
    quiet = logging.Logger(name, logging.CRITICAL + 1)  # who sends nonsense gets an answer, not a place in our log
    server = BoundedServer(handle, access_log=None, logger=quiet, **settings)
    server.most, server.within = most, within
    return server


class BoundedServer(web.Server):
    """Made by `bounded_server`."""

    most: int
    within: float | None

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > self.most:
            transport.abort()
        elif self.within is not None:
            asyncio.get_running_loop().call_later(self.within, transport.abort)

    async def end(self) -> None:
        """Give what has been asked its last answers and hang up; as a runner does it, for a server without one."""
        with CancelScope(shield=True, deadline=current_time() + END_WITHIN):
            await asyncio.sleep(0)  # what has just come is taken in
            self.pre_shutdown()
            await self.shutdown(LAST_ANSWERS)
