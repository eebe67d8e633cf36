"""The one place that sends. Every request passes the guard, goes to the configured address and nowhere else."""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.errors import AnswerUnreadable, EmBusy, EmError, OutcomeUnknown
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.pacing import Pacer
from orchestrator.enterprise_manager.retrying import Retrying
from orchestrator.enterprise_manager.streams import Incoming
from orchestrator.enterprise_manager.translate import FOREIGN, failure, fingerprint_in, presentable, refusal, untrusted
from orchestrator.enterprise_manager.trust import Trust, shown_fingerprint, shown_until
from orchestrator.enterprise_manager.wire.document import BODY_LIMIT
from orchestrator.enterprise_manager.wire.exchange import Reply, Request, refused
from orchestrator.enterprise_manager.wire.links import Base

Observer = Callable[[str, str, int | None, float], None]
"""Told of every request that was not called off: route, method, status (None when no whole answer came), seconds. For
metrics; must not block."""

_CONNECTIONS = 32
_TOKEN = "X-RestSvcSessionId"  # noqa: S105 - the name of the header, not its value


class Transport:
    """One connection pool to one EM. No cookies are kept: EM would prefer them over the header. No redirect is
    followed, no compressed answer asked for, no answer read beyond the limit."""

    def __init__(
        self,
        settings: EnterpriseManagerSettings,
        *,
        trust: Trust,
        retrying: Retrying,
        pacer: Pacer,
        monotonic: Callable[[], float],
        observer: Observer | None,
        mask: Mask,
    ) -> None:
        self.base = Base(settings.url)
        self.mask = mask
        self._settings = settings
        self._trust = trust
        self._retrying = retrying
        self._pacer = pacer
        self._monotonic = monotonic
        self._observer = observer
        self._http: aiohttp.ClientSession | None = None
        self._files: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = self._pool(_CONNECTIONS)
        # Files that are on their way for long must not keep a heartbeat waiting; the copies in flight limit them.
        self._files = self._pool(0)
        return self

    def _pool(self, connections: int) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_mark_sent)
        return aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=connections, ssl=self._trust),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/xml", "Accept-Encoding": "identity", "User-Agent": "orchestrator"},
            skip_auto_headers={"Content-Type"},
            timeout=aiohttp.ClientTimeout(total=self._settings.request_timeout),
            trace_configs=[trace],
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pools, self._http, self._files = (self._http, self._files), None, None
        for pool in pools:
            if pool is not None:
                await pool.close()

    async def send(self, request: Request, *, token: str = "", authorization: str = "") -> Reply:
        """The answer, whatever its status; one that is safe to repeat is repeated while EM is down or busy.

        EmUnreachable, CertificateUntrusted, and for a repeated request EmBusy and EmFault. A mount POST of which
        anything may have reached EM ends in OutcomeUnknown instead of EmUnreachable.
        """
        if reason := refused(request):
            raise AnswerUnreadable(what=request.what, cause=f"{reason}; nothing was sent")
        if not request.repeatable:
            return await self._exchange(request, token, authorization)

        async def attempt() -> Reply:
            reply = await self._exchange(request, token, authorization)
            error = refusal(reply, request, self.mask)
            if error is not None and (isinstance(error, EmBusy) or reply.status >= 500):
                raise error
            return reply

        return await self._retrying.repeat(attempt)

    async def fetch(self, request: Request, *, token: str) -> Incoming:
        """The answer, whatever its status, with its body yet to be read. Sent once.

        Each read has the time limit of a request; the whole has none, for a file may be of any size.
        """
        if reason := refused(request):
            raise AnswerUnreadable(what=request.what, cause=f"{reason}; nothing was sent")
        if self._files is None:
            raise RuntimeError("the client is used outside its `async with`")
        await self._pacer.turn()
        begun, limit = self._monotonic(), self._settings.request_timeout
        url = URL(self.base.address(request.target), encoded=True)

        def translated(cause: BaseException) -> EmError:
            return failure(cause, request, self._settings.url, sent=True, fingerprint="", mask=self.mask)

        try:
            response = await self._files.request(
                request.method,
                url,
                headers=_headers(request, token, ""),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=limit, sock_read=limit),
                trace_request_ctx=SimpleNamespace(sent=False),
            )
        except FOREIGN as cause:
            self._observe(request, None, begun)
            raise translated(cause) from presentable(cause, self.mask)
        self._observe(request, response.status, begun)
        return Incoming(response, translated)

    async def _exchange(self, request: Request, token: str, authorization: str) -> Reply:
        """One exchange, paced, translated and observed."""
        await self._pacer.turn()
        progress, begun = SimpleNamespace(sent=False), self._monotonic()
        try:
            reply = await self._attempt(request, _headers(request, token, authorization), progress)
        except EmError:
            self._observe(request, None, begun)
            raise
        except FOREIGN as cause:
            self._observe(request, None, begun)
            shown = fingerprint_in(cause)
            if untrusted(cause) and not shown:
                shown = await self._shown_fingerprint()
            raise failure(
                cause, request, self._settings.url, sent=progress.sent, fingerprint=shown, mask=self.mask
            ) from presentable(cause, self.mask)
        self._observe(request, reply.status, begun)
        return reply

    def _observe(self, request: Request, status: int | None, begun: float) -> None:
        if self._observer is not None:
            self._observer(request.route, request.method, status, self._monotonic() - begun)

    async def _attempt(self, request: Request, headers: dict[str, str], progress: SimpleNamespace) -> Reply:
        if self._http is None:
            raise RuntimeError("the client is used outside its `async with`")
        # `encoded`: targets are encoded exactly once, when they are made.
        url = URL(self.base.address(request.target), encoded=True)
        async with self._http.request(
            request.method,
            url,
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
            trace_request_ctx=progress,
        ) as response:
            chunks, size = [], 0
            async for chunk in response.content.iter_chunked(65536):
                chunks.append(chunk)
                size += len(chunk)
                if size > BODY_LIMIT:
                    response.close()
                    raise _oversized(request)
            names = {name.casefold(): text for name, text in response.headers.items()}
            return Reply(response.status, names, b"".join(chunks))

    async def certificate_ends(self) -> datetime | None:
        """The last moment at which EM's certificate is valid; None when it cannot be seen."""
        return await shown_until(*self._address())

    async def _shown_fingerprint(self) -> str:
        return await shown_fingerprint(*self._address())

    def _address(self) -> tuple[str, int]:
        url = URL(self._settings.url)
        return url.host or "", url.port or 443


def _headers(request: Request, token: str, authorization: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    if token:
        headers[_TOKEN] = token
    if authorization:
        headers["Authorization"] = authorization
    if request.body:
        headers["Content-Type"] = "application/xml"
    elif request.method == "POST":
        # http.sys answers 411 to a POST without a length.
        headers["Content-Length"] = "0"
    return headers


def _oversized(request: Request) -> AnswerUnreadable | OutcomeUnknown:
    cause = f"it is larger than {BODY_LIMIT // 2**20} MiB"
    return (OutcomeUnknown if request.acts_once else AnswerUnreadable)(what=request.what, cause=cause)


async def _mark_sent(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    context.trace_request_ctx.sent = True
