"""The live page: server-sent events. A client is told at most once a second, and when something has changed.

Source: HTML Living Standard, 9.2 Server-sent events.
"""

from collections.abc import Callable
from typing import Literal

from aiohttp import web
from anyio import Event, current_time, fail_after, move_on_after

from orchestrator.core.snapshot import Outlook, Snapshot
from orchestrator.views import status_json
from orchestrator.views.status import Look, status_fragment
from orchestrator.web.guards import Refused

CLIENTS = 64
EVERY = 1.0
"""Seconds between two looks, and the least between two pushes."""

BUSY = 5.0
"""Seconds after which it is told again while runs go on: rates and ages change though nothing happens."""

QUIET = 30.0
ALIVE = 10.0
"""Seconds of silence after which a client is told that there is nothing new."""

SLOW = 15.0
"""Seconds a client may take for what it is sent; then it is dropped."""

FRESH = 0.2
"""Seconds for which one picture serves everybody who asks."""

RETRY_MILLISECONDS = 3000

Shown = Look | Literal["json"]


class Picture:
    """The last snapshot and what was made of it, so that many who look cost no more than one."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._take = snapshot
        self._at = -1.0
        self._snapshot: Snapshot | None = None
        self._texts: dict[Shown, str] = {}

    def now(self) -> Snapshot:
        """A snapshot not older than FRESH."""
        if self._snapshot is None or current_time() - self._at >= FRESH:
            self._snapshot, self._at = self._take(), current_time()
            self._texts.clear()
        return self._snapshot

    def text(self, shown: Shown) -> str:
        """The same as part of the page, or as JSON."""
        snapshot = self.now()
        if shown not in self._texts:
            self._texts[shown] = status_json(snapshot) if shown == "json" else status_fragment(snapshot, shown)
        return self._texts[shown]


class Feed:
    """Serves the streams of all clients until it is closed."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._clients = 0
        self._closing = Event()

    def close(self) -> None:
        """End all streams."""
        self._closing.set()

    async def stream(self, request: web.BaseRequest, shown: Shown, headers: dict[str, str]) -> web.StreamResponse:
        """One client, until it is gone, too slow, or the server ends. Refused when there are too many."""
        if self._clients >= CLIENTS:
            raise Refused(503, f"{CLIENTS} pages are open already; close one.", Retry_After="60")
        self._clients += 1
        response = web.StreamResponse(
            headers={**headers, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        try:
            await response.prepare(request)
            await self._serve(request, response, shown)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._clients -= 1
        return response

    async def _serve(self, request: web.BaseRequest, response: web.StreamResponse, shown: Shown) -> None:
        await self._send(response, f"retry: {RETRY_MILLISECONDS}\n\n")
        seen: tuple[int, Outlook] | None = None
        told = heard = 0.0
        while not self._closing.is_set() and request.transport is not None and not request.transport.is_closing():
            snapshot, now = self._picture.now(), current_time()
            known = snapshot.changes, snapshot.outlook
            if known != seen or now - told >= (BUSY if snapshot.runs else QUIET):
                await self._send(response, _event("status", self._picture.text(shown)))
                seen, told, heard = known, now, now
            elif now - heard >= ALIVE:
                await self._send(response, _event("alive", ""))
                heard = now
            with move_on_after(EVERY):
                await self._closing.wait()

    async def _send(self, response: web.StreamResponse, text: str) -> None:
        with fail_after(SLOW):
            await response.write(text.encode())


def _event(name: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n"
