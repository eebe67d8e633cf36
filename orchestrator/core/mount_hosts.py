"""Mount hosts: the machines on which backup servers mount, and the shares that show it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ByMountHost:
    """The mount host of each share, and those whose folders carry ids; by `folded` share."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    by_id: frozenset[str] = frozenset()

    def host(self, share: str) -> str:
        """The mount host behind a share: as the config names it, else the server of a UNC path, else the folder."""
        named = self.hosts.get(folded(share))
        return named or (re.split(r"[\\/]", share[2:])[0] if share.startswith("\\\\") else share)


def folded(share: str) -> str:
    """`share` as it is compared: no slash twice or at its end; where it is a UNC path or begins with a drive letter,
    without regard to letter case and to the kind of slash."""
    if share.startswith(("\\\\", "//")) or re.match(r"[A-Za-z]:", share):
        return re.sub(r"[\\/]+", r"\\", share).rstrip("\\").casefold()
    return re.sub(r"/+", "/", share).rstrip("/") or "/"
