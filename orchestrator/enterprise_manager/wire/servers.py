"""Backup servers, as the query service returns them, and where each is asked for what is new.

Sources: pages "BackupServer", "POST /backupServers/{ID}?action=collect".
"""

from dataclasses import dataclass

from orchestrator.enterprise_manager.wire.document import Element, Unreadable, below, child, local, word
from orchestrator.enterprise_manager.wire.links import Base, action_of, links, with_parameters, without_entity_format


@dataclass(frozen=True, slots=True)
class KnownServer:
    """A backup server as EM names it; `collect` is the path of the action that makes EM collect its data."""

    name: str
    collect: str


def backup_servers(root: Element, base: Base) -> list[KnownServer]:
    """One page of backup servers."""
    if local(root) not in ("queryresult", "answer"):
        raise Unreadable(f"its root is {local(root)!r}, not 'QueryResult'")
    found = [
        each
        for each in below(child(root, "Entities"))
        if "backupserver" in (local(each), word(each, "Type").casefold())
    ]
    return [_server(each, base) for each in found if local(each) != "link"]


def _server(entity: Element, base: Base) -> KnownServer:
    """The collecting link, else the documented address: editions show the link or leave it out."""
    name, href = word(entity, "Name"), word(entity, "Href")
    linked = [base.path(link.href) for link in links(entity)]
    collect = next((path for path in linked if action_of(path) == "collect"), "")
    if not name or not (collect or href):
        raise Unreadable("a backup server in it has no name or no address")
    return KnownServer(name, collect or with_parameters(without_entity_format(base.path(href)), action="collect"))
