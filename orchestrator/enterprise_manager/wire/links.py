"""Links: chosen by `Rel` and `Type`, never by position, and rebased onto the configured address.

Sources: pages "Attributes of a Link Element", "Resource URLs", "Requests".
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from orchestrator.enterprise_manager.wire.document import Element, Unreadable, child, children, word

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEPT = "%/:$&=;,@!'()*+~"


@dataclass(frozen=True, slots=True)
class Link:
    """One `Link`. `type` is empty for actions, `name` may be."""

    rel: str
    type: str
    href: str
    name: str


@dataclass(frozen=True, slots=True)
class Base:
    """The configured address, `https://host:port/prefix` without `/api`."""

    url: str

    def path(self, href: str) -> str:
        """`href` as path and query from `/api` on.

        EM writes whatever it believes it is called (localhost, another name, another port), so scheme, host, port
        and prefix of an href mean nothing; dropping them is also what keeps the token at the configured address.
        """
        if _CONTROL.search(href):
            raise Unreadable("a link holds a control character")
        try:
            parts = urlsplit(href.strip().replace("\\", "/"))
        except ValueError as cause:
            raise Unreadable("a link is no address") from cause
        own = urlsplit(self.url).path.rstrip("/")
        path = parts.path
        if own and path.casefold().startswith(f"{own}/api/".casefold()):
            path = path[len(own) :]
        begin = re.search(r"/api(?=/)", path, re.IGNORECASE)
        if begin is None or not path.startswith("/"):
            raise Unreadable("a link does not lie below /api")
        path = "/api" + path[begin.end() :]
        if any(segment in (".", "..") for segment in path.split("/")):
            raise Unreadable("a link climbs out of its folder")
        return quote(path, safe=_KEPT) + (f"?{quote(parts.query, safe=_KEPT + '?')}" if parts.query else "")

    def address(self, target: str) -> str:
        """The whole address of a path that `path` made."""
        return self.url + target


def without_entity_format(path: str) -> str:
    """`path` without `?format=Entity`, which entity hrefs carry and paths derived from them must not."""
    bare, _, query = path.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.casefold() != "format=entity"]
    return bare + ("?" + "&".join(kept) if kept else "")


def with_parameters(path: str, **parameters: str | int) -> str:
    """`path` with those query parameters set and the others as they were."""
    bare, _, query = path.partition("?")
    names = {name.casefold() for name in parameters}
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0].casefold() not in names]
    return bare + "?" + "&".join([*kept, *(f"{name}={quote(str(text), safe='')}" for name, text in parameters.items())])


def same_target(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A key that is equal for two spellings of one target: EM re-orders parameters and changes escapes."""
    bare, _, query = path.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    return bare.casefold(), tuple(sorted((key.casefold(), text) for key, text in pairs))


def action_of(path: str) -> str:
    """The `action` of a target, case folded; empty when it has none."""
    pairs = parse_qsl(path.partition("?")[2])
    return next((text.casefold() for key, text in pairs if key.casefold() == "action"), "")


def links(element: Element | None) -> list[Link]:
    """The direct links of an element; those without an address are left out."""
    found = [
        Link(word(each, "Rel").casefold(), word(each, "Type").casefold(), word(each, "Href"), word(each, "Name"))
        for each in children(child(element, "Links"), "Link")
    ]
    return [link for link in found if link.href]


def pick(candidates: list[Link], rel: str, *types: str) -> Link | None:
    """The link with that `Rel` and one of `types`, in the order of `types`; any type when none is named."""
    with_rel = [link for link in candidates if link.rel == rel.casefold()]
    if not types:
        return next(iter(with_rel), None)
    wanted = [kind.casefold() for kind in types]
    typed = sorted((link for link in with_rel if link.type in wanted), key=lambda link: wanted.index(link.type))
    return next(iter(typed), None)
