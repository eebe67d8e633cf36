"""The restore points that EM has told of, found by the name of a machine, by a glob and by id."""

import fnmatch
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from orchestrator.core.catalog import PointKind, RestorePoint
from orchestrator.core.whereabouts import chain_of


class Inventory:
    """Every restore point once. Made in one pass, so that a question about one machine does not look at all of them."""

    def __init__(self, points: Iterable[RestorePoint]) -> None:
        self._by_id: dict[str, RestorePoint] = {}
        for point in points:
            known = self._by_id.get(_id(point.uid))
            if known is None or not known.backup_job:  # one answer may know more of a point than another
                self._by_id[_id(point.uid)] = point
        self._by_id |= {_id(point.uid): point for point in _reverse(self._by_id.values())}
        self._by_name: dict[tuple[PointKind, str], list[RestorePoint]] = {}
        for point in self._by_id.values():
            self._by_name.setdefault((point.kind, point.vm.casefold()), []).append(point)

    def of_id(self, uid: str) -> RestorePoint | None:
        """The point with an id, a bare guid or a URN, in any letter case."""
        return self._by_id.get(_id(uid))

    def named(self, name: str, kind: PointKind) -> Sequence[RestorePoint]:
        """The points of the machine of that name; the exact spelling wins over another letter case."""
        found = self._by_name.get((kind, name.casefold()), [])
        return [point for point in found if point.vm == name] or found

    def matching(self, glob: str, kind: PointKind) -> Sequence[RestorePoint]:
        """The points of every machine that a glob matches, whatever the letter case."""
        matches = re.compile(fnmatch.translate(glob.casefold())).match
        return [point for (of, name), found in self._by_name.items() if of is kind and matches(name) for point in found]


def _reverse(points: Collection[RestorePoint]) -> list[RestorePoint]:
    """The points of reverse-incremental chains, marked. The newest of such a chain is a full backup, and EM may say of
    it no more than that; those before it tell."""
    chains = {_chain(point) for point in points if point.algorithm.casefold() == "reversedincremental"}
    return [replace(point, reverse=True) for point in points if _chain(point) in chains] if chains else []


def _chain(point: RestorePoint) -> tuple[PointKind, str, str]:
    return point.kind, point.backup_server.casefold(), chain_of(point)


def _id(uid: str) -> str:
    return uid.casefold().rpartition(":")[2]
