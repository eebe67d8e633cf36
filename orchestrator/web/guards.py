"""Who asks, and whether that may be: host names, cross-site requests, tokens, and patience with wrong ones."""

import hmac
import socket
import struct
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from aiohttp.web import BaseRequest

FAILURES = 5
"""Wrong tokens from one place within WINDOW; then it has to wait."""

WINDOW = timedelta(minutes=1)
PLACES = 1000
"""Places whose wrong tokens are remembered."""

_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class Refused(Exception):
    """A request that is not answered as asked; `what` says why in plain words. `headers` go with the answer."""

    def __init__(self, status: int, what: str, **headers: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks: by the local socket, over TLS, or in the clear. `name` is what the audit says."""

    way: Literal["local", "tls", "plain"]
    name: str


def peer_of(request: BaseRequest) -> Peer:
    """The peer as the system knows it, never as it says itself."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is not None and connection.family == getattr(socket, "AF_UNIX", None):
        return Peer("local", f"{_account(connection)} on the local socket")
    return Peer("tls" if request.secure else "plain", request.remote or "an unknown address")


def _account(connection: socket.socket) -> str:
    """Source: unix(7), SO_PEERCRED: struct ucred is pid, uid, gid."""
    if not hasattr(socket, "SO_PEERCRED"):
        return "somebody"
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return f"uid {struct.unpack('3i', raw)[1]}"


def check_host(request: BaseRequest, peer: Peer, hosts: frozenset[str]) -> None:
    """Refuse names that are not ours: a page elsewhere may let its own name mean our address (DNS rebinding). An
    address written out cannot be such a name."""
    if peer.way == "local":
        return
    asked = request.headers.get("Host", "")
    try:
        name = urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        name = ""
    if name in hosts or name == "localhost":
        return
    try:
        ip_address(name)
    except ValueError:
        what = (
            f"This page is not known as {asked[:100]!r}. Add the name to web.hosts in the config, or use the address."
        )
        raise Refused(421, what) from None


def check_same_site(request: BaseRequest) -> None:
    """Refuse what another site makes a browser send. There are no cookies, so this is the second lock."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("same-origin", "none") or origin not in (None, f"{request.scheme}://{request.host}"):
        raise Refused(403, "Another site made this request; it was not done.")


class Doorkeeper:
    """Lets operators act: those on the local socket, and those with the token over TLS."""

    def __init__(self, token: str) -> None:
        self._token = sha256(token.encode()).digest() if token else None
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()

    def check(self, request: BaseRequest, peer: Peer, now: datetime) -> None:
        """Refused unless they may. Says nothing of the token."""
        if peer.way == "local":
            if any(header in request.headers for header in _PROXY_HEADERS):
                raise Refused(
                    403, "This came through a proxy; the local socket is for the account of orchestrator alone."
                )
            return
        if peer.way == "plain":
            raise Refused(
                403,
                "Nothing can be done over plain HTTP, not even with the token: it could be read on the way. Use TLS "
                "(web.tls_certificate) or the local socket (web.socket). A token that was sent like this should be "
                "changed.",
            )
        if self._token is None:
            raise Refused(
                403, "No token is set, so nothing can be done over TLS. Set web.token_file, or use web.socket."
            )
        self._check_token(request.headers.get("Authorization", ""), _place(peer.name), now)

    def _check_token(self, header: str, place: str, now: datetime) -> None:
        tries = [at for at in self._failures.get(place, ()) if now - at < WINDOW]
        if len(tries) >= FAILURES:
            wait = int((tries[0] + WINDOW - now).total_seconds()) + 1
            raise Refused(429, f"Too many wrong tokens from this address. Wait {wait} s.", Retry_After=str(wait))
        scheme, _, given = header.partition(" ")
        right = hmac.compare_digest(sha256(given.strip().encode("utf-8", "replace")).digest(), self._token or b"")
        if scheme.lower() == "bearer" and right:
            self._failures.pop(place, None)
            return
        if not header:
            raise Refused(401, "This needs the token: Authorization: Bearer TOKEN", WWW_Authenticate="Bearer")
        self._failures[place] = [*tries, now]
        self._failures.move_to_end(place)
        if len(self._failures) > PLACES:
            self._failures.popitem(last=False)
        raise Refused(401, "The token is wrong.", WWW_Authenticate='Bearer error="invalid_token"')


def _place(address: str) -> str:
    """Whoever has one address of IPv6 has 2**64; they count as one. Those of IPv4 come as `::ffff:` where both are
    listened for."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        return str(known.ipv4_mapped or ip_network((known, 64), strict=False))
    return address
