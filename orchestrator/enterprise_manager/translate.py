"""What aiohttp and HTTP statuses mean here: the one table from foreign failures to errors of the core.

Source: page "HTTP Response Codes". Status classes count, reason phrases do not: EM's are unreliable.
"""

import errno
from collections.abc import Callable
from typing import TypeVar

import aiohttp
from yarl import URL

from orchestrator.core.errors import (
    AnswerUnreadable,
    CertificateUntrusted,
    EmBusy,
    EmError,
    EmFault,
    EmUnreachable,
    Forbidden,
    NotFound,
    OutcomeUnknown,
)
from orchestrator.enterprise_manager.masking import Mask
from orchestrator.enterprise_manager.wire.document import (
    Element,
    Unreadable,
    document,
    error_message,
    excerpt,
    plain,
)
from orchestrator.enterprise_manager.wire.exchange import Reply, Request

Record = TypeVar("Record")

_UNTRUSTED = (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch)
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the name {host} cannot be resolved to an address"),
    (aiohttp.ClientConnectorSSLError, "{place} does not speak TLS, or no version that both sides know"),
    (aiohttp.ConnectionTimeoutError, "{place} lets no connection come about within the time limit"),
    (aiohttp.ClientConnectorError, "there is no connection to {place}"),
    (TimeoutError, "{place} gives no answer within the time limit"),
    (aiohttp.ServerDisconnectedError, "{place} broke the connection before the answer"),
    (aiohttp.ClientPayloadError, "{place} broke the connection within the answer"),
    (aiohttp.ClientResponseError, "the answer of {place} is not HTTP"),
    (aiohttp.ClientError, "the connection to {place} broke"),
    (OSError, "the connection to {place} broke"),
)
_SYSTEM_CAUSES = {
    errno.ECONNREFUSED: "{place} refuses the connection: nothing listens there, or a firewall rejects it",
    errno.ETIMEDOUT: "{place} lets no connection come about: nothing answers there, or a firewall drops it",
    errno.EHOSTUNREACH: "there is no route to {host}",
    errno.ENETUNREACH: "there is no route to {host}",
    errno.ECONNRESET: "{place} broke the connection",
    errno.EPIPE: "{place} broke the connection",
}
"""For what the system says more exactly than the library."""
FOREIGN = (aiohttp.ClientError, TimeoutError, OSError)
"""Every class that aiohttp raises for a failed exchange."""


def untrusted(cause: BaseException) -> bool:
    """Whether the server's certificate is what failed."""
    return isinstance(cause, _UNTRUSTED)


def fingerprint_in(cause: BaseException) -> str:
    """The fingerprint that a failed comparison saw; empty when `cause` carries none."""
    return cause.got.hex() if isinstance(cause, aiohttp.ServerFingerprintMismatch) else ""


def presentable(cause: BaseException, mask: Mask) -> BaseException:
    """`cause`, or a stand-in when it would show a secret: tracebacks print causes, and aiohttp's carry addresses and
    headers."""
    text = f"{cause!s} {cause!r}"
    return cause if mask(text) == text else ConnectionError(f"{type(cause).__name__}: {mask(str(cause))}")


def failure(cause: BaseException, request: Request, url: str, *, sent: bool, fingerprint: str, mask: Mask) -> EmError:
    """The core error for a failed exchange. `sent`: some of the request may have reached EM."""
    if isinstance(cause, aiohttp.ServerFingerprintMismatch):
        return CertificateUntrusted(
            url=url, cause="it is not the one in enterprise_manager.fingerprint_sha256", fingerprint=fingerprint
        )
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        shown = fingerprint or "its SHA-256"
        reason = getattr(cause.certificate_error, "verify_message", "") or "it cannot be verified"
        return CertificateUntrusted(url=url, cause=mask(str(reason)), fingerprint=shown)
    text = mask(_words(cause).format(host=URL(url).host, place=f"{URL(url).host}:{URL(url).port}"))
    if request.acts_once and sent:
        return OutcomeUnknown(what=request.what, cause=text)
    return EmUnreachable(url=url, cause=text)


def _words(cause: BaseException) -> str:
    said = _SYSTEM_CAUSES.get(cause.errno or 0) if isinstance(cause, OSError) else None
    return said or next(words for kind, words in _CAUSES if isinstance(cause, kind))


def refusal(reply: Reply, request: Request, mask: Mask) -> EmError | None:
    """The core error for an answer that is no success; None for a 2xx.

    A mount POST counts as refused only on a 4xx other than 408, and on 501. Any other answer, 503 among them, may come
    from a proxy that had passed the request on, or from EM after it began; a listing settles that at little cost.
    """
    status, what = reply.status, request.what
    if 200 <= status < 300:
        return None
    cause = explanation(reply, mask)
    if request.acts_once and not (400 <= status < 500 and status != 408) and status != 501:
        return OutcomeUnknown(what=what, cause=f"the answer was {status}: {cause}")
    if status == 403:
        return Forbidden(what=what, cause=cause)
    if status == 404:
        return NotFound(what=what, cause=cause)
    if status in (429, 503):
        return EmBusy(what=what, cause=cause, retry_after=reply.headers.get("retry-after", ""))
    if 300 <= status < 400:
        return AnswerUnreadable(what=what, cause=f"it redirects elsewhere ({status}), which is never followed")
    return EmFault(status=status, what=what, cause=cause)


def no_file(reply: Reply, request: Request, mask: Mask) -> EmError:
    """The core error for an answer that says success and holds words instead of a file."""
    return AnswerUnreadable(what=request.what, cause=f"it is no file: {explanation(reply, mask)}")


def explanation(reply: Reply, mask: Mask) -> str:
    """What an error answer says: the message of its `Error` body, else the beginning of what came."""
    if message := error_message(reply.body):
        return excerpt(mask(message), 500)
    return _beginning(reply.body, mask) or "no explanation"


def read(reader: Callable[[Element], Record], reply: Reply, request: Request, mask: Mask) -> Record:
    """What `reader` makes of the answer; AnswerUnreadable shows how the answer begins."""
    try:
        return reader(document(reply.body))
    except Unreadable as cause:
        begins = _beginning(reply.body, mask)
        text = f"{mask(str(cause))}{f'; it begins: {begins}' if begins else ''}"
        raise AnswerUnreadable(what=request.what, cause=text) from cause


def _beginning(body: bytes, mask: Mask) -> str:
    # Masked before it is cut: half a secret is no longer recognised.
    return excerpt(mask(plain(body)[:4096].decode("utf-8", "replace")))
