"""How a document is put on paper: namespace, links, Hrefs, attribute order, byte order mark."""

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from lxml import etree

from orchestrator.simulator.settings import Settings

NAMESPACE = "http://www.veeam.com/ent/v1.0"
_NSMAP: dict[str | None, str] = {
    None: NAMESPACE,
    "xsd": "http://www.w3.org/2001/XMLSchema",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LITERAL = ":$@!'()*,~"

Node = etree._Element


@dataclass(frozen=True)
class Link:
    """One `<Link>`; `href` is complete."""

    rel: str
    href: str
    type: str | None = None
    name: str | None = None


def path_of(segments: Iterable[str]) -> str:
    """Segments as a URL path: UTF-8, percent-encoded one by one, drive colons and `$` literal (em-api 8.3)."""
    return "/".join(quote(_clean(segment), safe=_LITERAL) for segment in segments)


def _clean(text: str) -> str:
    """Text that XML can hold; what it cannot is shown as U+FFFD."""
    return _NOT_IN_XML.sub("\ufffd", text)


@dataclass(frozen=True)
class Pen:
    """Builds the elements of a body as the settings want them."""

    settings: Settings

    def href(self, *segments: str, query: str = "") -> str:
        """A complete Href below `/api/`; the authority is what EM believes it is called."""
        return f"{self.settings.advertise}/api/{path_of(segments)}{query}"

    def node(self, name: str, attributes: Mapping[str, str | None] | None = None, *children: Node) -> Node:
        """An element of EM's namespace; attributes that are None are left out."""
        made = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap=cast("dict[str, str]", _NSMAP))
        for key, value in (attributes or {}).items():
            if value is not None:
                made.set(key, _clean(value))
        made.extend(children)
        return made

    def leaf(self, name: str, text: str) -> Node:
        """An element that holds text only."""
        made = self.node(name)
        made.text = _clean(text)
        return made

    def links(self, *links: Link) -> Node:
        """`<Links>`; editions differ in the order of the attributes of a link."""
        return self.node("Links", None, *(self._link(link) for link in links))

    def _link(self, link: Link) -> Node:
        fields = {"Rel": link.rel, "Type": link.type, "Href": link.href, "Name": link.name}
        order = ("Rel", "Type", "Href", "Name") if self._old else ("Href", "Name", "Type", "Rel")
        return self.node("Link", {key: fields[key] for key in order})

    def entity(self, kind: str, href: str, *children: Node, **more: str | None) -> Node:
        """An element with `Type` and `Href` (and Name, UID, VmDisplayName) as attributes."""
        fields = {"Type": kind, "Href": href, **more}
        return self.node(kind, fields if self._old else dict(reversed(fields.items())), *children)

    def paper(self, root: Node) -> bytes:
        """The body as bytes."""
        etree.cleanup_namespaces(root, keep_ns_prefixes=["xsd", "xsi"])
        body = etree.tostring(root, xml_declaration=True, encoding="utf-8")
        return codecs.BOM_UTF8 + body if self.settings.bom else body

    @property
    def _old(self) -> bool:
        return self.settings.attribute_order == "old"
