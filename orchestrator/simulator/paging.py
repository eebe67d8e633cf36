"""Pages of queries and listings (`pagesize_and_page.md`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.simulator.pen import Link, Node, Pen
from orchestrator.simulator.refusals import Refusal

_T = TypeVar("_T")


@dataclass(frozen=True)
class Page:
    """Page `number` (from 1) of `count`, of `size` items each."""

    number: int
    size: int
    count: int


def page_of(items: Sequence[_T], parameters: Mapping[str, str], default: int) -> tuple[Page, Sequence[_T]]:
    """Cut the page that the lower-cased parameters ask for; `default` 0 is everything on one page.

    Raises Refusal 400 unless pageSize and page are whole numbers above 0. A page beyond the last is empty.
    """
    size = _positive(parameters, "pagesize", default or max(1, len(items)))
    number = _positive(parameters, "page", 1)
    first = (number - 1) * size
    return Page(number, size, -(-len(items) // size)), items[first : first + size]


def _positive(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Refusal(400, f"{name} must be a number above 0, not {text}")
    return int(text)


def paging_info(pen: Pen, page: Page, href: Callable[[int], str]) -> Node:
    """`<PagingInfo>` with First, Previous, Next and Last as far as they exist."""
    links = [Link("First", href(1))]
    if page.number > 1:
        links.append(Link("Previous", href(page.number - 1)))
    if page.number < page.count:
        links.append(Link("Next", href(page.number + 1)))
    links.append(Link("Last", href(max(1, page.count))))
    said = {"PageNum": str(page.number), "PageSize": str(page.size), "PagesCount": str(page.count)}
    if pen.settings.attribute_order == "new":
        said = dict(reversed(said.items()))
    return pen.node("PagingInfo", said, pen.links(*links))
