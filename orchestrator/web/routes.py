"""Which path is answered by what, and what goes with every answer."""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from orchestrator.core.events import Notice
from orchestrator.views.status import Look, status_page
from orchestrator.web.acting import Operators, action_of
from orchestrator.web.feed import Feed, Picture, Shown
from orchestrator.web.guards import Peer, Refused, check_host, peer_of
from orchestrator.web.listeners import Listeners
from orchestrator.web.ports import Sources

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "orchestrator",
}


class Site:
    """Answers every request. A mistake of ours is told once and answered with 500; it ends nothing."""

    def __init__(self, listeners: Listeners, sources: Sources) -> None:
        self._listeners = listeners
        self._sources = sources
        self._picture = Picture(sources.snapshot)
        self._operators = Operators(sources, self._picture, listeners.token)
        self._told: set[type[Exception]] = set()
        self.feed = Feed(self._picture)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Raises nothing but what a cancel raises."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return _refusal(request, refused)
        except Exception as bug:
            self._tell_once(request.path, bug)
            return _refusal(request, Refused(500, "This failed through an error in orchestrator itself."))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        peer = peer_of(request)
        check_host(request, peer, self._listeners.hosts)
        if (action := action_of(request.path)) is not None:
            if request.method != "POST":
                raise Refused(405, "This is done by POST.", Allow="POST")
            return _json(json.dumps(await self._operators.act(request, peer, *action)))
        answer = ANSWERS.get(request.path)
        name = request.path.removeprefix("/static/")
        if answer is None and (not request.path.startswith("/static/") or name not in self._listeners.static):
            raise Refused(
                404, "There is no such page. / shows what is going on, /api/status.json the same for programs."
            )
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, "This can only be read.", Allow="GET, HEAD")
        if answer is None:
            kind, content = self._listeners.static[name]
            return web.Response(body=content, content_type=kind, charset="utf-8", headers=HEADERS)
        return await answer(self, request, peer)

    def _tell_once(self, path: str, bug: Exception) -> None:
        if type(bug) not in self._told:
            self._told.add(type(bug))
            what = f"the status page failed at {path[:100]}: {bug!r}; the runs are not touched by it"
            self._sources.tell(Notice(self._sources.clock(), what))

    def _look(self, request: web.BaseRequest, peer: Peer) -> Look:
        wall = request.path == "/wall" or request.query.get("view") == "wall"
        acts = peer.way == "tls" and bool(self._listeners.token) and self._sources.actions is not None
        return Look(wall, acts and not wall, self._sources.place, self._listeners.version)

    async def _page(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        page = status_page(self._picture.now(), self._look(request, peer))
        return web.Response(text=page, content_type="text/html", headers=HEADERS)

    async def _status(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        return _json(self._picture.text("json"))

    async def _events(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        if request.method == "HEAD":
            raise Refused(405, "This is a stream.", Allow="GET")
        shown: Shown = "json" if request.query.get("view", "json") == "json" else self._look(request, peer)
        return await self.feed.stream(request, shown, HEADERS)

    async def _health(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        return _text("ok\n")

    async def _ready(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        reasons = self._sources.ready()
        return _text("".join(f"{reason}\n" for reason in reasons), 503) if reasons else _text("ready\n")

    async def _metrics(self, request: web.BaseRequest, peer: Peer) -> web.StreamResponse:
        if self._sources.metrics is None:
            raise Refused(404, "There are no metrics here.")
        body, kind = self._sources.metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={**HEADERS, "Content-Type": kind})


ANSWERS: dict[str, Callable[[Site, web.BaseRequest, Peer], Awaitable[web.StreamResponse]]] = {
    "/": Site._page,
    "/wall": Site._page,
    "/api/status.json": Site._status,
    "/events": Site._events,
    "/healthz": Site._health,
    "/readyz": Site._ready,
    "/metrics": Site._metrics,
}
"""What is answered to GET, but for the files of the page."""


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, headers=HEADERS)


def _json(text: str, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=text + "\n", status=status, content_type="application/json", headers={**HEADERS, **(headers or {})}
    )


def _refusal(request: web.BaseRequest, refused: Refused) -> web.Response:
    if request.path.startswith("/api/"):
        return _json(json.dumps({"error": refused.what}), refused.status, refused.headers)
    return web.Response(text=refused.what + "\n", status=refused.status, headers={**HEADERS, **refused.headers})
