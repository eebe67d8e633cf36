"""Which certificate of Enterprise Manager is trusted: the system's store, a CA file, or one pinned certificate.

Source: page "SSL Encryption" (a self-signed certificate is what installation makes).
"""

import asyncio
import contextlib
import hashlib
import ssl
from datetime import UTC, datetime

from aiohttp import Fingerprint

from orchestrator.config import EnterpriseManagerSettings
from orchestrator.core.errors import ConfigInvalid

Trust = ssl.SSLContext | Fingerprint


def ssl_context(settings: EnterpriseManagerSettings) -> Trust:
    """What the client verifies EM's certificate with. Reads `ca_file`: blocks, call it before the event loop runs.

    With a fingerprint the one certificate that has it is trusted and no other. There is no way to switch
    verification off. ConfigInvalid names `enterprise_manager.ca_file` when it cannot be used.
    """
    if settings.fingerprint_sha256 is not None:
        return Fingerprint(bytes.fromhex(settings.fingerprint_sha256))
    if settings.ca_file is None:
        return _eased(ssl.create_default_context())
    try:
        return _eased(ssl.create_default_context(cafile=str(settings.ca_file)))
    except ssl.SSLError as cause:
        raise _unusable(settings, "it holds no certificate in PEM form") from cause
    except OSError as cause:
        raise _unusable(settings, f"it cannot be read ({cause.strerror})") from cause


def _eased(context: ssl.SSLContext) -> ssl.SSLContext:
    # Python 3.13 asks for extensions that self-made CAs, EM's own among them, leave out; the chain, the name and the
    # dates are verified all the same. A CA file may hold an issuing CA without the root above it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _unusable(settings: EnterpriseManagerSettings, problem: str) -> ConfigInvalid:
    return ConfigInvalid(place="enterprise_manager.ca_file", problems=f"{settings.ca_file}: {problem}")


async def shown_fingerprint(host: str, port: int, seconds: float = 5.0) -> str:
    """The SHA-256 of the certificate that the server shows, for a message; empty when it cannot be had."""
    shown = await _shown_certificate(host, port, seconds)
    return hashlib.sha256(shown).hexdigest() if shown else ""


async def shown_until(host: str, port: int, seconds: float = 5.0) -> datetime | None:
    """The last moment at which the certificate that the server shows is valid; None when it cannot be had."""
    shown = await _shown_certificate(host, port, seconds)
    try:
        return _not_after(shown)
    except (IndexError, ValueError):  # nothing was shown, or no certificate
        return None


def _not_after(certificate: bytes) -> datetime:
    """The end of a certificate in DER form (RFC 5280, 4.1). IndexError and ValueError when it is none."""
    body = _parts(_parts(certificate)[0][1])[0][1]
    serial_number_first = [content for tag, content in _parts(body) if tag != 0xA0]
    tag, text = _parts(serial_number_first[3])[1]
    digits = text.decode("ascii")
    if tag == 0x17:  # UTCTime: two digits of the year, up to 2049
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _parts(content: bytes) -> list[tuple[int, bytes]]:
    """The elements that stand side by side, by tag (ITU-T X.690)."""
    found, at = [], 0
    while at < len(content):
        tag, length = content[at], content[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(content[at : at + size], "big"), at + size
        found.append((tag, content[at : at + length]))
        at += length
    return found


async def _shown_certificate(host: str, port: int, seconds: float) -> bytes:
    """The certificate that the server shows, in DER form; empty when it cannot be had.

    Nothing is sent over this connection: it ends after the handshake, so looking needs no trust.
    """
    look = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    look.check_hostname = False
    look.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port, ssl=look)
            try:
                shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            return shown or b""
    return b""
