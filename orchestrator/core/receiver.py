"""Where syslog messages go: an address as it stands in the config, and what it means."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal
from urllib.parse import urlsplit

Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]  # fmt: skip
"""What receivers sort by. Source: RFC 5424, section 6.2.1; the names are those of syslog(3)."""


class Transport(Enum):
    """How messages travel. Sources: RFC 5426 (UDP), RFC 6587 (TCP), RFC 5425 (TLS)."""

    LOCAL = "local"
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def framed(self) -> bool:
        """Whether messages follow each other in one stream, so that each needs its length before it."""
        return self in (Transport.TCP, Transport.TLS)


_PORTS = {Transport.UDP: 514, Transport.TCP: 601, Transport.TLS: 6514}
"""Those that IANA has registered for each."""

UDP_LIMIT, STREAM_LIMIT = 2048, 8192
"""Bytes that a receiver should take. Sources: RFC 5426, section 3.2; RFC 5425, section 4.3.1."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes the messages: a host and a port, or the path of a local socket."""

    transport: Transport
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def limit(self) -> int:
        """Bytes of one message, unless the config says otherwise."""
        return UDP_LIMIT if self.transport is Transport.UDP else STREAM_LIMIT

    def __str__(self) -> str:
        if self.transport is Transport.LOCAL:
            return self.path
        return f"{self.transport.value}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def parse_receiver(text: str) -> Receiver:
    """The receiver behind `/dev/log`, `udp://host:514`, `tcp://host:601` or `tls://host:6514`.

    ValueError in plain words.
    """
    if text.startswith("/"):
        return Receiver(Transport.LOCAL, path=text)
    parts = urlsplit(text)
    if "@" in parts.netloc:
        # The address is not repeated: what stands before the @ may be a password.
        raise ValueError("must hold no user and no password")
    transport = next((one for one in _PORTS if one.value == parts.scheme), None)
    if transport is None or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{text!r} must be /dev/log, udp://host:514, tcp://host:601 or tls://host:6514")
    try:
        port = parts.port
    except ValueError as cause:
        raise ValueError(f"{text!r}: the port must be a number up to 65535") from cause
    return Receiver(transport, parts.hostname, port or _PORTS[transport])
