"""Folders of a mount, page by page, each name with its own link.

Sources: pages "FileSystemEntries", "GET .../mounts/{ID}/{filepath}".
"""

from orchestrator.core.catalog import Browsed, BrowsedPage, Listed
from orchestrator.enterprise_manager.wire import records, requests
from orchestrator.enterprise_manager.wire.document import Element, below, child, local, number, word
from orchestrator.enterprise_manager.wire.instants import epoch_seconds
from orchestrator.enterprise_manager.wire.links import Base, action_of, links
from orchestrator.enterprise_manager.wire.paging import Pages, paging


def browsed(root: Element, base: Base, asked: str) -> BrowsedPage:
    """One page of the folder that was asked for under `asked`.

    An answer that holds links only is a page without entries, and the listing follows. Names are those of `Name`, as
    they are: whether they can be names is for the caller to decide.
    """
    if records.listing(root) is None:
        return BrowsedPage((), records.list_all_href(root, base) or requests.list_all(asked))
    pages, info = Pages(asked), paging(root, base)
    pages.advance(info, listing=True)
    folders = [one for one in below(child(root, "Directories")) if local(one) == "directoryentry"]
    files = [one for one in below(child(root, "Files")) if local(one) == "fileentry"]
    entries = (*(_entry(one, base, Listed(True)) for one in folders), *(_file(one, base) for one in files))
    return BrowsedPage(entries, pages.target or "", info.count)


def _file(element: Element, base: Base) -> Browsed:
    modified = epoch_seconds(word(element, "ModifiedDateUTC"))
    return _entry(element, base, Listed(False, number(element, "Size"), modified))


def _entry(element: Element, base: Base, listed: Listed) -> Browsed:
    """A folder is listed by its `Down` link, which is told by its action; it may be missing, as may be `Href`."""
    href = base.path(word(element, "Href")) if word(element, "Href") else ""
    if listed.folder:
        downs = [base.path(link.href) for link in links(element) if link.rel == "down"]
        href = next((path for path in downs if action_of(path) == "listall"), href)
    return Browsed(records.listed_name(element), href, listed)
