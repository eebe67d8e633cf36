"""Pages of one answer: `Next` while it is there, else `PageNum` against `PagesCount`.

Source: pages "PageSize and Page", "QueryResult".
"""

from dataclasses import dataclass

from orchestrator.enterprise_manager.wire.document import Element, Unreadable, child, number
from orchestrator.enterprise_manager.wire.links import Base, links, pick, same_target, with_parameters

PAGES_LIMIT = 10_000
"""Pages of one answer that are read at most."""


@dataclass(frozen=True, slots=True)
class Paging:
    """What `PagingInfo` says; all None when it is not there."""

    next: str | None = None
    number: int | None = None
    count: int | None = None
    size: int | None = None


def paging(root: Element, base: Base) -> Paging:
    """The `PagingInfo` of an answer."""
    info = child(root, "PagingInfo")
    following = pick(links(info), "Next")
    return Paging(
        next=base.path(following.href) if following else None,
        number=number(info, "PageNum"),
        count=number(info, "PagesCount"),
        size=number(info, "PageSize"),
    )


class Pages:
    """Walks from page to page: ask for `target` until it is None, telling each answer's paging."""

    def __init__(self, first: str) -> None:
        self.target: str | None = first
        self._seen = {same_target(first)}

    def advance(self, info: Paging, *, listing: bool = False) -> None:
        """Go to the page after the current one. Unreadable when EM leads in a circle."""
        current, self.target = self.target, None
        if current is None:
            return
        target = info.next
        if target is None and info.number is not None and info.number < (info.count or 0):
            target = with_parameters(current, page=info.number + 1)
            if listing:
                target = with_parameters(target, action="listAll", pageSize=info.size or 100, page=info.number + 1)
        if target is not None:
            self.turn_to(target)

    def turn_to(self, target: str) -> None:
        """Go on at `target`. Unreadable when it was asked for before."""
        if same_target(target) in self._seen or len(self._seen) >= PAGES_LIMIT:
            raise Unreadable("its pages lead in a circle")
        self._seen.add(same_target(target))
        self.target = target
