"""Serving the status page for as long as a block lasts."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import socket

from aiohttp import web

from orchestrator.core.events import Notice
from orchestrator.web.bounded import bounded
from orchestrator.web.listeners import Listeners
from orchestrator.web.ports import Sources
from orchestrator.web.routes import Site

CONNECTIONS = 128
"""Each costs a file descriptor, and a restore needs them more."""

IDLE = 30.0
"""Seconds a connection may say nothing."""


@asynccontextmanager
async def serving(listeners: Listeners, sources: Sources) -> AsyncIterator[list[str]]:
    """Serve what listens; gives the addresses. They are told as notices, with a warning for an open one."""
    site = Site(listeners, sources)
    settings = {"keepalive_timeout": IDLE, "lingering_time": 0, "max_line_size": 4096}
    async with bounded(site.handle, "web", CONNECTIONS, **settings) as runner:
        try:
            addresses = []
            if listeners.tcp is not None:
                addresses.append(await _serve(runner, listeners.tcp, listeners.tls))
            if listeners.local is not None:
                addresses.append(await _serve(runner, listeners.local, None))
            _tell(listeners, sources, addresses)
            yield addresses
        finally:
            site.feed.close()


async def _serve(runner: web.ServerRunner, listening: socket, tls: ssl.SSLContext | None) -> str:
    await web.SockSite(runner, listening, ssl_context=tls).start()
    name = listening.getsockname()
    if isinstance(name, str):
        return name
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'https' if tls else 'http'}://{host}:{name[1]}/"


def _tell(listeners: Listeners, sources: Sources, addresses: list[str]) -> None:
    now = sources.clock()
    for address in addresses:
        sources.tell(Notice(now, f"status page at {address}"))
    if listeners.exposed and listeners.tls is None:
        what = (
            "the status page can be read by everybody who reaches it, and on the way: names of machines and files too"
        )
        sources.tell(Notice(now, f"{what}. Set web.tls_certificate, or listen on 127.0.0.1"))
