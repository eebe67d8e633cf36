"""Bytes in, elements out: the one place that drives lxml. Everything that comes is held for hostile.

Source: page "Resource Representations"; JSON answers take the same shape (page "Representation Collections").
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

NAMESPACE = "http://www.veeam.com/ent/v1.0"
_OURS = f"{{{NAMESPACE}}}"
BODY_LIMIT = 64 * 2**20
"""Bytes of one answer that are read at most."""

Element = etree._Element
_BOM = b"\xef\xbb\xbf"
_JSON_DEPTH = 40
_JSON_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class Unreadable(ValueError):
    """What came is not what Enterprise Manager sends; the text names the reason."""


def document(body: bytes) -> Element:
    """The root element of an answer, in XML or JSON, with or without a byte order mark."""
    text = plain(body)
    if not text:
        raise Unreadable("it is empty")
    if len(text) > BODY_LIMIT:
        raise Unreadable(f"it is larger than {BODY_LIMIT // 2**20} MiB")
    root = _from_json(text) if text[:1] in b"{[" else _from_xml(text)
    if etree.QName(root).namespace != NAMESPACE:
        raise Unreadable(f"its root {etree.QName(root).localname!r} is not in the namespace {NAMESPACE}")
    return root


def plain(body: bytes) -> bytes:
    """`body` without byte order mark and surrounding white space."""
    return body.strip().removeprefix(_BOM).strip()


def _from_xml(text: bytes) -> Element:
    if re.search(rb"<html[\s>]|<!doctype\s+html", text[:1024], re.IGNORECASE):
        raise Unreadable("it is an HTML page")
    if b"<!DOCTYPE" in text:
        raise Unreadable("it holds a DOCTYPE")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as cause:
        raise Unreadable(f"it is not well-formed XML (line {cause.lineno})") from cause
    # The bytes of another encoding pass the first check.
    declaration: Any = root.getroottree().docinfo
    if declaration.doctype:
        raise Unreadable("it holds a DOCTYPE")
    return root


def _from_json(text: bytes) -> Element:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise Unreadable("it is not well-formed JSON") from cause
    if not isinstance(value, dict):
        raise Unreadable("it is JSON, but not an object")
    root = _element(str(_member(value, "Type") or "Answer"), value, _JSON_DEPTH)
    return root


def _element(name: str, value: Any, depth: int) -> Element:
    """Scalars become attributes; objects, lists and nulls children: the readers take a value from either."""
    if depth == 0:
        raise Unreadable("it is nested too deep")
    if not _JSON_NAME.fullmatch(name):
        raise Unreadable("it has a member whose name is no element name")
    element = etree.Element(etree.QName(NAMESPACE, name))
    members = value.items() if isinstance(value, dict) else [(_singular(name, item), item) for item in value]
    for key, member in members:
        if member is None or isinstance(member, dict | list):
            element.append(_element(key, member or {}, depth - 1))
        else:
            text = str(member).lower() if isinstance(member, bool) else str(member)
            try:
                element.set(key, text)
            except ValueError as cause:
                raise Unreadable("it has a member that XML cannot hold") from cause
    return element


def _singular(plural: str, item: Any) -> str:
    kind = str(_member(item, "Type") or "") if isinstance(item, dict) else ""
    if plural.casefold() == "links":
        return "Link"
    return kind or re.sub(r"s$", "", re.sub(r"ies$", "y", plural)) or plural


def _member(value: dict[str, Any], name: str) -> Any:
    return next((member for key, member in value.items() if key.casefold() == name.casefold()), None)


def local(element: Element) -> str:
    """The element's name in EM's namespace, case folded; empty for a foreign element."""
    tag = str(element.tag)  # asked for many times of each restore point: taken apart without a QName
    return tag[len(_OURS) :].casefold() if tag.startswith(_OURS) else ""


def children(element: Element | None, *names: str) -> list[Element]:
    """The direct children with one of `names`; letter case does not count, because it changed between versions."""
    wanted = {name.casefold() for name in names}
    return [] if element is None else [child for child in element if local(child) in wanted]


def child(element: Element | None, name: str) -> Element | None:
    """The first direct child with that name."""
    if element is None:
        return None
    wanted = name.casefold()
    return next((child for child in element if local(child) == wanted), None)


def below(element: Element | None) -> Iterator[Element]:
    """Every element below, in document order."""
    if element is not None:
        yield from element.iterdescendants("{*}*")


def value(element: Element | None, name: str) -> str:
    """An attribute or else a child's text, unchanged; empty when there is neither.

    JSON answers do not tell the two apart, and editions of the reference disagree about some.
    """
    if element is None:
        return ""
    if (exact := element.get(name)) is not None:
        return str(exact)
    wanted = name.casefold()
    for key, text in element.items():
        if str(key).casefold() == wanted:
            return str(text)
    found = child(element, name)
    return "" if found is None else found.text or ""


def word(element: Element | None, name: str) -> str:
    """The same without surrounding white space."""
    return value(element, name).strip()


def number(element: Element | None, name: str) -> int | None:
    """A whole number of at most 19 digits; None when there is none."""
    text = word(element, name)
    return int(text) if re.fullmatch(r"[0-9]{1,19}", text) else None


def error_message(body: bytes) -> str:
    """The `Message` of an `Error` body in XML or JSON; empty when it is something else."""
    try:
        root = document(body)
    except Unreadable:
        return ""
    return " ".join((word(root, "Message") or word(root, "FirstChanceExceptionMessage")).split())


def excerpt(text: str, limit: int = 120) -> str:
    """The beginning of an answer on one line, without control characters."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[:limit] + "..."
