"""Everything that may be wrong before anybody is served: addresses, socket files, the certificate, the token.

Blocks, and is done before the event loop starts. Every mistake is a ConfigInvalid that says what to do.
"""

import errno
import hashlib
import os
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path

from orchestrator.config import read_secret
from orchestrator.config_web import WebSettings, split_address
from orchestrator.core.errors import ConfigInvalid
from orchestrator.web.sockets import BACKLOG, local_socket, reachable

TOKEN_AT_LEAST = 16
"""Characters below which a token could be guessed."""

STATIC = {"status.css": "text/css", "status.js": "text/javascript", "icon.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Listeners:
    """Sockets that listen already; who connects waits until they are served.

    `tcp` is loopback, or `exposed` to others. `static` is what the page needs besides: name, content type, content.
    """

    tcp: socket.socket | None
    tls: ssl.SSLContext | None
    local: socket.socket | None
    hosts: frozenset[str]
    exposed: bool
    token: str = field(repr=False)
    static: Mapping[str, tuple[str, bytes]] = field(repr=False)

    @property
    def version(self) -> str:
        """Differs when the page needs another style or script."""
        return hashlib.sha256(b"".join(content for _, content in self.static.values())).hexdigest()[:12]


@contextmanager
def open_listeners(settings: WebSettings, environment: Mapping[str, str] = os.environ) -> Iterator[Listeners]:
    """Listen as `settings` say, while the block lasts. ConfigInvalid for what cannot be."""
    with ExitStack() as stack:
        tls = _tls(settings)
        token = _token(settings, environment)
        tcp = local = None
        exposed = False
        if settings.listen is not None:
            host, port = split_address(settings.listen)
            exposed = not ip_address(host).is_loopback
            tcp = stack.enter_context(_listen(host, port))
        if settings.socket is not None:
            local = stack.enter_context(_listen_local(settings.socket))
        yield Listeners(tcp, tls, local, frozenset(settings.hosts), exposed, token, _static())


def _static() -> dict[str, tuple[str, bytes]]:
    folder = files("orchestrator.web") / "static"
    return {name: (kind, (folder / name).read_bytes()) for name, kind in STATIC.items()}


def _token(settings: WebSettings, environment: Mapping[str, str]) -> str:
    if not settings.takes_token:
        return ""
    token = read_secret(settings, "token", "web", environment)
    if len(token) < TOKEN_AT_LEAST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigInvalid(
            place="web",
            problems=f"the token must be {TOKEN_AT_LEAST} characters of ASCII or more, without spaces; "
            "make one with: openssl rand -hex 32",
        )
    return token


def _tls(settings: WebSettings) -> ssl.SSLContext | None:
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None
    for name, file in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            file.read_bytes()
        except OSError as cause:
            raise ConfigInvalid(place=f"web.{name}", problems=f"{file} cannot be read: {cause.strerror}") from cause
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as cause:
        what = getattr(cause, "reason", None) or str(cause)
        raise ConfigInvalid(
            place="web.tls_key",
            problems=f"{key} and {certificate} are no key and certificate that belong together, in PEM: {what}",
        ) from cause
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted; give it without a password, readable by orchestrator alone")


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        if os.name == "posix":  # elsewhere it would let two programs share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except OSError as cause:
            raise ConfigInvalid(place="web.listen", problems=f"{host} port {port} {_why(cause)}") from cause
        listening.setblocking(False)
        yield listening


def _why(cause: OSError) -> str:
    match cause.errno:
        case errno.EADDRINUSE:
            return "is in use by another program; stop it, or take another port"
        case errno.EADDRNOTAVAIL:
            return "cannot be listened on: this machine has no such address"
        case errno.EACCES:
            return "may not be listened on by this account; take a port above 1023"
        case _:
            return f"cannot be listened on: {cause.strerror or cause}"


@contextmanager
def _listen_local(path: Path) -> Iterator[socket.socket]:
    """A socket file that only our own account can open. It is removed at the end, if it is still ours."""
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigInvalid(place="web.socket", problems="this system has no local sockets; use web.listen")
    _remove_stale(path)
    with ExitStack() as stack:
        try:
            listening = stack.enter_context(local_socket(path))
        except FileNotFoundError as cause:
            hint = f"the folder {path.parent} does not exist; make it (systemd: RuntimeDirectory=)"
            raise ConfigInvalid(place="web.socket", problems=hint) from cause
        except OSError as cause:
            raise ConfigInvalid(place="web.socket", problems=f"{path} cannot be made: {cause}") from cause
        yield listening


def _remove_stale(path: Path) -> None:
    """A socket on which nobody listens was left by a process that died. Anything else is left alone."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigInvalid(
                place="web.socket", problems=f"{path} is there and is no socket; move it away, or choose another path"
            )
        with socket.socket(socket.AF_UNIX) as probe, reachable(path) as short:
            probe.settimeout(1)
            probe.connect(short)
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return
    except OSError as cause:
        raise ConfigInvalid(place="web.socket", problems=f"{path} cannot be used: {cause}") from cause
    raise ConfigInvalid(place="web.socket", problems=f"{path}: another program listens there; stop it first")
