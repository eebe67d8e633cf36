"""What is learned of where mounts appear. EM does not say on which machine it mounts; what it says of a restore point
is its backup server, its kind and the name of its backup file, whose chain lies in one repository.

A memory is never proof: it says where to look first, and on which mount host a mount is counted before it is seen.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from orchestrator.core.catalog import GuestOs, PointKind, RestorePoint
from orchestrator.core.plan import MountGroup

CHAINS_KEPT = 100_000
"""Chains that are remembered at most; one more is not, which costs nothing but time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The share that last showed the mounts of a chain. `backup_server` and `chain` are in small letters."""

    backup_server: str
    kind: PointKind
    os: GuestOs
    chain: str
    share: str


def chain_of(point: RestorePoint) -> str:
    """The chain of backup files that a restore point is in, in small letters: their common name without time and
    ending, as in `Files D2026-02-11T230012_1A2B.vib`. Where EM names no file, the machine has a chain of its own.

    That this is how all names are made is inferred; a name that is made otherwise is a chain of its own.
    """
    return _stem(point.backup_file) or f"machine {point.vm}".casefold()


@lru_cache(maxsize=65_536)
def _stem(file: str) -> str:
    found = re.match(r"(.+?)[ ._-]*D\d{4}-\d{2}-\d{2}T\d{6}", file)
    return (found[1] if found else file).casefold()


Kind = tuple[str, PointKind, GuestOs]
"""What EM is told and tells of a point besides its chain; it chooses a mount host by that too."""


@dataclass(slots=True)
class Whereabouts:
    """The answers so far, by chain and counted by kind."""

    _chains: dict[tuple[Kind, str], str] = field(default_factory=dict)
    _kinds: dict[Kind, Counter[str]] = field(default_factory=dict)

    def remember(self, answers: Iterable[Answer]) -> None:
        """Take in what earlier processes have learned."""
        for one in answers:
            self._put((one.backup_server, one.kind, one.os), one.chain, one.share)

    def learn(self, group: MountGroup, share: str) -> Answer | None:
        """A mount of `group` was found on `share`. What is to be kept, None when it is known."""
        kind, chain = _kind(group), chain_of(group.point)
        known = self._chains.get((kind, chain))
        if known == share or (known is None and len(self._chains) >= CHAINS_KEPT):
            return None
        self._put(kind, chain, share)
        return Answer(*kind, chain, share)

    def expected(self, group: MountGroup, shares: Iterable[str]) -> tuple[str, ...]:
        """Those of `shares` to look at first: the one that has shown this chain, else those that have shown such
        points, the most frequent first; empty when nothing is known."""
        candidates, kind = list(shares), _kind(group)
        own = self._chains.get((kind, chain_of(group.point)))
        if own in candidates:
            return (own,)
        counted = self._kinds.get(kind, Counter[str]())
        return tuple(sorted((one for one in candidates if counted[one] > 0), key=lambda one: -counted[one]))

    def hosts(self, group: MountGroup, hosts: Mapping[str, str]) -> frozenset[str]:
        """The mount hosts on which a mount of `group` may appear; `hosts` are those behind the candidate shares. All of
        them when nothing is known."""
        expected = self.expected(group, hosts)
        return frozenset(hosts[share].casefold() for share in expected or hosts)

    def _put(self, kind: Kind, chain: str, share: str) -> None:
        counted = self._kinds.setdefault(kind, Counter())
        before = self._chains.get((kind, chain))
        if before is not None:
            counted[before] -= 1
        counted[share] += 1
        self._chains[kind, chain] = share


def _kind(group: MountGroup) -> Kind:
    return group.point.backup_server.casefold(), group.point.kind, group.os or GuestOs.WINDOWS
