"""One bounded exchange with a web server, and the one place where its failures become plain words."""

import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from orchestrator.core.pauses import retry_after
from orchestrator.notify.means import Undelivered

_PASSING = frozenset({408, 425, 429})
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientConnectorSSLError, "it does not speak TLS there, or no version both sides know"),
    (aiohttp.ConnectionTimeoutError, "no connection within the time limit"),
    (aiohttp.ClientProxyConnectionError, "the proxy cannot be reached"),
    (aiohttp.ClientHttpProxyError, "the proxy refuses"),
    (aiohttp.ClientConnectorError, "the connection was refused or has no route"),
    (TimeoutError, "no answer within the time limit"),
    (aiohttp.ServerDisconnectedError, "the connection broke before the answer"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (aiohttp.ClientError, "the connection broke"),
    (OSError, "the connection broke"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """An address outside. Its path may open a door, so only the host is ever shown."""

    url: str
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Place({self.host})"

    @property
    def host(self) -> str:
        """The host, for messages."""
        return urlsplit(self.url).hostname or ""

    def below(self, step: str) -> "Place":
        """The place one step further down its path."""
        parts = urlsplit(self.url)
        return Place(parts._replace(path=f"{parts.path.rstrip('/')}/{step}").geturl(), self.proxy)


def place(url: str) -> Place | None:
    """The place at `url`, by the proxy that HTTPS_PROXY and NO_PROXY ask for; None when it is no https address.
    http is for this machine only."""
    try:
        parts = urlsplit(url)
        host = URL(url).host or ""
    except ValueError:
        return None
    local = host in ("localhost", "127.0.0.1", "::1")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        return None
    if parts.scheme == "https":
        trusted()  # while we may block
    bypassed = local or urllib.request.proxy_bypass(host)
    return Place(url, None if bypassed else urllib.request.getproxies().get(parts.scheme))


@cache
def trusted() -> ssl.SSLContext:
    """Whom we trust outside: the certificates of the system. Blocks the first time, it reads them."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def exchange(
    method: str, where: Place, now: datetime, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> None:
    """Send one request; return when the answer is a 2xx. Undelivered says why it is not; nothing is tried again here.

    No redirect is followed, no cookie kept, and nothing of the answer's body read.
    """
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session,
            session.request(
                method,
                URL(where.url),
                data=body or None,
                headers={"User-Agent": "orchestrator", **(headers or {})},
                allow_redirects=False,
                proxy=where.proxy,
                ssl=trusted() if where.url.startswith("https:") else True,
            ) as response,
        ):
            status, wait = response.status, response.headers.get("Retry-After", "")
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch):
        raise Undelivered(f"the certificate of {where.host} is not trusted", hopeless=True) from None
    except (aiohttp.ClientError, OSError) as cause:
        text = next(text for kind, text in _CAUSES if isinstance(cause, kind))
        # `from None`: the foreign error quotes the address.
        raise Undelivered(f"{where.host}: {text}") from None
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise Undelivered(f"{where.host} redirects elsewhere ({status}), which is never followed", hopeless=True)
    curable = status in _PASSING or status >= 500
    raise Undelivered(f"{where.host} answers {status}", hopeless=not curable, after=retry_after(wait, now))
