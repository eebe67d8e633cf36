"""Mount hosts: the machines on which backup servers mount, the shares that show it, and how much each can carry.

Source of the sizes: the system requirements of a mount server. It needs 4 GB of memory for itself, and a file-level
restore takes 400 MB for each guest; 2 cores, and one more for every two further tasks at once. That two tasks fit into
the first 2 cores is inferred.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

OWN_GIB = 4.0
MOUNT_GIB = 400e6 / 2**30


@dataclass(frozen=True, slots=True)
class Sizes:
    """What limits the mounts of a host; None does not. Memory in GiB."""

    max_mounts: int | None = None
    memory_gib: float | None = None
    cores: int | None = None

    @property
    def mounts(self) -> int | None:
        """How many mounts it can carry at once, at least one; None when nothing says so."""
        most = [] if self.max_mounts is None else [self.max_mounts]
        if self.memory_gib is not None:
            most.append(int((self.memory_gib - OWN_GIB) / MOUNT_GIB))
        if self.cores is not None:
            most.append(2 * (self.cores - 1))
        return max(1, min(most)) if most else None


@dataclass(frozen=True, slots=True)
class ByMountHost:
    """The mount host of each share, and those whose folders carry ids, by `folded` share. `budgets` are the mounts that
    a host can carry at once, by its name in small letters, where the config limits them."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    by_id: frozenset[str] = frozenset()
    budgets: Mapping[str, int] = field(default_factory=dict)

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
