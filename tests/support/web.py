"""The status page served in the test's own process, over plain HTTP, TLS and a local socket."""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from anyio import to_thread

from orchestrator.config_web import WebSettings
from orchestrator.core.board import Board
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.events import Event, Notice, OperatorActed
from orchestrator.simulator.certificate import identity_in
from orchestrator.web import Sources
from orchestrator.web.listeners import open_listeners
from orchestrator.web.server import serving
from tests.support.boards import NOW

TOKEN = "correct horse battery staple".replace(" ", "-")


@dataclass
class Clock:
    """A wall clock that a test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Operator:
    """Takes every order and keeps it; `known` are the runs that can be stopped, `error` is raised by all."""

    done: list[tuple[Any, ...]] = field(default_factory=list)
    known: Sequence[str] = ("r",)
    error: OrchestratorError | None = None

    async def pause(self, paused: bool) -> None:
        self._do("pause", paused)

    async def stop_run(self, run: str, now: bool) -> bool:
        self._do("stop", run, now)
        return run in self.known

    async def sweep(self) -> str:
        self._do("sweep")
        return "a sweep has begun"

    def _do(self, *what: Any) -> None:
        if self.error:
            raise self.error
        self.done.append(what)


@dataclass
class Served:
    """The page. `told` is what it has told of."""

    urls: list[str]
    board: Board
    told: list[Event]
    clock: Clock
    operator: Operator
    trust: ssl.SSLContext | None
    socket: Path

    @property
    def url(self) -> str:
        return self.urls[0].rstrip("/")

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    @property
    def acted(self) -> list[tuple[str, str, str]]:
        return [(one.who, one.what, one.run) for one in self.told if isinstance(one, OperatorActed)]

    @property
    def notices(self) -> list[str]:
        return [one.message for one in self.told if isinstance(one, Notice)]

    @asynccontextmanager
    async def client(self, local: bool = False, **more: Any) -> AsyncIterator[aiohttp.ClientSession]:
        """A client of it, by TCP or by the local socket."""
        connector = aiohttp.UnixConnector(str(self.socket)) if local else aiohttp.TCPConnector(ssl=self.trust or True)
        base = "http://localhost" if local else self.url
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(base, connector=connector, cookie_jar=jar, **more) as session:
            yield session


Serve = Callable[..., Any]


@asynccontextmanager
async def page(
    folder: Path,
    board: Board | None = None,
    *,
    tls: bool = False,
    token: bool = False,
    local: bool = False,
    operator: Operator | None = None,
    clock: Clock | None = None,
    listen: str | None = "127.0.0.1:0",
    hosts: Sequence[str] = (),
    **more: Any,
) -> AsyncIterator[Served]:
    """Serve a board. `more` are further sources, such as `ready` and `metrics`."""
    clock, board = clock or Clock(), board or Board(NOW)
    operator = operator or Operator()
    settings: dict[str, Any] = {"listen": listen, "hosts": list(hosts)}
    trust = None
    if tls:
        identity = await to_thread.run_sync(identity_in, folder / "tls")
        settings |= {"tls_certificate": identity.chain_file, "tls_key": identity.key_file}
        trust = await to_thread.run_sync(lambda: ssl.create_default_context(cafile=str(identity.ca_file)))
    if token:
        settings["token_env"] = "PAGE_TOKEN"
    if local:
        settings["socket"] = folder / "web.sock"
    told: list[Event] = []
    sources = Sources(
        snapshot=lambda: board.snapshot(clock()), clock=clock, tell=told.append, actions=operator, place="backup01"
    )
    opening = open_listeners(WebSettings(**settings), {"PAGE_TOKEN": TOKEN})
    listeners = await to_thread.run_sync(opening.__enter__)
    try:
        async with serving(listeners, replace(sources, **more)) as urls:
            yield Served(urls, board, told, clock, operator, trust, folder / "web.sock")
    finally:
        await to_thread.run_sync(opening.__exit__, None, None, None)
