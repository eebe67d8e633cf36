"""What Enterprise Manager checks before it does anything (em-api 2 and 8.1)."""

import json
from collections.abc import Mapping

from lxml import etree

from orchestrator.simulator.kinds import VM, Kind
from orchestrator.simulator.pen import NAMESPACE
from orchestrator.simulator.refusals import HttpSysRefusal, Refusal

_OS_KINDS = ("Windows", "Linux")
_TYPES = ("application/xml", "application/json")
COOKIE = "X-RestSvcSessionId"


def check_headers(method: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raises 411 for a POST that states no length, 415 for a Content-Type that is neither XML nor JSON.

    The type matters even without a body: a form type on a bodyless logon was seen to bring 415.
    """
    if method not in ("POST", "PUT"):
        return
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        raise HttpSysRefusal(411, "Length Required")
    kind = media_type(headers)
    if kind not in _TYPES and (kind or body):
        raise Refusal(415, f"Content-Type {kind or '(none)'} is not supported.")


def media_type(headers: Mapping[str, str]) -> str:
    """The lower-cased Content-Type without parameters, "" without a header."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def token_of(headers: Mapping[str, str]) -> str | None:
    """The session token that counts: a cookie beats the header (`http_authentication.md`)."""
    for part in headers.get("Cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value.strip('"')
    return headers.get(COOKIE)


def os_kind_of(headers: Mapping[str, str], body: bytes, kind: Kind = VM) -> str:
    """`OsKind` of a StartMountSpec; EM takes Windows if none is given, and finds out by itself for an agent (empty).

    Raises Refusal 400; a replica must have a body, an agent none.
    """
    if kind.spec == "none":
        if body:
            raise Refusal(400, f"No body is expected for a mount of a {kind.entity}.")
        return ""
    if not body:
        if kind.spec == "must":
            raise Refusal(400, "Node [root] does not exist.")
        return "Windows"
    found = _from_json(body) if media_type(headers) == "application/json" else _from_xml(body)
    if found not in _OS_KINDS:
        raise Refusal(400, f"{found} is not a value of OsKind.")
    return found


def _from_json(body: bytes) -> str:
    try:
        spec = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "Node [root] does not exist.") from error
    if not isinstance(spec, dict) or set(spec) - {"OsKind"}:
        raise Refusal(400, "Node [root] holds unknown members.")
    return str(spec.get("OsKind", "Windows"))


def _from_xml(body: bytes) -> str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Refusal(400, "The body is not well-formed.") from error
    if b"<!DOCTYPE" in body:
        raise Refusal(400, "A document type declaration is not allowed.")
    if root.tag != f"{{{NAMESPACE}}}StartMountSpec":
        raise Refusal(400, f"The element StartMountSpec of {NAMESPACE} is expected.")
    children = list(root.iterchildren("*"))
    if [child.tag for child in children] not in ([], [f"{{{NAMESPACE}}}OsKind"]):
        raise Refusal(400, "Only one element OsKind is expected in StartMountSpec.")
    return (children[0].text or "").strip() if children else "Windows"
