"""Reaching a receiver: the socket, and TLS around it."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from orchestrator.core.errors import ConfigInvalid
from orchestrator.core.receiver import Receiver, Transport

WITHIN = 5.0
"""Seconds that connecting, and each send, may take."""

Send = Callable[[bytes], None]


def client_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """What TLS trusts and shows; the name of the receiver is always checked. ConfigInvalid for a file that is none."""
    place = "syslog.ca_file"
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert_file is not None:
            place = "syslog.cert_file"
            context.load_cert_chain(cert_file, key_file, password=_no_password)
    except (OSError, ValueError) as cause:  # ssl.SSLError is an OSError
        raise ConfigInvalid(place=place, problems=f"cannot be used: {cause}") from cause
    return context


def _no_password() -> str:
    """Asked for when a key is encrypted; without this, OpenSSL asks the terminal."""
    raise ValueError("the key is encrypted; give one that is not, readable by this account only")


def reach(receiver: Receiver, context: ssl.SSLContext | None) -> tuple[socket.socket, Send]:
    """A socket to `receiver`, and what sends one message whole. OSError when it cannot be reached."""
    match receiver.transport:
        case Transport.LOCAL:
            return _local(receiver.path)
        case Transport.UDP:
            return _datagrams(receiver)
        case Transport.TCP:
            stream = socket.create_connection((receiver.host, receiver.port), WITHIN)
            return stream, stream.sendall
        case Transport.TLS:
            return _tls(receiver, context)


def _local(path: str) -> tuple[socket.socket, Send]:
    if not hasattr(socket, "AF_UNIX"):  # pragma: no cover
        raise OSError(None, "this system has no local sockets; use udp://, tcp:// or tls://")
    local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        local.settimeout(WITHIN)
        local.connect(path)
    except BaseException:
        local.close()
        raise
    return local, lambda message: _whole(local.send(message), message)


def _datagrams(receiver: Receiver) -> tuple[socket.socket, Send]:
    """Not connected: else every second message would fail with the news that nobody had taken the first."""
    family, kind, protocol, _, address = socket.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_DGRAM)[0]
    datagrams = socket.socket(family, kind, protocol)
    datagrams.settimeout(WITHIN)
    return datagrams, lambda message: _whole(datagrams.sendto(message, address), message)


def _tls(receiver: Receiver, context: ssl.SSLContext | None) -> tuple[socket.socket, Send]:
    plain = socket.create_connection((receiver.host, receiver.port), WITHIN)
    try:
        secured = (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=receiver.host)
    except BaseException:
        plain.close()
        raise
    return secured, secured.sendall


def _whole(sent: int, message: bytes) -> None:
    if sent != len(message):
        raise OSError(None, f"only {sent} of {len(message)} bytes were taken")


def has_ended(stream: socket.socket) -> bool:
    """Whether the other side has closed a stream. A send would not tell: the first one after it goes nowhere."""
    stream.settimeout(0)
    try:
        while True:
            if not stream.recv(4096):  # receivers send nothing but the tickets of TLS, which are not seen here
                return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        stream.settimeout(WITHIN)
