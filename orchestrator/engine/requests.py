"""What a group asks of its mount, root by root."""

from collections.abc import Sequence

from orchestrator.core.locate import roots_for
from orchestrator.core.paths import GuestPath
from orchestrator.core.plan import MountGroup

Request = tuple[int, GuestPath, str, tuple[str, ...]]
"""(selection, requested path, root that holds it or nothing, names below that root)."""


def requests_of(group: MountGroup, names: Sequence[str]) -> tuple[list[Request], list[str]]:
    """Every request of the group, and those of the roots `names` that they need."""
    requests: list[Request] = []
    for number, selection in enumerate(group.selections):
        for path in selection.paths:
            holding = roots_for(path, names)
            requests.extend((number, path, root, below) for root, below in holding)
            if not holding:
                requests.append((number, path, "", ()))
    return requests, list(dict.fromkeys(root for _, _, root, _ in requests if root))
